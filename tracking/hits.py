"""A hit as it arrives at a door, and what may become of it."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple


class Outcome(IntEnum):
    """What became of a hit. The numbers are those of the statement in tracking/statement.py."""

    UNRECORDED = -1  #: not committed, as far as anybody knows; the answer says so
    REFUSED = 0  #: nothing may be recorded: no consent, withdrawn, or the message is gone
    ANONYMOUS = 1  #: counted, nobody in particular
    DELIVERABILITY = 2  #: counted, and the day of the last open noted on the address
    PERSONAL = 3  #: an event of the person, with its side row


class Hit(NamedTuple):
    """One request for a pixel, a link or a download. The order of the fields is that of the statement's arrays.

    `data` is the event's data as JSON text, None for none. `reasons` are words of tracking.verdicts.Reason that the
    request alone gives away, joined by commas.
    """

    type: str  #: a value of EventType: Opened, Clicked or Downloaded
    occurred_at: datetime  #: business time
    campaign_id: int  #: 0 for a message outside campaigns
    message_id: int | None  #: None: a campaign-wide token, nobody in particular
    link_no: int | None
    method: str
    address: str | None  #: of the client: IPv4 or IPv6
    agent: str | None  #: at most 300 characters
    reasons: str
    data: str | None

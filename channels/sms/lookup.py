"""Whether the provider has a message whose sending ended in doubt: found again in its list, without a doubt or not at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.sms.content import Text
from channels.sms.lookalikes import replace_lookalikes
from channels.sms.reports import Report

#: The provider's clock and ours, and the moment between our mark and its record.
_SLACK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Listed:
    """A message in the provider's list."""

    report: Report
    sender: str
    recipient: str
    body: str
    created: datetime


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What a look in the list came to. `found` settles the delivery; else it stays uncertain.

    `candidates` is how many it could have been: none proves nothing yet, since a list may lag behind; several are
    told apart only by their callbacks or by a person.
    """

    found: Report | None
    candidates: int


def find_message(
    text: Text, listed: Iterable[Listed], began: datetime, ended: datetime, taken: Collection[str]
) -> LookedUp:
    """The message that we tried to send between `began` and `ended`, in the provider's list.

    `taken` holds the provider's numbers of messages of ours that are settled: those are others. Bodies are compared
    as a reader sees them, because the provider may replace look-alike signs.
    """
    wanted = _plain(text.body)
    matches = [
        one
        for one in listed
        if one.report.provider_id not in taken
        and one.recipient == text.recipient
        and (not text.sender or one.sender in ("", text.sender))
        and began - _SLACK <= one.created <= ended + _SLACK
        and _plain(one.body) == wanted
    ]
    return LookedUp(matches[0].report if len(matches) == 1 else None, len(matches))


def _plain(body: str) -> str:
    """A body without what a provider may change: look-alikes, spaces at line ends, its mark of a trial account."""
    text = replace_lookalikes(unicodedata.normalize("NFC", body)).text
    text = text.removeprefix("Sent from your Twilio trial account - ")
    return " ".join(text.split())

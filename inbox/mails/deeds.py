"""What is to be done about one mail: the rows it becomes, the events it amounts to, what follows for addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from domain.events import NewEvent
from inbox.mails.arrived import Arrived


class EffectKind(StrEnum):
    """What a report says about a message of ours."""

    BOUNCED = "bounced"
    DELAYED = "delayed"
    COMPLAINED = "complained"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a report says about one address. `message_id` is the message of ours that it is about, and `proven`
    whether the report shows that it is: a signed token, or our Message-ID with the address it went to.

    Only what is proven has consequences: anybody can write a bounce."""

    kind: EffectKind
    address: str
    message_id: int | None
    contact_id: int | None
    campaign_id: int | None
    conversation_id: int | None
    proven: bool
    hard: bool = False
    status: str = ""
    reason: str = ""
    words: str = ""
    unsettled: bool = False  #: nobody knows whether the message arrived


@dataclass(frozen=True, slots=True)
class NewContact:
    """Somebody who wrote to us for the first time."""

    id: int
    name: str
    address: str
    given: str
    relation: str = "other"


@dataclass(slots=True)
class Deed:
    """See the first lines of this file. Changes of conversations stand in inbox.mails.known.Known.

    `stored` is false for a copy of a mail that is stored already: only `raw_id` is settled.
    """

    arrived: Arrived
    message_id: int
    stored: bool = True
    direction: str = "in"
    contact_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None
    mailbox: str = ""
    author_id: int | None = None
    automatic: str | None = None
    contacts: list[NewContact] = field(default_factory=list)
    parties: list[tuple[int, str, int | None]] = field(default_factory=list)
    placement: tuple[int, str] | None = None
    events: list[NewEvent] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    greets: bool = False  #: the queue may acknowledge it
    history: bool = False  #: it came long ago: filed, and nothing follows from it


@dataclass(slots=True)
class Numbers:
    """Ids that were taken from the database for a batch."""

    messages: Iterator[int]
    conversations: Iterator[int]
    contacts: Iterator[int]

"""Messages and their delivery: what is handed to a channel, what comes back, and the table of states.

The states are promise 3: a row per recipient, `sending` committed before a byte of content is written,
`uncertain` whenever nobody can know whether the message arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})


class ChannelKind(StrEnum):
    """What a message travels by."""

    MAIL = "mail"
    SMS = "sms"
    VOICE = "voice"


class Direction(StrEnum):
    """Seen from the organisation."""

    IN = "in"
    OUT = "out"


class TrackingLevel(StrEnum):
    """What may be measured on a message, decided when it is composed (see docs on tracking and the law).

    none: nothing is measured. aggregate: anonymous counts per campaign. deliverability: aggregate, and the day
    of the last open on the address. full: opens, clicks and downloads become events of the person.
    """

    NONE = "none"
    AGGREGATE = "aggregate"
    DELIVERABILITY = "deliverability"
    FULL = "full"


class DeliveryState(StrEnum):
    """Where the delivery to one recipient stands."""

    QUEUED = "queued"  #: waits for a sender
    CLAIMED = "claimed"  #: leased by one worker, nothing written to the wire
    SENDING = "sending"  #: committed before any content is written
    SENT = "sent"  #: the other side took responsibility
    DEFERRED = "deferred"  #: refused for now, tried again after `not_before`
    REJECTED = "rejected"  #: refused for good, or suppressed before sending
    UNCERTAIN = "uncertain"  #: may have arrived; settled by a bounce, a callback or a person
    CANCELLED = "cancelled"  #: withdrawn by a person before it was sent


class Mover(StrEnum):
    """Who may move a delivery."""

    SENDER = "sender"
    SWEEPER = "sweeper"  # finds leases that ran out
    CALLBACK = "callback"  # a bounce or a provider's report
    PERSON = "person"


#: The whole state machine: (from, to) → who may make the move. Anything else is refused.
DELIVERY_MOVES: Final[Mapping[tuple[DeliveryState, DeliveryState], frozenset[Mover]]] = {
    (DeliveryState.QUEUED, DeliveryState.CLAIMED): frozenset({Mover.SENDER}),
    (DeliveryState.DEFERRED, DeliveryState.CLAIMED): frozenset({Mover.SENDER}),
    (DeliveryState.CLAIMED, DeliveryState.QUEUED): frozenset({Mover.SENDER, Mover.SWEEPER}),
    (DeliveryState.CLAIMED, DeliveryState.SENDING): frozenset({Mover.SENDER}),
    (DeliveryState.CLAIMED, DeliveryState.REJECTED): frozenset({Mover.SENDER}),
    (DeliveryState.SENDING, DeliveryState.SENT): frozenset({Mover.SENDER}),
    (DeliveryState.SENDING, DeliveryState.DEFERRED): frozenset({Mover.SENDER}),
    (DeliveryState.SENDING, DeliveryState.REJECTED): frozenset({Mover.SENDER}),
    (DeliveryState.SENDING, DeliveryState.UNCERTAIN): frozenset({Mover.SENDER, Mover.SWEEPER}),
    # The sender's, when the answer comes after all: later than the lease, to the worker that holds the attempt.
    (DeliveryState.UNCERTAIN, DeliveryState.SENT): frozenset({Mover.SENDER, Mover.CALLBACK, Mover.PERSON}),
    (DeliveryState.UNCERTAIN, DeliveryState.REJECTED): frozenset(
        {Mover.SENDER, Mover.CALLBACK, Mover.PERSON}
    ),
    (DeliveryState.UNCERTAIN, DeliveryState.QUEUED): frozenset({Mover.PERSON}),
    (DeliveryState.QUEUED, DeliveryState.CANCELLED): frozenset({Mover.PERSON}),
    (DeliveryState.CLAIMED, DeliveryState.CANCELLED): frozenset({Mover.PERSON}),
    (DeliveryState.DEFERRED, DeliveryState.CANCELLED): frozenset({Mover.PERSON}),
}

#: States from which nothing moves by itself any more.
SETTLED: Final = frozenset(
    {DeliveryState.SENT, DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.CANCELLED}
)


def may_move(old: DeliveryState, new: DeliveryState, mover: Mover) -> bool:
    """Tell whether `mover` may take a delivery from `old` to `new`."""
    return mover in DELIVERY_MOVES.get((old, new), frozenset())


class Outbound(NamedTuple):
    """One composed message on its way to one recipient, as a channel's `send` takes it.

    For mail, `content` is the finished payload of SMTP's DATA: CRLF line ends, lines that start with a dot
    doubled, closed by CRLF . CRLF (RFC 5321, 4.5.2). For SMS it is the UTF-8 text. A tuple, as are the two below,
    because one is made per message and a frozen dataclass takes four times as long.
    """

    key: int  #: the message's id
    attempt: int  #: fences late results
    sender: str  #: envelope sender (mail) or sender number
    recipient: str
    content: bytes
    utf8: bool = False  #: an address or header needs SMTPUTF8 (RFC 6531)
    eightbit: bool = False  #: the body needs 8BITMIME (RFC 6152)
    #: `from`: the author's address, `relay`: the server that it is meant for, where there are several (mail)
    options: Mapping[str, str] = _NO_OPTIONS


class Receipt(NamedTuple):
    """The other side took responsibility for a message. `reply` holds its words, at most 500 characters."""

    key: int
    attempt: int
    reply: str = ""
    provider_id: str = ""


class Outcome(NamedTuple):
    """What became of one attempt: the new state of the delivery and the words of the other side."""

    key: int
    attempt: int
    state: DeliveryState  #: SENT, DEFERRED, REJECTED or UNCERTAIN
    reply: str = ""
    reason: str = ""  #: a word of our vocabulary, e.g. `mailbox_unknown`, `connection_lost`
    relay: str = ""  #: the server of ours that it went to, or would have gone to
    unreached: bool = False  #: no connection could be had: says nothing about this message
    provider_id: str = ""  #: the provider's number of a message it took; reports name it

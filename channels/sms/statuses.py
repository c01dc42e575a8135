"""The provider's states of a message: their order, and what each means for a delivery and for the timeline.

Reports come in any order and more than once. Each state has a rank, and a message's state only moves to a higher one;
of the final ones, which share a rank, the first stays. Only `read` goes further, and says no more than that the
message was delivered: an opening is nothing we may record by the way.
States: www.twilio.com/docs/messaging/api/message-resource#message-status-values.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.events import EventType
from domain.messages import DeliveryState


class Status(NamedTuple):
    """What a state says. `delivery`: how it settles a delivery that is uncertain; `event`: what it is on a timeline."""

    rank: int
    delivery: DeliveryState | None = None
    event: EventType | None = None


STATUSES: Final[dict[str, Status]] = {
    "scheduled": Status(0, DeliveryState.SENT),
    "accepted": Status(1, DeliveryState.SENT),
    "queued": Status(2, DeliveryState.SENT),
    "sending": Status(3, DeliveryState.SENT),
    "sent": Status(4, DeliveryState.SENT, EventType.SENT),
    "partially_delivered": Status(5, DeliveryState.SENT),
    "delivered": Status(6, DeliveryState.SENT, EventType.DELIVERED),
    "undelivered": Status(6, DeliveryState.SENT, EventType.BOUNCED),
    "failed": Status(6, DeliveryState.REJECTED, EventType.FAILED),
    "canceled": Status(6, DeliveryState.REJECTED, EventType.FAILED),
    "read": Status(7, DeliveryState.SENT, EventType.DELIVERED),
}

#: The rank from which a message's fate is known.
FINAL_RANK: Final = 6


def moves_forward(old: str, new: str) -> bool:
    """Whether a report of `new` changes a message whose last known state is `old` (empty: none yet)."""
    if new not in STATUSES:
        return False
    if old not in STATUSES:
        return True
    if STATUSES[old].rank >= FINAL_RANK:
        return old == "delivered" and new == "read"
    return STATUSES[new].rank > STATUSES[old].rank


def furthest(statuses: list[str]) -> str:
    """The state after these reports, in the order in which they came; empty when none is known."""
    now = ""
    for status in statuses:
        if moves_forward(now, status):
            now = status
    return now

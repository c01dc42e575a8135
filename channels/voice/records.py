"""Calls as the provider keeps them: how one stands, what it cost, and which is the one that we placed in doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from domain.calls import LEG_ENDS, LEG_RANKS

#: The provider's clock and ours, and the moment between our mark and its record.
_SLACK: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A leg in the provider's list."""

    provider_id: str
    status: str  #: the provider's word, see domain.calls.LEG_RANKS
    caller: str
    recipient: str
    outbound: bool
    parent_id: str = ""
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    seconds: int | None = None
    price: Decimal | None = None  #: negative for what we pay; known some minutes after the end
    currency: str = ""

    @property
    def rank(self) -> int:
        """Its place in the order of states."""
        return LEG_RANKS.get(self.status, 0)

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self.status in LEG_ENDS


@dataclass(frozen=True, slots=True)
class LookedUpCall:
    """What a look in the list came to. `found` settles the call; else it stays unconfirmed.

    `candidates` is how many it could have been: none proves nothing yet, since a list may lag behind.
    """

    found: CallRecord | None
    candidates: int


def find_call(
    listed: Iterable[CallRecord],
    recipient: str,
    caller: str,
    began: datetime,
    ended: datetime,
    taken: Collection[str],
) -> LookedUpCall:
    """The call that we tried to place between `began` and `ended`; `taken` are those that other calls of ours have."""
    matches = [
        one
        for one in listed
        if one.provider_id not in taken
        and one.outbound
        and not one.parent_id
        and (one.recipient, one.caller) == (recipient, caller)
        and one.created is not None
        and began - _SLACK <= one.created <= ended + _SLACK
    ]
    return LookedUpCall(matches[0] if len(matches) == 1 else None, len(matches))


def make_record(call: Any) -> CallRecord:
    """A record from the library's; whatever it leaves out is left out."""
    return CallRecord(
        provider_id=str(call.sid or ""),
        status=str(call.status or ""),
        caller=str(getattr(call, "_from", "") or ""),
        recipient=str(call.to or ""),
        outbound=str(call.direction or "").startswith("outbound"),
        parent_id=str(call.parent_call_sid or ""),
        created=_aware(call.date_created),
        started=_aware(call.start_time),
        ended=_aware(call.end_time),
        seconds=_count(call.duration),
        price=_amount(call.price),
        currency=str(call.price_unit or "").upper()[:3],
    )


def _aware(moment: object) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _count(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


def _amount(value: object) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None

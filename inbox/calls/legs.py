"""How a call stands, told by its legs; and how a leg stands, told by reports in any order and any number.

A call of ours has two legs: the phone of our person, which the provider rings first, and the contact's, which it rings
when our person asked for it. Reports about a leg are joined: whatever their order, and however often each comes, the
same is known in the end, and nothing that is known is taken back. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.calls import LEG_ENDS, LEG_RANKS, CallPart, CallResult, CallState

#: of two ends that contradict each other, the later one here is believed
_ENDS: Final = ("canceled", "no-answer", "failed", "busy", "completed")
_RESULTS: Final = {
    "canceled": CallResult.NO_ANSWER,  # it rang until our person had enough
    "no-answer": CallResult.NO_ANSWER,
    "failed": CallResult.UNREACHABLE,
    "busy": CallResult.BUSY,
    "completed": CallResult.ANSWERED,
}


@dataclass(frozen=True, slots=True)
class Leg:
    """What is known of one leg. `status` is the provider's word, empty before the first report; times are the
    provider's."""

    provider_id: str
    part: CallPart
    status: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: int | None = None  #: from its answer to its end
    sequence: int = -1  #: the provider's count of the latest report

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens on it."""
        return self.status in LEG_ENDS

    @property
    def was_answered(self) -> bool:
        """Whether somebody took it."""
        return self.answered_at is not None or self.status in ("in-progress", "completed")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a call of ours stands: `seconds` are of talk. `undecided`: our side has ended, the other's end is not told."""

    state: CallState
    result: CallResult | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: int | None = None
    undecided: bool = False


def advance(leg: Leg, news: Leg) -> Leg:
    """What is known of a leg after a report about it; the same in whatever order reports come.

    `news` is the report, written as a leg that is known by nothing else. A status that nobody knows says nothing.
    """
    return replace(
        leg,
        status=max(leg.status, news.status if news.status in LEG_RANKS else "", key=_rank),
        answered_at=_first(leg.answered_at, news.answered_at),
        ended_at=_first(leg.ended_at, news.ended_at),
        seconds=max((one for one in (leg.seconds, news.seconds) if one is not None), default=None),
        sequence=max(leg.sequence, news.sequence),
    )


def stand(legs: Sequence[Leg], *, asked: bool) -> Standing:
    """How a call of ours stands. `asked`: our person asked for the contact, whose phone rings or is about to.

    Every leg of ours and theirs counts; of several that ring the contact, the one that tells most.
    """
    ours = _telling([leg for leg in legs if leg.part is CallPart.US])
    theirs = _telling([leg for leg in legs if leg.part is CallPart.THEM])
    if theirs is not None and theirs.has_ended:
        ended = theirs.ended_at or (ours.ended_at if ours is not None else None)
        result = _RESULTS[theirs.status]
        answered = theirs.answered_at if result is CallResult.ANSWERED else None
        seconds = theirs.seconds if result is CallResult.ANSWERED else None
        return Standing(CallState.ENDED, result, answered, ended, seconds)
    over = ours is not None and ours.has_ended
    if theirs is not None or asked:
        talking = theirs is not None and theirs.was_answered
        state = CallState.TALKING if talking else CallState.RINGING
        return Standing(state, None, theirs.answered_at if theirs is not None else None, undecided=over)
    if ours is not None and over:
        failed = ours.status == "failed"
        result = CallResult.FAILED if failed else CallResult.CANCELLED
        return Standing(CallState.ENDED, result, None, ours.ended_at)
    return Standing(CallState.RINGING_US)


def _telling(legs: Sequence[Leg]) -> Leg | None:
    return max(legs, key=lambda leg: (_rank(leg.status), leg.provider_id), default=None)


def _rank(status: str) -> tuple[int, int]:
    place = _ENDS.index(status) if status in _ENDS else 0
    return LEG_RANKS.get(status, -1), place


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)

"""Whose phone rings next: the owner, then the people of the queue, those who are free. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from inbox.lines.menus import Ring

#: the provider rings ten numbers at once at most
_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Rep:
    """One of us who takes calls, has a phone and works now. `is_free`: on no other call."""

    user_id: int
    phone: str  #: E.164, or client:name
    is_free: bool = True


@dataclass(frozen=True, slots=True)
class Reach:
    """Who can be rung. `queues`: the people of each queue's team, in the order in which they are rung; `people` by mail
    address; `ahead`: callers who wait for a queue longer than this one."""

    owner: Rep | None = None
    queues: Mapping[str, Sequence[Rep]] = field(default_factory=dict)
    people: Mapping[str, Rep] = field(default_factory=dict)
    ahead: Mapping[str, int] = field(default_factory=dict)


def choose_next(plan: Ring, queue: str, reach: Reach, tried: Collection[int]) -> tuple[Rep, ...]:
    """Who rings next, those in `tried` left out; nobody when the round is over.

    As many of the free are left to callers ahead as there are such callers, so that who waits longest is first.
    """
    owner = reach.owner if plan.owner else None
    if owner is not None and owner.is_free and owner.user_id not in tried:
        return (owner,)
    free = [rep for rep in _people(plan, queue, reach) if rep.is_free]
    if len(free) <= reach.ahead.get(queue, 0):
        return ()
    left = [rep for rep in free if rep.user_id not in tried]
    return tuple(left[:_AT_ONCE] if plan.together else left[:1])


def is_anybody_there(plan: Ring, queue: str, reach: Reach) -> bool:
    """Whether waiting can help: somebody works now, even if they are on the phone."""
    return bool((plan.owner and reach.owner) or _people(plan, queue, reach))


def _people(plan: Ring, queue: str, reach: Reach) -> list[Rep]:
    if plan.people:
        return [reach.people[mail] for mail in plan.people if mail in reach.people]
    return list(reach.queues.get(queue, ()))

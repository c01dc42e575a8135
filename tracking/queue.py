"""Hits between the door and their commit: who waits for which, until when, and what each is told.

Everything here runs in one event loop and awaits nothing but new hits, so a hit is always in exactly one place:
waiting, in flight, or late (answered as unrecorded, and kept a while in case the database comes back).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tracking import counters
from tracking.hits import Hit, Outcome
from tracking.settings import TrackingSettings

_LOOK: Final = 0.1  # seconds between looks at the clock while somebody waits
_OUTCOMES: Final = (Outcome.REFUSED, Outcome.ANONYMOUS, Outcome.DELIVERABILITY, Outcome.PERSONAL)


class Waiting(NamedTuple):
    """A hit, who waits for its outcome, since when and until when (by the loop's clock)."""

    hit: Hit
    answer: asyncio.Future[Outcome]
    since: float
    deadline: float


Group = tuple[Waiting, ...]


class HitQueue:
    """The hits of one process. Must be made inside its event loop."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._late: deque[Waiting] = deque()
        self._in_flight: set[Group] = set()
        self._arrived = asyncio.Event()
        self._look: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._late)

    def put(self, hit: Hit) -> asyncio.Future[Outcome]:
        """Hand in a hit; the future tells its outcome and never raises."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        waiting = self._waiting
        if self._closed or len(waiting) >= self._settings.queue_limit:
            counters.UNRECORDED.labels("overload").inc()
            counters.LOST.labels("overload").inc()
            answer.set_result(Outcome.UNRECORDED)
            return answer
        now = self._loop.time()
        waiting.append(Waiting(hit, answer, now, now + self._settings.patience))
        self._arrived.set()
        if self._look is None:
            self._look = self._loop.call_later(_LOOK, self._answer_overdue)
        return answer

    async def wait(self) -> bool:
        """Wait until there are hits; False when the queue is closed and empty."""
        while not (self._waiting or self._late):
            if self._closed:
                return False
            self._arrived.clear()
            await self._arrived.wait()
        return True

    def take(self, limit: int) -> Group:
        """The next group, those first that somebody still waits for."""
        waiting, late = self._waiting, self._late
        taken = [waiting.popleft() for _ in range(min(limit, len(waiting)))]
        taken += [late.popleft() for _ in range(min(limit - len(taken), len(late)))]
        group = tuple(taken)
        self._in_flight.add(group)
        return group

    def put_back(self, group: Group) -> None:
        """The group was certainly not committed; it waits again, in front."""
        self._in_flight.discard(group)
        self._waiting.extendleft(entry for entry in reversed(group) if not entry.answer.done())
        self._late.extendleft(entry for entry in reversed(group) if entry.answer.done())

    def split(self, group: Group) -> tuple[Group, Group]:
        """Two halves in place of a group that cannot be committed as a whole."""
        self._in_flight.discard(group)
        halves = group[: len(group) // 2], group[len(group) // 2 :]
        self._in_flight.update(halves)
        return halves

    def settle(self, group: Group, outcomes: Sequence[int]) -> None:
        """The group is committed: tell everybody their outcome."""
        self._in_flight.discard(group)
        late = 0
        for (_, answer, _, _), outcome in zip(group, outcomes, strict=True):
            if not answer.done():
                answer.set_result(_OUTCOMES[outcome])
            elif not answer.cancelled():
                late += 1
        counters.GROUP_SIZE.observe(len(group))
        for outcome, count in Counter(outcomes).items():
            counters.HITS.labels(_OUTCOMES[outcome].name.lower()).inc(count)
        if late:
            counters.LATE.inc(late)

    def give_up(self, group: Group, cause: str) -> None:
        """The group will not be committed, or nobody knows whether it was."""
        self._in_flight.discard(group)
        self._answer_unrecorded(group, cause)
        counters.LOST.labels(cause).inc(len(group))

    def close(self) -> None:
        """Take no more hits."""
        self._closed = True
        self._arrived.set()

    def abandon(self) -> None:
        """Give up whatever is left."""
        for group in list(self._in_flight):
            self.give_up(group, "shutdown")
        self.give_up((*self._waiting, *self._late), "shutdown")
        self._waiting.clear()
        self._late.clear()
        if self._look is not None:
            self._look.cancel()

    def _answer_overdue(self) -> None:
        now = self._loop.time()
        waiting, late = self._waiting, self._late
        overdue = []
        while waiting and waiting[0].deadline <= now:
            overdue.append(waiting.popleft())
        for group in self._in_flight:
            if group[0].deadline <= now:
                self._answer_unrecorded((entry for entry in group if entry.deadline <= now), "database")
        self._answer_unrecorded(overdue, "database")
        late.extend(overdue)
        forgotten = 0
        while late and (
            len(late) > self._settings.queue_limit or late[0].deadline + self._settings.late_seconds <= now
        ):
            late.popleft()
            forgotten += 1
        if forgotten:
            counters.LOST.labels("database").inc(forgotten)
        busy = waiting or late or self._in_flight
        self._look = self._loop.call_later(_LOOK, self._answer_overdue) if busy else None

    def _answer_unrecorded(self, entries: Iterable[Waiting], cause: str) -> None:
        count = 0
        for entry in entries:
            if not entry.answer.done():
                entry.answer.set_result(Outcome.UNRECORDED)
                count += 1
        if count:
            counters.UNRECORDED.labels(cause).inc(count)

"""The messages of one running campaign, or the letters, that this worker holds ready, and its share of the pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from outbox.addresses import LETTERS
from outbox.composing import Composer
from outbox.queue import Claimed
from outbox.settings import OutboxSettings

#: A campaign with a rate is marked in portions of about this many seconds, and has messages ready for so many.
_PORTION: Final = 0.1
_AHEAD: Final = 5.0
#: Letters are claimed in such portions; they may be large, and each has a range of its own.
LETTERS_AT_ONCE: Final = 20


@dataclass(slots=True)
class Feed:
    """Times are monotonic seconds. `allowance` messages may be marked from `opens` on; without a rate it is
    not looked at."""

    campaign_id: int
    composer: Composer
    rate: float | None = None
    ready: deque[tuple[Claimed, float]] = field(default_factory=deque)  #: with the end of its claim
    look_at: float = 0.0  #: when to ask the queue again, after it gave nothing
    allowance: int = 0
    opens: float = 0.0
    stretch: int = 5  #: how many to compose before the wire has its turn
    claims: int = 0  #: how many ranges were claimed: every second time the one that became due last

    def wants_messages(self, settings: OutboxSettings) -> bool:
        """Whether to claim more now."""
        if self.campaign_id == LETTERS:
            return len(self.ready) <= LETTERS_AT_ONCE // 2
        enough = settings.claim_size // 2
        if self.rate is not None:
            enough = min(enough, int(self.rate * _AHEAD))
        return len(self.ready) <= enough

    def portion(self, settings: OutboxSettings) -> int:
        """How many places to reserve in the pace at once."""
        assert self.rate is not None
        return max(1, min(int(self.rate * _PORTION), settings.window // 2))

    def wants_allowance(self) -> bool:
        """Whether places in the pace have to be reserved before anything more is marked."""
        return self.rate is not None and self.allowance == 0 and bool(self.ready)

    def available(self, now: float) -> int:
        """How many messages may be marked now."""
        if self.rate is None:
            return len(self.ready)
        return min(self.allowance, len(self.ready)) if now >= self.opens else 0

    def take(self, count: int, now: float) -> tuple[list[Claimed], list[Claimed]]:
        """Take up to `count` messages to mark; the second list are those whose claim is over.

        Those are forgotten and not released, which would take a statement: the sweeper finds them.
        """
        good: list[Claimed] = []
        late: list[Claimed] = []
        count = min(count, self.available(now))
        while self.ready and len(good) < count:
            row, until = self.ready.popleft()
            (good if now < until else late).append(row)
        if self.rate is not None:
            self.allowance -= len(good)
        return good, late

    def drop_late(self, now: float) -> list[Claimed]:
        """Forget the messages whose claim is over; gives them. Claims wait in the order of their ends."""
        late = []
        while self.ready and self.ready[0][1] <= now:
            late.append(self.ready.popleft()[0])
        return late

    def aging(self, now: float, lease: float) -> list[Claimed]:
        """What to claim for longer: everything, once the first claim has half of its `lease` seconds behind it."""
        if not self.ready or self.ready[0][1] - now > lease / 2:
            return []
        return [row for row, until in self.ready if until > now]

    def renewed(self, asked: Sequence[Claimed], ids: set[int], until: float) -> list[Claimed]:
        """Of the messages `asked` for, these `ids` are ours `until` then; forgets and gives the others."""
        waiting = {id(row) for row in asked}
        lost = [row for row, _ in self.ready if id(row) in waiting and row.message_id not in ids]
        gone = {id(row) for row in lost}
        self.ready = deque(
            (row, until if id(row) in waiting else end) for row, end in self.ready if id(row) not in gone
        )
        return lost

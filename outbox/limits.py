"""How much may go where within a time: settings of limits, and sliding windows as pure values.

A window is kept as counts of its sixty parts (and the one that is just beginning), so that in no stretch of its length
more goes out than allowed, however the stretch lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

#: Parts of a window.
_PARTS: Final = 60
#: What campaigns leave of every limit for letters: one part of so many, and one message at least.
_LETTERS_SHARE: Final = 10

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400

_Limit = Annotated[int, Field(ge=1)] | None


class DomainLimits(BaseModel):
    """What the mail servers of one domain, or of one provider's domains, get from us."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: _Limit = Field(default=None, description="messages under way at a time, per process")
    per_minute: _Limit = Field(default=None, description="messages in any 60 seconds, over all processes")
    per_hour: _Limit = Field(default=None, description="messages in any 60 minutes, over all processes")
    per_day: _Limit = Field(default=None, description="messages in any 24 hours, over all processes")

    def windows(self) -> tuple[tuple[int, int], ...]:
        """Lengths in seconds and how many messages each takes."""
        return windows(self.per_minute, self.per_hour, self.per_day)


def windows(per_minute: int | None, per_hour: int | None, per_day: int | None) -> tuple[tuple[int, int], ...]:
    """Lengths of windows in seconds, and how many messages each takes."""
    limits = ((MINUTE, per_minute), (HOUR, per_hour), (DAY, per_day))
    return tuple((seconds, limit) for seconds, limit in limits if limit is not None)


@dataclass(slots=True)
class Window:
    """What went out lately. `counts` begins with part number `newest`; older parts follow. Times are seconds."""

    seconds: int
    limit: int
    newest: int = 0
    counts: list[int] | None = None

    @property
    def width(self) -> float:
        """The length of a part."""
        return self.seconds / _PARTS

    def roll(self, now: float) -> None:
        """Forget what is older than the window. A clock that went back counts as standing still."""
        part = int(now / self.width)
        counts = self.counts or []
        if part > self.newest:
            counts = [0] * min(part - self.newest, _PARTS + 1) + counts
            self.newest = part
        self.counts = (counts + [0] * (_PARTS + 1))[: _PARTS + 1]

    def free(self) -> int:
        """How many more may go now."""
        return max(0, self.limit - sum(self.counts or ()))

    def spend(self, count: int) -> None:
        """So many go now."""
        assert self.counts is not None
        self.counts[0] += count

    @property
    def spare(self) -> int:
        """What campaigns leave for letters."""
        return max(0, min(max(1, self.limit // _LETTERS_SHARE), self.limit - 1))

    def opens(self, now: float, spare: int = 0) -> float:
        """Seconds until more than `spare` may go."""
        counts = self.counts or []
        need = sum(counts) - self.limit + spare + 1
        if need <= 0:
            return 0.0
        for age in range(len(counts) - 1, -1, -1):
            need -= counts[age]
            if need <= 0:
                return max(0.0, (self.newest - age + _PARTS + 1) * self.width - now)
        return float(self.seconds)  # nothing is allowed at all


@dataclass(frozen=True, slots=True)
class Grant:
    """How many letters and messages of campaigns may go at once; in how many seconds some of the others may, and how
    many more it takes for each message that waits before."""

    letters: int
    others: int
    letters_wait: float
    others_wait: float
    pace: float


def grant(kept: Sequence[Window], letters: int, others: int, now: float) -> Grant:
    """Ask for places in all these windows, and take what they all have."""
    for window in kept:
        window.roll(now)
    first = min(letters, *(window.free() for window in kept))
    rest = min(others, *(max(0, window.free() - first - window.spare) for window in kept))
    for window in kept:
        window.spend(first + rest)
    return Grant(
        first,
        rest,
        max(window.opens(now) for window in kept),
        max(window.opens(now, window.spare) for window in kept),
        max(window.seconds / max(1, window.limit) for window in kept),
    )

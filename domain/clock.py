"""Business time: what "now" means for deadlines, holds and timelines. A demo may move it forward."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the business time as an aware datetime in UTC."""

    def now(self) -> datetime:
        """The current moment."""
        ...


@dataclass(slots=True)
class SystemClock:
    """The machine's clock, moved forward by `offset` (zero outside of demos)."""

    offset: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        """The machine's time plus the offset."""
        return datetime.now(UTC) + self.offset


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is moved; for tests and for trying rules on the past."""

    moment: datetime

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.moment

    def advance(self, by: timedelta) -> None:
        """Move forward by `by`."""
        self.moment += by

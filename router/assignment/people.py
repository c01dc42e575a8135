"""The people who may be asked, as the choice looks at them: what they can, what they have to do, when they are away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.errors import InvalidInput
from domain.tasks import EVERY_CHANNEL
from router.working_time import WorkingCalendar, is_working, next_working_moment


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody is not there from one moment until another; `deputy_id` answers meanwhile."""

    starts_at: datetime
    ends_at: datetime
    deputy_id: int | None = None

    def covers(self, moment: datetime) -> bool:
        """Whether the moment lies in it; its end does not."""
        return self.starts_at <= moment < self.ends_at


@dataclass(slots=True)
class Person:
    """Somebody who works here and may sign in.

    `weights` gives each team of the person with how often it is the person's turn (0: never). `load` counts open tasks
    by channel, `capacity` says how many may be open; the channel `all` counts every task. `calendar` is None for
    somebody of no hours of their own and no team.
    """

    id: int
    supervises: bool = False
    manages: bool = False
    weights: Mapping[int, int] = field(default_factory=dict)
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    capacity: Mapping[str, int] = field(default_factory=dict)
    load: dict[str, int] = field(default_factory=dict)
    present: bool = True
    absences: tuple[Away, ...] = ()
    calendar: WorkingCalendar | None = None

    def away(self, now: datetime) -> Away | None:
        """The absence that keeps the person from working next, if there is one."""
        if not self.absences:
            return None
        begins = self._begins(now)
        return next((away for away in self.absences if away.covers(begins) or away.covers(now)), None)

    def _begins(self, now: datetime) -> datetime:
        if self.calendar is None:
            return now
        try:
            return next_working_moment(now, self.calendar)
        except InvalidInput:
            return now

    def works(self, now: datetime) -> bool:
        """Whether it is the person's working time, and the person has not gone from the desk."""
        if not self.present:
            return False
        if self.calendar is None:
            return True
        try:
            return is_working(now, self.calendar)
        except InvalidInput:
            return False

    def has_room(self, channel: str) -> bool:
        """Whether one more task of this channel fits."""
        return all(
            self.load.get(name, 0) < self.capacity[name]
            for name in (channel, EVERY_CHANNEL)
            if name in self.capacity
        )

    def take(self, channel: str) -> None:
        """Count one more task."""
        for name in {channel, EVERY_CHANNEL}:
            self.load[name] = self.load.get(name, 0) + 1

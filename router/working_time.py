"""Working time: which hours people work, and what "4 working hours later" means. Pure arithmetic.

A calendar is a weekly schedule in local time (split shifts allowed), a time zone, and a function that knows the
holidays. Moments go in and come out as aware datetimes; results are in UTC. Shifts are counted in real time, so a
shift over the night when the clocks change is an hour shorter or longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from domain.errors import InvalidInput

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ZERO: Final = timedelta(0)
_ONE_DAY: Final = timedelta(days=1)
_LONGEST_CLOSURE: Final = 3660  # days without a working hour before we stop looking

Shift = tuple[timedelta, timedelta]
"""From and to, as wall-clock time since local midnight; at most 24 h."""


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When people work: `week` holds the shifts of Monday to Sunday, sorted and apart from each other."""

    week: tuple[tuple[Shift, ...], ...]
    zone: ZoneInfo
    is_holiday: Callable[[date], bool] = lambda day: False

    def __post_init__(self) -> None:
        if len(self.week) != 7 or not any(self.week):
            raise InvalidInput(
                "hours", "there is no working time in the whole week.", "Give at least one shift on one day."
            )

    def shifts_from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The shifts that end after `moment`, in order, in UTC. Raises InvalidInput after ten years of holidays."""
        day = moment.astimezone(self.zone).date() - _ONE_DAY
        idle = 0
        while idle <= _LONGEST_CLOSURE:
            idle += 1
            if not self.is_holiday(day):
                for start, end in self.week[day.weekday()]:
                    begins, ends = _real(day, start, self.zone), _real(day, end, self.zone)
                    if ends > moment and ends > begins:
                        idle = 0
                        yield begins, ends
            day += _ONE_DAY
        raise InvalidInput("holidays", "they leave no working time for ten years.", "Correct the holidays.")

    def works_on(self, day: date) -> bool:
        """Tell whether there is any working time on a local date."""
        return bool(self.week[day.weekday()]) and not self.is_holiday(day)


def _real(day: date, wall: timedelta, zone: ZoneInfo) -> datetime:
    """The moment a wall clock shows `wall` after midnight of `day`; the end of the gap for a time that is skipped."""
    local = datetime.combine(day, time()) + wall
    late = local.replace(tzinfo=zone).astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == local:
        return late
    early = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while late - early > timedelta(seconds=1):  # the clocks are put forward somewhere in between
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) > local:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def next_working_moment(moment: datetime, calendar: WorkingCalendar) -> datetime:
    """`moment` itself when it lies in working time (both ends of a shift count), else the start of the next shift."""
    return add_working(moment, _ZERO, calendar)


def is_working(moment: datetime, calendar: WorkingCalendar) -> bool:
    """Whether the team works at this moment; the end of a shift does not belong to it."""
    just_after = moment + timedelta(microseconds=1)
    return next_working_moment(just_after, calendar) == just_after


def add_working(start: datetime, duration: timedelta, calendar: WorkingCalendar) -> datetime:
    """The moment by which `duration` of working time has passed since `start`.

    Raises ValueError for a naive start or a negative duration, InvalidInput when the calendar never opens again.
    """
    if start.tzinfo is None:
        raise ValueError("start must be an aware datetime")
    if duration < _ZERO:
        raise ValueError("duration must not be negative")
    start = start.astimezone(UTC)
    left = duration
    # A moment that is the end of a shift is still working time, so that adding in two steps gives the same as in one.
    for begins, ends in calendar.shifts_from(start - timedelta(microseconds=1)):
        begins = max(begins, start)
        if left <= ends - begins:
            return begins + left
        left -= ends - begins
    raise AssertionError("shifts_from never ends without an error")


def working_between(start: datetime, end: datetime, calendar: WorkingCalendar) -> timedelta:
    """How much working time lies between two moments; zero when `end` is not after `start`."""
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("start and end must be aware datetimes")
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    total = _ZERO
    if end <= start:
        return total
    for begins, ends in calendar.shifts_from(start):
        if begins >= end:
            break
        total += min(ends, end) - max(begins, start)
    return total


def add_working_days(start: datetime, days: int, calendar: WorkingCalendar) -> datetime:
    """The same local time `days` working days later; the next working moment when nobody works at that time then."""
    first = next_working_moment(start, calendar)
    local = first.astimezone(calendar.zone)
    day = local.date()
    idle = 0
    while days > 0:
        day += _ONE_DAY
        idle += 1
        if idle > _LONGEST_CLOSURE:
            raise InvalidInput(
                "holidays", "they leave no working time for ten years.", "Correct the holidays."
            )
        if calendar.works_on(day):
            days -= 1
            idle = 0
    wall = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    return next_working_moment(max(first, _real(day, wall, calendar.zone)), calendar)


def read_calendar(
    hours: Mapping[str, Sequence[Sequence[str]]],
    timezone: str,
    country: str | None = None,
    subdivision: str | None = None,
) -> WorkingCalendar:
    """A calendar from its stored form: `{"mon": [["09:00", "12:30"], ["14:00", "18:00"]], ...}`.

    `country` (ISO 3166-1) and `subdivision` (ISO 3166-2 without the country) name the public holidays. Raises
    InvalidInput that names the field and the remedy.
    """
    for day in hours:
        if day not in DAYS:
            raise InvalidInput(f"hours.{day}", "is not a day.", f"Write {', '.join(DAYS)}.")
    week = tuple(_read_day(day, hours.get(day, ())) for day in DAYS)
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            "timezone", f"{timezone!r} is unknown.", "Write an IANA name such as Europe/Paris."
        ) from error
    return WorkingCalendar(week, zone, holidays_of(country, subdivision) if country else lambda day: False)


@lru_cache(maxsize=256)
def holidays_of(country: str, subdivision: str | None = None) -> Callable[[date], bool]:
    """A function that knows the public holidays of a country or a part of it. Raises InvalidInput for an unknown one."""
    try:
        known = holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        place = country if subdivision is None else f"{country}-{subdivision}"
        raise InvalidInput(
            "country", f"the holidays of {place!r} are unknown.", "Write an ISO 3166 code such as FR."
        ) from error
    return lambda day: day in known


def _read_day(day: str, shifts: Sequence[Sequence[str]]) -> tuple[Shift, ...]:
    read: list[Shift] = []
    for position, shift in enumerate(shifts):
        place = f"hours.{day}[{position}]"
        if isinstance(shift, str) or len(shift) != 2:
            raise InvalidInput(place, "is not a shift.", 'Write two times, such as ["09:00", "12:30"].')
        start, end = (_read_time(place, text) for text in shift)
        if start >= end:
            raise InvalidInput(
                place,
                f"ends at {shift[1]}, not after its start at {shift[0]}.",
                "Write a shift over midnight as two: one until 24:00, one from 00:00.",
            )
        if read and start < read[-1][1]:
            raise InvalidInput(place, "overlaps the shift before it.", "Sort the shifts and keep them apart.")
        read.append((start, end))
    return tuple(read)


def _read_time(place: str, text: str) -> timedelta:
    if text == "24:00":
        return _ONE_DAY
    try:
        moment = time.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            place, f"{text!r} is not a time of day.", "Write hours and minutes: 09:00."
        ) from error
    return timedelta(hours=moment.hour, minutes=moment.minute)

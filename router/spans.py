"""Lengths of time as rules write them: `4 working hours`, `2 working days`, `24h`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from domain.conditions import parse_duration, write_duration
from router.working_time import WorkingCalendar, add_working, add_working_days

_WORKING: Final = re.compile(r"\s*(\d{1,4})\s*working\s*(minute|hour|day)s?\s*")


class Measure(StrEnum):
    """What runs while a span passes."""

    ELAPSED = "elapsed"  #: every hour of every day
    WORKING = "working"  #: hours in which the team works
    WORKING_DAYS = "working_days"  #: days on which the team works


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time. For working days, `length` is one day for each."""

    length: timedelta
    measure: Measure

    def __str__(self) -> str:
        if self.measure is Measure.ELAPSED:
            return write_duration(self.length)
        minutes = int(self.length.total_seconds() // 60)
        if self.measure is Measure.WORKING_DAYS:
            number, unit = self.length.days, "day"
        elif minutes % 60 == 0:
            number, unit = minutes // 60, "hour"
        else:
            number, unit = minutes, "minute"
        return f"{number} working {unit}" + ("" if number == 1 else "s")

    @property
    def counts_working_time(self) -> bool:
        """Tell whether the span needs a calendar."""
        return self.measure is not Measure.ELAPSED

    def after(self, start: datetime, calendar: WorkingCalendar) -> datetime:
        """The moment when the span that began at `start` is over."""
        if self.measure is Measure.WORKING:
            return add_working(start, self.length, calendar)
        if self.measure is Measure.WORKING_DAYS:
            return add_working_days(start, self.length.days, calendar)
        return start + self.length


def parse_span(value: object) -> Span:
    """Read a span. Raises ValueError with the remedy."""
    if isinstance(value, Span):
        return value
    match = _WORKING.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        try:
            return Span(parse_duration(value), Measure.ELAPSED)
        except ValueError:
            raise ValueError(
                "not a length of time; write it like 4 working hours, 2 working days, or 24h"
            ) from None
    number = int(match[1])
    if match[2] == "day":
        return Span(timedelta(days=number), Measure.WORKING_DAYS)
    return Span(timedelta(**{f"{match[2]}s": number}), Measure.WORKING)


WrittenSpan = Annotated[
    Span,
    BeforeValidator(parse_span),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["4 working hours", "2 working days", "24h"]}),
]

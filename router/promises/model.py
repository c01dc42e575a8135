"""The model of a queue's promises, and how its clocks are counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from router.spans import Measure, Span, WrittenSpan
from router.working_time import WorkingCalendar, add_working, working_between


class Promise(StrEnum):
    """What is promised."""

    FIRST_ANSWER = "first_answer"  #: the first answer of a person in a conversation
    NEXT_ANSWER = "next_answer"  #: any answer after that
    RESOLUTION = "resolution"  #: that the conversation is closed


class Promises(BaseModel):
    """What one queue promises. Working time is the queue's own, else that of its team."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_answer: WrittenSpan | None = Field(
        None, description="Time for the first answer, such as 4 working hours; no promise when left out."
    )
    next_answer: WrittenSpan | None = Field(None, description="Time for each answer after that.")
    resolution: WrittenSpan | None = Field(
        None, description="Time until the conversation is closed, such as 5 working days."
    )
    warn_after: int = Field(75, ge=1, le=99, description="Warn when so many percent of the time are over.")
    escalate: bool = Field(
        True,
        description="What is too late gets a high priority, and goes to whoever answers for the team when nobody has taken it.",
    )

    @field_validator("first_answer", "next_answer", "resolution")
    @classmethod
    def _some_time(cls, value: Span | None) -> Span | None:
        if value is not None and not value.length:
            raise ValueError("give some time, such as 4 working hours")
        return value

    def written(self) -> dict[str, Any]:
        """As it is stored."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True)
class Clock:
    """When a promise has to be kept, and when to warn."""

    promise: Promise
    due: datetime
    warn_at: datetime


def count(promise: Promise, promises: Promises, since: datetime, calendar: WorkingCalendar) -> Clock | None:
    """The clock of a promise that began to run at `since`; None where nothing is promised.

    Raises InvalidInput for a calendar without working time.
    """
    span: Span | None = getattr(promises, promise.value)
    if span is None:
        return None
    due = span.after(since, calendar)
    share = promises.warn_after / 100
    if span.measure is Measure.ELAPSED:
        return Clock(promise, due, since + (due - since) * share)
    return Clock(promise, due, add_working(since, working_between(since, due, calendar) * share, calendar))


def clocks_of(
    promises: Promises,
    calendar: WorkingCalendar,
    *,
    waiting_since: datetime | None,
    began_at: datetime,
    answered: bool,
) -> list[Clock]:
    """The clocks that run in a conversation that is not closed: for the answer while they wait for one, for its end.

    `answered`: a person has answered in it before.
    """
    clocks = []
    if waiting_since is not None:
        promise = Promise.NEXT_ANSWER if answered else Promise.FIRST_ANSWER
        clocks.append(count(promise, promises, waiting_since, calendar))
    clocks.append(count(Promise.RESOLUTION, promises, began_at, calendar))
    return [clock for clock in clocks if clock is not None]

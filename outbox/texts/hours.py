"""When people get short messages of campaigns: in the hours of the day where they live. Pure.

Letters go at once: whoever asks at night wants the answer, or the code, at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator, model_validator

from channels.sms.numbers import timezones_of

#: Days that are looked at before a way out is no longer sought.
_DAYS: Final = 15
#: Written as text also where settings travel as Python values that become JSON.
_Time = Annotated[time, PlainSerializer(time.isoformat, return_type=str)]
_Weekday = Annotated[int, Field(ge=1, le=7)]


class TextHours(BaseModel):
    """When short messages of campaigns may arrive, in the recipient's time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: _Time = Field(default=time(8), description="from this time of the day on")
    end: _Time = Field(default=time(20), description="until this time of the day")
    days: tuple[_Weekday, ...] = Field(
        default=(1, 2, 3, 4, 5, 6), min_length=1, description="days of the week, Monday is 1"
    )
    zone: str = Field(default="UTC", description="time zone of numbers that tell none, e.g. Europe/Paris")

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("give a time zone such as Europe/Paris")
        return value

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.begin >= self.end:
            raise ValueError("begin must be before end")
        return self

    def wait(self, number: str, now: datetime, zone: str = "") -> float:
        """Seconds until this number may get a message; 0 when it may now. `now` is aware; `zone` is the one that its
        owner told, which goes before what the number tells.

        A number of several time zones waits until it is day in all of them; where that never is, in the first.
        """
        zones = (zone,) if zone and _is_zone(zone) else timezones_of(number) or (self.zone,)
        until = self._open(zones, now)
        return (until - now).total_seconds()

    def _open(self, zones: Sequence[str], now: datetime) -> datetime:
        moment = now
        for _ in range(_DAYS * len(zones)):
            later = max(self._next(zone, moment) for zone in zones)
            if later == moment:
                return moment
            moment = later
        return self._next(zones[0], now)

    def _next(self, zone: str, moment: datetime) -> datetime:
        """The first moment from this one on that is allowed in a time zone."""
        place = ZoneInfo(zone)
        today = moment.astimezone(place).date()
        for ahead in range(_DAYS):
            day = today + timedelta(days=ahead)
            begin, end = (datetime.combine(day, one, place).astimezone(UTC) for one in (self.begin, self.end))
            if day.isoweekday() in self.days and moment < end:
                return max(moment, begin)
        raise AssertionError("a week holds every day")


@lru_cache(maxsize=1_000)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (
        KeyError,
        ValueError,
        OSError,
    ):  # what somebody wrote there is no zone, or no zone that this machine knows
        return False
    return True

"""The working time of teams and people, from their rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any, Final

from domain.errors import InvalidInput
from router.settings import RouterSettings
from router.working_time import WorkingCalendar, read_calendar

#: what `calendar_of` wants of `teams t`
CALENDAR_COLUMNS: Final = """
t.hours, t.timezone, t.country, ARRAY(SELECT day FROM team_days_off d WHERE d.team_id = t.id ORDER BY day) AS days_off
"""


def calendar_of(team: Mapping[str, Any], settings: RouterSettings) -> WorkingCalendar:
    """The working time of a team's row; a team without hours works those of the settings.

    A team whose own hours cannot be read works those of the settings too, in UTC: a wrong setting of one team must
    not keep tasks from being opened.
    """
    hours = team["hours"] or settings.hours
    days_off = tuple(team.get("days_off") or ())
    try:
        return _calendar(json.dumps(hours, sort_keys=True), team["timezone"], team["country"], days_off)
    except InvalidInput:
        return _calendar(json.dumps(settings.hours, sort_keys=True, default=dict), "UTC", "", days_off)


def usual_calendar(settings: RouterSettings) -> WorkingCalendar:
    """The working time of the settings, for who has neither team nor hours."""
    return calendar_of({"hours": {}, "timezone": settings.timezone, "country": ""}, settings)


@lru_cache(maxsize=1024)
def _calendar(hours: str, timezone: str, country: str, days_off: tuple[date, ...]) -> WorkingCalendar:
    calendar = read_calendar(json.loads(hours), timezone, country or None)
    return (
        replace(calendar, is_holiday=_either(calendar.is_holiday, frozenset(days_off)))
        if days_off
        else calendar
    )


def _either(public: Callable[[date], bool], own: frozenset[date]) -> Callable[[date], bool]:
    return lambda day: day in own or public(day)

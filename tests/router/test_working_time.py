"""Working time against a table of cases worked out by hand, and by properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from router.spans import parse_span
from router.working_time import (
    WorkingCalendar,
    add_working,
    add_working_days,
    read_calendar,
    working_between,
)

OFFICE = {day: [["09:00", "12:30"], ["14:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
NIGHTS = {"sat": [["22:00", "24:00"]], "sun": [["00:00", "06:00"]]}
LYON = read_calendar(OFFICE, "Europe/Paris", "FR")
STRASBOURG = read_calendar(OFFICE, "Europe/Paris", "FR", "57")
DUBAI = read_calendar({day: [["08:00", "16:00"]] for day in ("mon", "tue", "wed", "thu")}, "Asia/Dubai", "AE")
NIGHT_WATCH = read_calendar(NIGHTS, "Europe/Paris")
NEW_YORK = read_calendar({"sun": [["01:30", "03:30"]], "mon": [["09:00", "17:00"]]}, "America/New_York")


def local(text: str, zone: str = "Europe/Paris") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("calendar", "start", "span", "end"),
    [
        pytest.param(LYON, "2026-03-02 09:00", "2 working hours", "2026-03-02 11:00", id="within a shift"),
        pytest.param(
            LYON, "2026-03-02 11:30", "2 working hours", "2026-03-02 15:00", id="over the midday break"
        ),
        pytest.param(LYON, "2026-03-02 13:00", "30 working minutes", "2026-03-02 14:30", id="from the break"),
        pytest.param(
            LYON, "2026-03-02 09:00", "210 working minutes", "2026-03-02 12:30", id="to a shift's end"
        ),
        pytest.param(LYON, "2026-03-06 17:00", "4 working hours", "2026-03-09 12:00", id="over a weekend"),
        pytest.param(
            LYON, "2026-05-22 17:00", "4 working hours", "2026-05-26 12:00", id="Whit Monday in Lyon"
        ),
        pytest.param(
            LYON, "2026-04-03 17:00", "4 working hours", "2026-04-07 12:00", id="Easter Monday in Lyon"
        ),
        pytest.param(
            LYON, "2026-04-30 17:30", "1 working hour", "2026-05-04 09:30", id="May Day on a Friday"
        ),
        pytest.param(
            LYON, "2026-04-03 12:00", "1 working hour", "2026-04-03 14:30", id="Good Friday is worked"
        ),
        pytest.param(
            STRASBOURG, "2026-04-02 17:30", "1 working hour", "2026-04-07 09:30", id="Good Friday in Moselle"
        ),
        pytest.param(LYON, "2026-12-24 17:59", "2 working minutes", "2026-12-28 09:01", id="Christmas"),
        pytest.param(LYON, "2026-03-27 17:00", "4 working hours", "2026-03-30 12:00", id="clocks go forward"),
        pytest.param(LYON, "2026-10-23 17:00", "4 working hours", "2026-10-26 12:00", id="clocks go back"),
        pytest.param(
            NIGHT_WATCH, "2026-03-28 22:00", "7 working hours", "2026-03-29 06:00", id="a short night"
        ),
        pytest.param(
            NIGHT_WATCH, "2026-10-24 22:00", "9 working hours", "2026-10-25 06:00", id="a long night"
        ),
        pytest.param(
            LYON, "2026-03-06 10:00", "1 working day", "2026-03-09 10:00", id="the next working day"
        ),
        pytest.param(
            LYON, "2026-03-07 10:00", "1 working day", "2026-03-10 09:00", id="a day from a Saturday"
        ),
        pytest.param(
            LYON, "2026-05-22 16:00", "2 working days", "2026-05-27 16:00", id="days over Whit Monday"
        ),
        pytest.param(
            LYON, "2026-05-22 17:00", "24h", "2026-05-23 17:00", id="plain hours ignore the calendar"
        ),
    ],
)
def test_a_span_ends_when_the_wall_calendar_says(
    calendar: WorkingCalendar, start: str, span: str, end: str
) -> None:
    assert parse_span(span).after(local(start), calendar).astimezone(UTC) == local(end).astimezone(UTC)


def test_a_start_in_another_zone_counts_in_the_teams_own() -> None:
    start = local("2026-03-02 23:00", "America/Los_Angeles")  # Tuesday 11:00 in Dubai
    assert add_working(start, timedelta(hours=6), DUBAI) == local("2026-03-04 09:00", "Asia/Dubai")


def test_a_shift_that_begins_in_the_skipped_hour_begins_when_it_is_over() -> None:
    calendar = read_calendar({"sun": [["02:30", "04:00"]]}, "America/New_York")
    before = datetime(2026, 3, 8, 6, 0, tzinfo=UTC)  # 01:00 EST; 02:00 to 03:00 does not exist
    assert add_working(before, timedelta(0), calendar) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    assert working_between(before, before + timedelta(days=1), calendar) == timedelta(hours=1)


def test_a_repeated_hour_is_worked_twice() -> None:
    day = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # 01:30 EDT to 03:30 EST
    assert working_between(day, day + timedelta(hours=12), NEW_YORK) == timedelta(hours=3)


def test_an_empty_week_is_refused_and_never_searched() -> None:
    with pytest.raises(InvalidInput, match="no working time in the whole week"):
        read_calendar({}, "Europe/Paris")


def test_endless_holidays_end_in_an_error() -> None:
    closed = WorkingCalendar(LYON.week, LYON.zone, lambda day: day > date(2026, 3, 3))
    with pytest.raises(InvalidInput, match="ten years"):
        add_working(local("2026-03-03 17:00"), timedelta(hours=4), closed)
    with pytest.raises(InvalidInput, match="ten years"):
        add_working_days(local("2026-03-03 17:00"), 3, closed)


@pytest.mark.parametrize(
    ("hours", "timezone", "country", "field"),
    [
        ({"monday": [["09:00", "12:00"]]}, "Europe/Paris", "FR", "hours.monday"),
        ({"mon": [["09:00"]]}, "Europe/Paris", "FR", "hours.mon[0]"),
        ({"mon": [["9 am", "12:00"]]}, "Europe/Paris", "FR", "hours.mon[0]"),
        ({"mon": [["22:00", "06:00"]]}, "Europe/Paris", "FR", "hours.mon[0]"),
        ({"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}, "Europe/Paris", "FR", "hours.mon[1]"),
        (OFFICE, "Europe/Lyon", "FR", "timezone"),
        (OFFICE, "Europe/Paris", "ZZ", "country"),
    ],
)
def test_a_wrong_calendar_names_the_field(
    hours: dict[str, list[list[str]]], timezone: str, country: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_calendar(hours, timezone, country)
    assert caught.value.field == field
    assert caught.value.remedy


def test_naive_moments_and_negative_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        add_working(datetime(2026, 3, 2, 9), timedelta(hours=1), LYON)
    with pytest.raises(ValueError, match="negative"):
        add_working(local("2026-03-02 09:00"), timedelta(hours=-1), LYON)


@pytest.mark.parametrize(
    "text", ["4 working hours", "1 working hour", "90 working minutes", "2 working days", "3d"]
)
def test_a_span_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_span(text)) == text


@pytest.mark.parametrize("text", ["soon", "4 working weeks", "-1h", "", 4, None])
def test_what_is_no_span_is_refused_with_the_remedy(text: object) -> None:
    with pytest.raises(ValueError, match="write it like 4 working hours"):
        parse_span(text)


calendars = st.sampled_from([LYON, STRASBOURG, DUBAI, NIGHT_WATCH, NEW_YORK])
moments = st.datetimes(datetime(2025, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC))
durations = st.timedeltas(timedelta(0), timedelta(hours=60)).map(
    lambda d: timedelta(seconds=d // timedelta(seconds=1))
)


@given(calendars, moments, durations, durations)
def test_adding_in_two_steps_gives_the_same_as_in_one(
    calendar: WorkingCalendar, start: datetime, first: timedelta, second: timedelta
) -> None:
    halfway = add_working(start, first, calendar)
    assert add_working(halfway, second, calendar) == add_working(start, first + second, calendar)


@given(calendars, moments, moments, durations, durations)
def test_a_later_start_or_a_longer_time_never_ends_earlier(
    calendar: WorkingCalendar, one: datetime, other: datetime, short: timedelta, longer: timedelta
) -> None:
    early, late = sorted((one, other))
    short, longer = sorted((short, longer))
    assert add_working(early, short, calendar) <= add_working(late, short, calendar)
    assert add_working(early, short, calendar) <= add_working(early, longer, calendar)


@given(calendars, moments, durations)
def test_the_result_lies_in_working_time_and_as_far_away_as_asked(
    calendar: WorkingCalendar, start: datetime, duration: timedelta
) -> None:
    end = add_working(start, duration, calendar)
    assert end >= start
    assert any(begins <= end <= ends for begins, ends in _shifts_around(calendar, end))
    assert working_between(start, end, calendar) == duration


@given(calendars, moments, moments, moments)
def test_working_time_adds_up_over_neighbouring_stretches(
    calendar: WorkingCalendar, one: datetime, two: datetime, three: datetime
) -> None:
    first, second, third = sorted((one, two, three))
    parts = working_between(first, second, calendar) + working_between(second, third, calendar)
    assert parts == working_between(first, third, calendar)


def _shifts_around(calendar: WorkingCalendar, moment: datetime) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for begins, ends in calendar.shifts_from(moment - timedelta(days=2)):
        if begins > moment:
            return found
        found.append((begins, ends))
    return found

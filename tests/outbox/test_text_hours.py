"""Quiet hours are those of the place where the reader lives."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from outbox.texts.hours import TextHours

PARIS = "+33612345678"
NEW_YORK = "+12125550123"
HOURS = TextHours(begin=time(8), end=time(20))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "now", "until"),
    [
        (PARIS, "2026-11-23T09:00", "2026-11-23T09:00"),  # Monday, 10:00 there
        (PARIS, "2026-11-23T19:00", "2026-11-24T07:00"),  # 20:00 there
        (PARIS, "2026-11-21T19:30", "2026-11-23T07:00"),  # over Sunday
        (NEW_YORK, "2026-11-23T09:00", "2026-11-23T13:00"),  # 4:00 there
        (PARIS, "2026-10-24T23:00", "2026-10-26T07:00"),  # the clock goes back on Sunday
        ("not a number", "2026-11-23T03:00", "2026-11-23T08:00"),  # as in UTC
    ],
)
def test_a_message_waits_until_the_day_begins_there(number: str, now: str, until: str) -> None:
    assert HOURS.wait(number, at(now)) == (at(until) - at(now)).total_seconds()


def test_a_number_of_several_zones_waits_until_it_is_day_in_all_of_them() -> None:
    toll_free = "+18005550199"
    moment = at("2026-11-23T00:00")
    wait = HOURS.wait(toll_free, moment)
    assert HOURS.wait(toll_free, moment + timedelta(seconds=wait)) in (0, pytest.approx(0))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)), st.sampled_from([PARIS, NEW_YORK]))
def test_after_the_wait_nothing_has_to_wait(now: datetime, number: str) -> None:
    moment = now.replace(tzinfo=UTC)
    assert HOURS.wait(number, moment + timedelta(seconds=HOURS.wait(number, moment))) == 0


def test_hours_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(ValidationError, match="begin must be before end"):
        TextHours(begin=time(20), end=time(8))
    with pytest.raises(ValidationError, match="time zone"):
        TextHours(zone="Mars/Base")

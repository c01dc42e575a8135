"""Sliding windows: never more than the limit in any stretch of their length, and something left for letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox.limits import DAY, HOUR, MINUTE, DomainLimits, Window, grant


@given(
    limit=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 30), st.integers(0, 30)), max_size=60),
)
def test_in_no_stretch_of_a_minute_more_goes_out_than_allowed(
    limit: int, steps: list[tuple[float, int, int]]
) -> None:
    window, now, sent = Window(MINUTE, limit), 1_000_000.0, []
    for pause, letters, others in steps:
        now += pause
        granted = grant([window], letters, others, now)
        assert granted.letters <= letters
        assert granted.others <= others
        sent += [now] * (granted.letters + granted.others)
    for moment in sent:
        assert sum(moment - MINUTE < other <= moment for other in sent) <= limit


@given(limit=st.integers(1, 200), asked=st.integers(1, 300))
def test_what_is_refused_may_go_when_it_is_told_to_come_back(limit: int, asked: int) -> None:
    window = Window(MINUTE, limit)
    first = grant([window], asked, 0, 5000.0)
    assert first.letters == min(limit, asked)
    if first.letters < asked:
        assert 0 < first.letters_wait <= MINUTE * 1.04
        again = grant([window], asked, 0, 5000.0 + first.letters_wait + 0.001)
        assert again.letters > 0


def test_campaigns_leave_a_tenth_for_letters() -> None:
    window = Window(MINUTE, 100)
    first = grant([window], 0, 500, 0.0)
    assert first.others == 90
    assert first.others_wait > 0
    assert grant([window], 20, 0, 1.0).letters == 10


def test_the_narrowest_of_several_windows_decides() -> None:
    kept = [Window(MINUTE, 50), Window(HOUR, 60)]
    assert grant(kept, 100, 0, 0.0).letters == 50
    later = grant(kept, 100, 0, 120.0)
    assert later.letters == 10
    assert later.letters_wait > 3400


def test_places_that_are_given_back_can_be_taken_again() -> None:
    window = Window(MINUTE, 10)
    assert grant([window], 10, 0, 0.0).letters == 10
    grant([window], -4, 0, 1.0)
    assert grant([window], 10, 0, 2.0).letters == 4


def test_nothing_goes_where_nothing_is_allowed() -> None:
    granted = grant([Window(DAY, 0)], 5, 5, 0.0)
    assert (granted.letters, granted.others) == (0, 0)
    assert granted.letters_wait == DAY


def test_a_clock_that_goes_back_opens_nothing() -> None:
    window = Window(MINUTE, 5)
    grant([window], 5, 0, 600.0)
    assert grant([window], 5, 0, 300.0).letters == 0


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (DomainLimits(), ()),
        (DomainLimits(per_minute=5, per_day=9), ((MINUTE, 5), (DAY, 9))),
    ],
)
def test_only_limits_that_are_set_make_windows(
    limits: DomainLimits, expected: tuple[tuple[int, int], ...]
) -> None:
    assert limits.windows() == expected

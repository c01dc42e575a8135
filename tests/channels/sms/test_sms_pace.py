"""The sliding window and the rests, with times as arguments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.http.pace import Rest, Window

FOREVER = 1e9


def test_the_first_messages_leave_at_once_and_the_next_wait_for_the_window() -> None:
    window = Window(3)
    assert [window.reserve(10.0, FOREVER, 1) for _ in range(7)] == [10, 10, 10, 11, 11, 11, 12]


def test_a_slow_sender_has_one_place_in_some_seconds() -> None:
    window = Window(0.5)
    assert [window.reserve(0.0, FOREVER, 1) for _ in range(3)] == [0, 2, 4]


def test_a_message_of_more_parts_than_places_waits_until_all_have_one() -> None:
    window = Window(2)
    assert window.reserve(0.0, FOREVER, 5) == 2


def test_what_would_leave_too_late_takes_no_place() -> None:
    window = Window(1)
    assert window.reserve(0.0, 10.0, 1) == 0
    assert window.reserve(0.0, 0.5, 1) is None
    assert window.reserve(0.0, 10.0, 1) == 1


def test_it_tells_when_the_next_could_leave() -> None:
    window = Window(1)
    assert window.next_free(5.0) == 5
    window.reserve(5.0, FOREVER, 1)
    assert window.next_free(5.0) == 6


@given(
    st.floats(0.1, 50),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 6)), max_size=60),
)
def test_no_window_holds_more_than_the_rate(rate: float, arrivals: list[tuple[float, int]]) -> None:
    window, now = Window(rate), 0.0
    places = max(1, int(rate))
    span = places / rate
    left: list[float] = []
    for pause, parts in arrivals:
        now += pause
        when = window.reserve(now, FOREVER, parts)
        assert when is not None
        assert when >= now
        left += [when] * min(parts, places)  # those beyond have had their places in windows before
    assert left == sorted(left)
    for first, last in zip(left, left[2 * places :], strict=False):
        assert last - first >= span - 1e-6


def test_rests_double_until_a_message_is_taken() -> None:
    rest = Rest(longest=10)
    now = 0.0
    lengths = []
    for _ in range(6):
        rest.begin(now, None)
        lengths.append(rest.until - now)
        now = rest.until
    assert lengths == [1, 2, 4, 8, 10, 10]
    rest.end()
    rest.begin(now, None)
    assert rest.until - now == 1


def test_messages_refused_together_make_one_rest() -> None:
    rest = Rest(longest=60)
    for _ in range(20):
        rest.begin(100.0, None)
    assert rest.until == 101


def test_the_provider_s_wish_counts_up_to_the_longest_rest() -> None:
    rest = Rest(longest=60)
    rest.begin(0.0, 5.0)
    rest.begin(1.0, 2.0)
    assert rest.until == 5
    rest.begin(2.0, 3600.0)
    assert rest.until == 62

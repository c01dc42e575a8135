"""When to try again, and when to leave a server in peace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.messages import DeliveryState, Outcome
from outbox.backoff import Breaker, is_given_up, retry_delay
from outbox.settings import OutboxSettings

SETTINGS = OutboxSettings()


@given(attempt=st.integers(1, 10_000), luck=st.floats(0, 0.999))
def test_delays_grow_and_stay_within_their_limit(attempt: int, luck: float) -> None:
    delay = retry_delay(attempt, luck, SETTINGS)
    assert 0.8 * SETTINGS.retry_after <= delay <= 1.2 * SETTINGS.retry_limit
    assert delay <= retry_delay(attempt + 1, luck, SETTINGS)


def test_all_attempts_together_last_about_three_days() -> None:
    days = sum(retry_delay(attempt, 0.5, SETTINGS) for attempt in range(1, SETTINGS.max_attempts)) / 86_400
    assert 2.5 < days < 4


def test_only_what_is_deferred_is_given_up_and_only_at_the_last_attempt() -> None:
    def outcome(state: DeliveryState, attempt: int) -> Outcome:
        return Outcome(1, attempt, state)

    last = SETTINGS.max_attempts
    assert is_given_up(outcome(DeliveryState.DEFERRED, last), SETTINGS)
    assert not is_given_up(outcome(DeliveryState.DEFERRED, last - 1), SETTINGS)
    assert not is_given_up(outcome(DeliveryState.UNCERTAIN, last), SETTINGS)


def fail(breaker: Breaker, times: int, now: float, reason: str = "connection_failed") -> None:
    for _ in range(times):
        breaker.note(Outcome(1, 1, DeliveryState.DEFERRED, reason=reason), now)


def test_a_server_that_keeps_failing_gets_longer_and_longer_rests_with_a_probe_after_each() -> None:
    breaker = Breaker(60)
    fail(breaker, 9, 0)
    assert breaker.room(0) is None
    now, rests = 0.0, []
    for _ in range(9):
        fail(breaker, 1, now)
        rests.append(breaker.until - now)
        assert breaker.room(now) == 0
        now = breaker.until
        assert breaker.room(now) == 1
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(1, 1, DeliveryState.SENT),
        Outcome(1, 1, DeliveryState.REJECTED, reason="mailbox_unknown"),
        Outcome(1, 1, DeliveryState.DEFERRED, reason="greylisted"),
    ],
)
def test_an_answer_about_a_recipient_shows_that_the_server_is_back(outcome: Outcome) -> None:
    breaker = Breaker(60)
    fail(breaker, 20, 0)
    breaker.note(outcome, 2)
    assert breaker.room(2) is None


def test_our_own_interruptions_say_nothing_about_the_server() -> None:
    breaker = Breaker(60)
    fail(breaker, 100, 0, "interrupted")
    assert breaker.room(0) is None

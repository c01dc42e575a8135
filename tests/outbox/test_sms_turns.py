"""Turns of short messages: places in the rates of senders, counted in parts, shared by all processes, and rests."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.http.pace import Pace
from domain.clock import SystemClock
from domain.messages import DeliveryState, Outbound, Outcome
from outbox.queue import prepare
from outbox.settings import OutboxSettings
from outbox.texts.traffic import SmsTraffic
from outbox.texts.turns import ACCOUNT, Want, allot, rest, take_turns
from storage.pool import Connection, Pool
from tests.outbox.stock import events, states
from tests.outbox.test_sms_letters import send_all, text_to

A, B, SERVICE = "+33700000001", "+33700000002", "MG" + "a" * 32


def ten_a_second(key: str) -> float:
    return 10.0


def test_a_message_takes_as_many_places_as_it_has_parts() -> None:
    wants = [Want((A,), 3, 9), Want((A,), 1, 9), Want((A,), 1, 9)]
    turns = allot(wants, {A: 0.0}, {}, ten_a_second)
    assert [round(turn.seconds, 3) for turn in turns] == [0.0, 0.3, 0.4]


def test_one_without_patience_takes_no_place_and_learns_when_it_could() -> None:
    free = {A: 5.0}
    turns = allot([Want((A,), 1, 3), Want((A,), 1, 9)], free, {}, ten_a_second)
    assert [(turn.given, turn.seconds) for turn in turns] == [(False, 5.0), (True, 5.0)]
    assert free[A] == pytest.approx(5.1)


def test_a_message_of_a_service_by_a_number_keeps_to_both_rates() -> None:
    free = {SERVICE: 1.0, A: 2.0}
    (turn,) = allot([Want((SERVICE, A), 2, 9)], free, {}, ten_a_second)
    assert turn.seconds == 2.0
    assert free == {SERVICE: pytest.approx(2.2), A: pytest.approx(2.2)}


def test_during_a_rest_of_the_account_nobody_gets_a_turn_and_of_a_sender_only_others_do() -> None:
    wants = [Want((A,), 1, 3), Want((B,), 1, 3)]
    free = {A: 0.0, B: 0.0}
    assert [turn.given for turn in allot(wants, dict(free), {ACCOUNT: 5.0}, ten_a_second)] == [False, False]
    assert [turn.given for turn in allot(wants, dict(free), {A: 5.0}, ten_a_second)] == [False, True]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10), st.floats(0, 5)), max_size=60), st.floats(0.5, 100))
def test_never_more_parts_than_the_rate_begin_in_any_stretch(
    asked: list[tuple[int, float]], rate: float
) -> None:
    wants = [Want((A,), parts, patience) for parts, patience in asked]
    turns = allot(wants, {A: 0.0}, {}, lambda key: rate)
    starts = [(turn.seconds, want.parts) for turn, want in zip(turns, wants, strict=True) if turn.given]
    for first in range(len(starts)):
        parts = 0
        for moment, count in starts[first:]:
            # what began before a message left has had its time
            assert parts <= (moment - starts[first][0]) * rate + 1e-6
            parts += count


async def test_two_processes_share_the_places_of_a_sender(pool: Pool, database_url: str) -> None:
    async def ask(connection: Connection) -> list[float]:
        given: list[float] = []
        for _ in range(10):
            began = time.monotonic()
            turns = await take_turns(connection, [Want((A,), 2, 60)] * 5, ten_a_second)
            given += [began + turn.seconds for turn in turns.given]
        return given

    async with pool.acquire() as one, pool.acquire() as other:
        first, second = await asyncio.gather(ask(one), ask(other))
    places = sorted(first + second)
    gaps = [after - before for before, after in itertools.pairwise(places)]
    assert len(places) == 100
    assert min(gaps) > 0.1  # two parts take 0.2 seconds; the clocks of both are read some milliseconds apart


async def test_a_rest_is_known_to_all_and_never_made_shorter(pool: Pool) -> None:
    await rest(pool, ACCOUNT, 30)
    await rest(pool, ACCOUNT, 5)
    async with pool.acquire() as connection:
        turns = await take_turns(connection, [Want((A,), 1, 3)], ten_a_second)
    assert not turns.given[0].given
    assert 28 < turns.given[0].seconds <= 30
    assert 28 < turns.rests[ACCOUNT] <= 30


async def test_what_one_process_was_asked_to_rest_another_one_keeps_to(pool: Pool) -> None:
    told, other = Pace({}, 10, 30, 120), Pace({}, 10, 30, 120)
    told.rest(20)
    async with pool.acquire() as connection:
        await prepare(connection)
        await SmsTraffic(OutboxSettings(), SystemClock(), told).share(connection)
        turns = await take_turns(connection, [Want((A,), 1, 3)], ten_a_second)
        assert 18 < turns.rests[ACCOUNT] <= 20
    traffic = SmsTraffic(OutboxSettings(), SystemClock(), other)
    await text_to(pool)
    asked = await send_all(
        pool, lambda one: Outcome(one.key, one.attempt, DeliveryState.SENT), traffic=traffic
    )
    assert asked == []
    assert 17 < other.rests()[""] <= 20
    assert await pool.fetchval("SELECT reason FROM deliveries") == "sender_limited"


async def test_one_that_was_throttled_has_had_no_attempt_and_no_failure_is_told(pool: Pool) -> None:
    message_id = await text_to(pool)
    for _ in range(3):
        await send_all(
            pool, lambda one: Outcome(one.key, one.attempt, DeliveryState.DEFERRED, "429", "throttled")
        )
        row = await pool.fetchrow("SELECT state, attempt, reason FROM deliveries")
        assert row is not None
        assert tuple(row) == ("deferred", 0, "throttled")
        await pool.execute("UPDATE deliveries SET state = 'queued', not_before = now()")
        await pool.execute("UPDATE delivery_ranges SET ready_at = now()")
    attempts: list[int] = []

    def take(one: Outbound) -> Outcome:
        attempts.append(one.attempt)
        return Outcome(one.key, one.attempt, DeliveryState.SENT, provider_id="SM1")

    await send_all(pool, take)
    assert attempts == [1]
    assert await states(pool) == {"sent": 1}
    assert await events(pool) == {"Sent": 1}
    assert not await pool.fetchval("SELECT count(*) FROM delivery_attempts WHERE message_id = $1", message_id)

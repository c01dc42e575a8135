"""A worker that lost a claim and holds the message again is told apart from itself: nothing is handed over twice."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from domain.messages import DeliveryState, Outcome
from outbox import sender as sender_module
from outbox.queue import Claimed, Result, Step, claim, release, renew, settle_and_mark
from outbox.ranges import close, sweep
from outbox.window import Window
from storage.pool import Connection, Pool
from tests.outbox.stock import (
    BRISK,
    NOW,
    ObedientChannel,
    PlainComposer,
    events,
    make_sender,
    run_until,
    states,
    stock_campaign,
)

_EXPIRE = "UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE state = 'claimed'"
_EXPIRE_RANGES = (
    "UPDATE delivery_ranges SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL"
)


async def claim_rows(
    connection: Connection, worker: str, campaign_id: int, *, last: bool = False
) -> list[Claimed]:
    found = await claim(connection, worker, campaign_id, 60, last=last)
    return PlainComposer(campaign_id).compose(found[1], NOW) if found else []


async def expire_claims(pool: Pool) -> None:
    """Let every claim run out, as if the workers had slept, and sweep."""
    await pool.execute(_EXPIRE)
    await pool.execute(_EXPIRE_RANGES)
    await sweep(pool)


async def test_of_two_claims_of_a_message_by_one_worker_only_the_later_can_be_marked(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 1)
    async with pool.acquire() as connection:
        older = await claim_rows(connection, "w", campaign_id)
        await expire_claims(pool)
        newer = await claim_rows(connection, "w", campaign_id)
        assert (await settle_and_mark(connection, "w", [], older, 60, NOW)).marked == set()
        assert len((await settle_and_mark(connection, "w", [], newer, 60, NOW)).marked) == 1
        for repeated in (False, True):
            step = await settle_and_mark(connection, "w", [], older, 60, NOW, repeated=repeated)
            assert step.marked == set()


async def test_a_message_that_was_handed_over_is_not_marked_again_under_its_older_claim(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 1)
    async with pool.acquire() as connection:
        older = await claim_rows(connection, "w", campaign_id)
        await expire_claims(pool)
        newer = await claim_rows(connection, "w", campaign_id)
        await settle_and_mark(connection, "w", [], newer, 60, NOW)
        disowned = Result(
            Outcome(older[0].message_id, 1, DeliveryState.DEFERRED, reason="interrupted"),
            0.0,
            claim=older[0].claim,
        )
        assert (await settle_and_mark(connection, "w", [disowned], older, 60, NOW)) == Step(settled=0)
        assert await states(pool) == {"sending": 1}
        sent = Result(Outcome(newer[0].message_id, 1, DeliveryState.SENT, "250"))
        assert (await settle_and_mark(connection, "w", [sent], [], 60, NOW)).settled == 1


async def test_releasing_or_renewing_an_older_claim_leaves_the_newer_one_alone(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 1)
    async with pool.acquire() as connection:
        older = await claim_rows(connection, "w", campaign_id)
        await expire_claims(pool)
        newer = await claim_rows(connection, "w", campaign_id)
        await release(connection, "w", older)
        assert await renew(connection, "w", older, 60) == set()
        assert await states(pool) == {"claimed": 1}
        assert await renew(connection, "w", newer, 60) == {newer[0].message_id}
        await release(connection, "w", newer)
        assert await states(pool) == {"queued": 1}


def test_two_claims_of_one_message_never_travel_in_one_statement() -> None:
    older, newer = (Claimed(7, 0, number, 1, 1, "a@example.org", "mail") for number in (1, 2))
    for both in ([older, newer], [newer, older]):
        window = Window(10)
        assert window.begin(both).wanted == [newer]
        assert window.marking == 1
        window = Window(10)
        portions = [window.begin([row]) for row in both]
        for portion in portions:
            window.fail(portion)
        assert window.begin([]).wanted == [newer]
        assert window.marking == 1


async def test_a_slow_channel_gets_nothing_twice_while_claims_run_out_all_the_time(pool: Pool) -> None:
    await stock_campaign(pool, 60, size=5)
    settings = BRISK.model_copy(
        update={"window": 10, "claim_size": 10, "claim_lease": 30, "sending_lease": 30}
    )
    channel = ObedientChannel(delay=0.1)

    async def done() -> bool:
        await expire_claims(pool)
        return await states(pool) == {"sent": 60}

    await run_until(make_sender(pool, channel, settings), done, timeout=40)
    assert await pool.fetchval("SELECT max(claim) FROM deliveries") > 1
    assert Counter(message.key for message in channel.taken).most_common(1)[0][1] == 1
    assert await events(pool) == {"Sent": 60}


async def test_steps_that_get_no_answer_while_claims_run_out_lead_to_no_second_copy(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stock_campaign(pool, 80, size=20)
    settings = BRISK.model_copy(
        update={"window": 10, "claim_size": 40, "claim_lease": 30, "sending_lease": 30}
    )
    turns = 0

    async def answer_sometimes(*args: object, **options: object) -> Step:
        nonlocal turns
        turns += 1
        if turns % 9 == 1:
            await expire_claims(pool)
            raise TimeoutError("lost on the way there")
        step = await settle_and_mark(*args, **options)  # type: ignore[arg-type]
        if turns % 9 == 4:
            raise TimeoutError("lost on the way back")
        return step

    monkeypatch.setattr(sender_module, "settle_and_mark", answer_sometimes)
    channel = ObedientChannel(delay=0.01)

    async def done() -> bool:
        await expire_claims(pool)
        return not {"queued", "claimed", "sending", "deferred"} & (await states(pool)).keys()

    await run_until(make_sender(pool, channel, settings), done, timeout=60)
    assert Counter(message.key for message in channel.taken).most_common(1)[0][1] == 1
    assert await states(pool) == {"sent": 80}


async def test_claims_that_wait_behind_a_slow_channel_are_renewed(pool: Pool) -> None:
    await stock_campaign(pool, 60, size=60)
    settings = BRISK.model_copy(update={"window": 4, "claim_size": 60, "claim_lease": 0.6})
    channel = ObedientChannel(delay=0.2)

    async def done() -> bool:
        await sweep(pool)
        return await states(pool) == {"sent": 60}

    await run_until(make_sender(pool, channel, settings), done)
    assert len(channel.taken) == 60
    assert await pool.fetchval("SELECT max(claim) FROM deliveries") == 1


async def test_a_step_that_breaks_loses_no_result_and_no_place_in_the_window(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stock_campaign(pool, 200)
    settings = BRISK.model_copy(update={"window": 20})
    turns = 0

    async def break_sometimes(*args: object, **options: object) -> Step:
        nonlocal turns
        turns += 1
        if turns % 4 == 2:
            raise ValueError("nobody thought of this")
        return await settle_and_mark(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sender_module, "settle_and_mark", break_sometimes)
    channel = ObedientChannel(delay=0.01)
    most = 0

    async def done() -> bool:
        nonlocal most
        counts = await states(pool)
        most = max(most, counts.get("sending", 0))
        return counts == {"sent": 200}

    await run_until(make_sender(pool, channel, settings), done)
    assert len(channel.taken) == 200
    assert most <= 20


async def test_a_message_that_is_due_again_does_not_wait_for_a_long_queue(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 40, size=2)
    async with pool.acquire() as connection:
        rows = await claim_rows(connection, "w", campaign_id)
        await settle_and_mark(connection, "w", [], rows, 60, NOW)
        later = [
            Result(Outcome(row.message_id, 1, DeliveryState.DEFERRED, "451", "greylisted"), 0.05)
            for row in rows
        ]
        await settle_and_mark(connection, "w", later, [], 60, NOW)
        await close(pool, [min(row.message_id for row in rows)])
        await asyncio.sleep(0.1)
        fresh = await claim_rows(connection, "w", campaign_id)
        again = await claim_rows(connection, "w", campaign_id, last=True)
    assert {row.attempt for row in fresh} == {0}
    assert {row.message_id for row in again} == {row.message_id for row in rows}


async def test_sweeping_waits_for_no_row_and_comes_back_for_it(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 3)
    async with pool.acquire() as connection, pool.acquire() as holder:
        rows = await claim_rows(connection, "w", campaign_id)
        await pool.execute(_EXPIRE)
        await pool.execute(_EXPIRE_RANGES)
        async with holder.transaction():
            await holder.execute(
                "SELECT FROM deliveries WHERE message_id = $1 FOR UPDATE", rows[1].message_id
            )
            assert await asyncio.wait_for(sweep(pool), 5) == (2, 0)
        assert await sweep(pool) == (1, 0)

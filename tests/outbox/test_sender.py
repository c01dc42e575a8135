"""The sending loop against a real database and a channel that does as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from campaigns import control
from domain.clock import SystemClock
from domain.messages import DELIVERY_MOVES, DeliveryState, Mover, Outbound, Outcome
from outbox.queue import Claimed
from outbox.ranges import sweep
from outbox.sender import Sender
from storage.announce import Announcer
from storage.pool import Pool
from tests.outbox.stock import (
    BRISK,
    ObedientChannel,
    PlainComposer,
    accept,
    events,
    make_sender,
    run_until,
    states,
    stock_campaign,
)


async def test_every_row_is_sent_once_and_told(pool: Pool) -> None:
    await stock_campaign(pool, 1500)
    channel = ObedientChannel()

    async def done() -> bool:
        return await states(pool) == {"sent": 1500}

    await run_until(make_sender(pool, channel), done)
    assert len(channel.taken) == len({message.key for message in channel.taken}) == 1500
    assert await events(pool) == {"Sent": 1500}
    assert (await control.complete_finished(pool)) != []


async def test_never_more_than_the_window_are_marked_and_unsettled(pool: Pool) -> None:
    await stock_campaign(pool, 900)
    settings = BRISK.model_copy(update={"window": 40, "claim_size": 100})
    most = 0

    async def done() -> bool:
        nonlocal most
        counts = await states(pool)
        most = max(most, counts.get("sending", 0))
        return counts == {"sent": 900}

    await run_until(make_sender(pool, ObedientChannel(delay=0.01), settings), done)
    assert 0 < most <= 40


async def test_every_move_that_was_made_stands_in_the_table(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 300)
    await pool.execute(
        "CREATE TABLE moves (old text, new text);"
        "CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO moves VALUES (old.state, new.state); RETURN NULL; END $$;"
        "CREATE TRIGGER moved AFTER UPDATE ON deliveries FOR EACH ROW WHEN (old.state <> new.state)"
        " EXECUTE FUNCTION note_move()"
    )
    low = await pool.fetchval("SELECT min(message_id) FROM deliveries")
    kinds = [
        DeliveryState.SENT,
        DeliveryState.DEFERRED,
        DeliveryState.REJECTED,
        DeliveryState.UNCERTAIN,
    ]

    def decide(message: Outbound) -> Outcome:
        return Outcome(message.key, message.attempt, kinds[(message.key - low) % 4], "words", "policy")

    async def done() -> bool:
        counts = await states(pool)
        return not {"queued", "claimed", "sending"} & counts.keys()

    await run_until(make_sender(pool, ObedientChannel(decide)), done)
    await control.cancel(pool, campaign_id)
    moves = {(row["old"], row["new"]) for row in await pool.fetch("SELECT DISTINCT old, new FROM moves")}
    assert ("sending", "deferred") in moves
    assert ("deferred", "cancelled") in moves
    for old, new in moves:
        movers = DELIVERY_MOVES[DeliveryState(old), DeliveryState(new)]
        assert movers & {Mover.SENDER, Mover.PERSON}


async def test_a_message_that_cannot_be_composed_is_rejected_and_the_others_go_out(pool: Pool) -> None:
    await stock_campaign(pool, 50)
    contact_id = await pool.fetchval("SELECT min(contact_id) FROM deliveries")
    sender = make_sender(pool, ObedientChannel(), refused=frozenset({contact_id}))

    async def done() -> bool:
        return await states(pool) == {"sent": 49, "rejected": 1}

    await run_until(sender, done)
    assert await pool.fetchval("SELECT reason FROM deliveries WHERE state = 'rejected'") == "content_invalid"


async def test_a_refusal_for_now_is_tried_again_and_given_up_in_the_end(pool: Pool) -> None:
    await stock_campaign(pool, 5)
    settings = BRISK.model_copy(update={"retry_after": 0.05, "max_attempts": 3})

    def refuse(message: Outbound) -> Outcome:
        return Outcome(message.key, message.attempt, DeliveryState.DEFERRED, "451 later", "greylisted")

    channel = ObedientChannel(refuse)

    async def done() -> bool:
        return await states(pool) == {"rejected": 5}

    await run_until(make_sender(pool, channel, settings), done)
    assert sorted(message.attempt for message in channel.taken) == [1] * 5 + [2] * 5 + [3] * 5
    assert await events(pool) == {"Deferred": 10, "Failed": 5}


async def test_a_server_that_is_away_defers_a_handful_and_not_the_campaign(pool: Pool) -> None:
    await stock_campaign(pool, 1000)
    settings = BRISK.model_copy(update={"window": 20, "retry_after": 0.05})
    away = True

    def decide(message: Outbound) -> Outcome:
        if away:
            return Outcome(message.key, message.attempt, DeliveryState.DEFERRED, "", "connection_failed")
        return accept(message)

    channel = ObedientChannel(decide)

    async def deferred() -> bool:
        await asyncio.sleep(2)
        return True

    await run_until(make_sender(pool, channel, settings), deferred)
    assert len(channel.taken) <= 60
    away = False

    async def done() -> bool:
        return await states(pool) == {"sent": 1000}

    await run_until(make_sender(pool, channel, settings), done)


async def test_a_stopped_sender_releases_what_it_holds_and_settles_what_is_under_way(pool: Pool) -> None:
    await stock_campaign(pool, 800)
    channel = ObedientChannel(delay=0.2)

    async def begun() -> bool:
        return bool(channel.taken)

    await run_until(make_sender(pool, channel), begun)
    counts = await states(pool)
    assert counts.keys() == {"queued", "sent"}
    assert counts["sent"] == len(channel.taken)


async def test_a_stop_is_bounded_even_when_the_channel_hangs(pool: Pool) -> None:
    await stock_campaign(pool, 30)
    channel = ObedientChannel(lambda message: None)

    async def begun() -> bool:
        return bool(channel.taken)

    began = time.monotonic()
    await run_until(make_sender(pool, channel, BRISK.model_copy(update={"stop_grace": 0.5})), begun)
    assert time.monotonic() - began < 5
    assert await states(pool) == {"uncertain": 30}


async def test_messages_are_withdrawn_from_the_channel_before_their_lease_is_over(pool: Pool) -> None:
    await stock_campaign(pool, 10)
    settings = BRISK.model_copy(update={"claim_lease": 1.0, "sending_lease": 1.0, "lease_margin": 0.5})
    channel = ObedientChannel(lambda message: None)

    async def done() -> bool:
        return (await states(pool)).get("uncertain") == 10

    await run_until(make_sender(pool, channel, settings), done)
    assert await pool.fetchval("SELECT DISTINCT reason FROM deliveries") == "interrupted"
    assert await sweep(pool) == (0, 0)


async def test_a_rate_is_kept(pool: Pool) -> None:
    await stock_campaign(pool, 150, rate=100)
    channel = ObedientChannel()

    async def done() -> bool:
        return await states(pool) == {"sent": 150}

    began = time.monotonic()
    await run_until(make_sender(pool, channel), done)
    assert 1.0 < time.monotonic() - began < 4


async def test_a_slow_campaign_does_not_hold_up_another(pool: Pool) -> None:
    slow = await stock_campaign(pool, 500, name="Slow", rate=5)
    quick = await stock_campaign(pool, 500, name="Quick")

    async def done() -> bool:
        count = "SELECT count(*) FROM deliveries WHERE campaign_id = $1 AND state = 'sent'"
        return bool(await pool.fetchval(count, quick) == 500)

    await run_until(make_sender(pool, ObedientChannel()), done, timeout=10)
    assert await pool.fetchval(
        "SELECT count(*) < 60 FROM deliveries WHERE campaign_id = $1 AND state = 'sent'", slow
    )


@pytest.mark.parametrize("moment", [0.05, 0.2])
async def test_after_a_pause_nothing_is_marked_and_a_resume_finishes(pool: Pool, moment: float) -> None:
    campaign_id = await stock_campaign(pool, 3000)
    channel = ObedientChannel(delay=0.01)
    stop = asyncio.Event()
    running = asyncio.create_task(make_sender(pool, channel).run(stop))
    await asyncio.sleep(moment)
    await control.pause(pool, campaign_id)
    marked = await pool.fetchval("SELECT count(*) FROM deliveries WHERE attempt > 0")
    for _ in range(20):
        await asyncio.sleep(0.02)
        assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE attempt > 0") == marked
    await control.resume(pool, campaign_id)
    async with asyncio.timeout(20):
        while True:
            if await states(pool) == {"sent": 3000}:
                break
            await asyncio.sleep(0.05)
    stop.set()
    await running
    assert len(channel.taken) == 3000


async def test_the_sender_survives_losing_its_connections_at_any_moment(pool: Pool) -> None:
    await stock_campaign(pool, 4000)
    channel = ObedientChannel(delay=0.005)
    stop = asyncio.Event()
    settings = BRISK.model_copy(update={"claim_lease": 1.0})
    running = asyncio.create_task(make_sender(pool, channel, settings).run(stop))
    for _ in range(8):
        await asyncio.sleep(0.15)
        await pool.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                         " AND pid <> pg_backend_pid()")  # fmt: skip
        await sweep(pool)
    async with asyncio.timeout(30):
        while await states(pool) != {"sent": 4000}:
            await sweep(pool)
            await asyncio.sleep(0.1)
    stop.set()
    await running
    assert len(channel.taken) == len({message.key for message in channel.taken}) == 4000
    assert await events(pool) == {"Sent": 4000}


async def test_what_takes_long_to_compose_leaves_the_wire_its_turn(pool: Pool) -> None:
    sizes: list[int] = []

    class SlowComposer(PlainComposer):
        def compose(self, rows: Sequence[Any], now: datetime) -> list[Claimed]:
            sizes.append(len(rows))
            time.sleep(0.002 * len(rows))  # as signatures do
            return super().compose(rows, now)

    async def make_composer(campaign: Any) -> PlainComposer:
        return SlowComposer(campaign["id"])

    async def done() -> bool:
        return await states(pool) == {"sent": 100}

    await stock_campaign(pool, 100)
    sender = Sender(pool, ObedientChannel(), make_composer, BRISK, SystemClock(), Announcer(pool))
    await run_until(sender, done)
    assert sum(sizes) == 100
    assert max(sizes) <= 5

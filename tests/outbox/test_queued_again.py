"""An unconfirmed message is queued again by a person, and by nobody else."""

from __future__ import annotations

import pytest

from campaigns import control
from domain.errors import Conflict, NotFound
from domain.messages import DeliveryState, Outbound, Outcome
from outbox.unconfirmed import queue_again
from storage.pool import Pool
from tests.outbox.stock import ObedientChannel, accept, make_sender, run_until, states, stock_campaign


async def make_uncertain(pool: Pool, count: int) -> tuple[int, list[int]]:
    """A campaign that is done, all of whose messages are unconfirmed; gives its id and theirs."""
    campaign_id = await stock_campaign(pool, count)

    def lose(message: Outbound) -> Outcome:
        return Outcome(message.key, message.attempt, DeliveryState.UNCERTAIN, reason="connection_lost")

    async def done() -> bool:
        return await states(pool) == {"uncertain": count} and bool(await control.complete_finished(pool))

    await run_until(make_sender(pool, ObedientChannel(lose)), done)
    rows = await pool.fetch("SELECT message_id FROM deliveries ORDER BY message_id")
    return campaign_id, [row["message_id"] for row in rows]


async def test_what_a_person_queues_again_is_sent_and_the_campaign_is_done_again(pool: Pool) -> None:
    campaign_id, (first, second, third) = await make_uncertain(pool, 3)
    await queue_again(pool, second)
    await queue_again(pool, first)
    channel = ObedientChannel(accept)

    async def done() -> bool:
        return await control.complete_finished(pool) == [campaign_id]

    await run_until(make_sender(pool, channel), done)
    assert {(message.key, message.attempt) for message in channel.taken} == {(first, 2), (second, 2)}
    assert await states(pool) == {"sent": 2, "uncertain": 1}
    assert await pool.fetchval("SELECT state FROM deliveries WHERE message_id = $1", third) == "uncertain"


async def test_nothing_of_a_cancelled_campaign_is_queued_again(pool: Pool) -> None:
    campaign_id, (first,) = await make_uncertain(pool, 1)
    await pool.execute("UPDATE campaigns SET state = 'cancelled' WHERE id = $1", campaign_id)
    with pytest.raises(Conflict):
        await queue_again(pool, first)
    assert await states(pool) == {"uncertain": 1}


async def test_what_is_settled_or_unknown_is_not_queued_again(pool: Pool) -> None:
    _, (first,) = await make_uncertain(pool, 1)
    await queue_again(pool, first)
    with pytest.raises(Conflict):
        await queue_again(pool, first)
    with pytest.raises(NotFound):
        await queue_again(pool, first + 1)

"""Unconfirmed deliveries are shown, and settled once by whoever may; suppressed addresses get nothing."""

from __future__ import annotations

import pytest

from campaigns.report import load_report
from domain.clock import FixedClock
from domain.contacts import IdentityKind
from domain.errors import Conflict, NotFound
from domain.messages import DeliveryState, Mover
from outbox.suppression import lift, suppress
from outbox.unconfirmed import list_unconfirmed, settle_unconfirmed
from storage.pool import Pool
from tests.outbox.stock import NOW, ObedientChannel, events, make_sender, run_until, states, stock_campaign

CLOCK = FixedClock(NOW)


async def lose_sight(pool: Pool, count: int) -> int:
    """A campaign whose rows are all unconfirmed."""
    campaign_id = await stock_campaign(pool, count)
    await pool.execute(
        "UPDATE deliveries SET state = 'uncertain', reason = 'lease_expired', settled_at = now(), worker = 'dead'"
    )
    await pool.execute("DELETE FROM delivery_ranges")
    return campaign_id


async def test_unconfirmed_deliveries_are_listed_and_settled_with_their_event(pool: Pool) -> None:
    campaign_id = await lose_sight(pool, 3)
    first, second, third = [row.message_id for row in await list_unconfirmed(pool, campaign_id)]
    assert [row.message_id for row in await list_unconfirmed(pool, campaign_id, after=first)] == [
        second,
        third,
    ]
    await settle_unconfirmed(pool, first, DeliveryState.SENT, Mover.CALLBACK, CLOCK)
    await settle_unconfirmed(
        pool, second, DeliveryState.REJECTED, Mover.PERSON, CLOCK, reason="mailbox_unknown"
    )
    assert [row.message_id for row in await list_unconfirmed(pool, campaign_id)] == [third]
    assert await events(pool) == {"Sent": 1, "Rejected": 1}
    report = await load_report(pool, campaign_id)
    counted = {state: count for state, count in report.deliveries.items() if count}
    assert counted == {DeliveryState.SENT: 1, DeliveryState.REJECTED: 1, DeliveryState.UNCERTAIN: 1}


async def test_what_is_settled_cannot_be_settled_again_nor_by_the_wrong_mover(pool: Pool) -> None:
    campaign_id = await lose_sight(pool, 1)
    (row,) = await list_unconfirmed(pool, campaign_id)
    for state, mover in (
        (DeliveryState.SENT, Mover.SENDER),
        (DeliveryState.SENT, Mover.SWEEPER),
        (DeliveryState.QUEUED, Mover.CALLBACK),
    ):
        with pytest.raises(Conflict):
            await settle_unconfirmed(pool, row.message_id, state, mover, CLOCK)
    await settle_unconfirmed(pool, row.message_id, DeliveryState.SENT, Mover.PERSON, CLOCK)
    with pytest.raises(Conflict):
        await settle_unconfirmed(pool, row.message_id, DeliveryState.REJECTED, Mover.CALLBACK, CLOCK)
    with pytest.raises(NotFound):
        await settle_unconfirmed(pool, 4711, DeliveryState.SENT, Mover.PERSON, CLOCK)
    assert await events(pool) == {"Sent": 1}


async def test_nothing_goes_to_an_address_on_the_list(pool: Pool) -> None:
    await stock_campaign(pool, 3)
    one, other = [row["address"] for row in await pool.fetch("SELECT address FROM deliveries LIMIT 2")]
    assert await suppress(pool, IdentityKind.MAIL, one, "complaint", "feedback loop")
    assert not await suppress(pool, IdentityKind.MAIL, one, "complaint", "feedback loop")
    assert await suppress(pool, IdentityKind.MAIL, other, "asked", "phone call")
    assert await lift(pool, IdentityKind.MAIL, other)
    assert not await lift(pool, IdentityKind.MAIL, other)
    channel = ObedientChannel()

    async def done() -> bool:
        return await states(pool) == {"sent": 2, "rejected": 1}

    await run_until(make_sender(pool, channel), done)
    assert one not in {message.recipient for message in channel.taken}

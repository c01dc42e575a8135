"""A launch writes to whom and what was checked, a cancellation holds at once."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from campaigns import control
from campaigns.drafts import CampaignInput, update_campaign
from campaigns.launch import launch, launch_due, request_launch
from domain.clock import SystemClock
from domain.errors import Conflict
from domain.tokens import TokenKeys
from outbox.composing import MailKitchen
from outbox.ranges import withdraw_rest
from outbox.settings import OutboxSettings
from storage.pool import Pool
from templates.plan import Plan
from tests.outbox.stock import states, stock_campaign

KEYS = TokenKeys({1: bytes(range(32))})
CLOCK = SystemClock()
SOURCE = {
    "subject": "News",
    "from_address": "news@example.org",
    "html": "<html><body><p>Hello, <a href='https://www.example.org/a'>read</a></p>"
    "<p><a href='{{ links.unsubscribe }}'>Unsubscribe</a></p></body></html>",
}


class Kitchen(MailKitchen):
    """Does something between the look at a draft and the launch."""

    def __init__(self, then: Any = None) -> None:
        super().__init__(KEYS, "https://news.example.org", OutboxSettings())
        self.then = then

    async def plan(self, source: Any, context: Any) -> Plan:
        plan = await super().plan(source, context)
        if self.then is not None:
            await self.then(context.name)
        return plan


async def make_draft(pool: Pool, name: str = "News") -> int:
    """A draft that can be launched, to one person."""
    await pool.execute(
        "WITH p AS (INSERT INTO contacts (name) VALUES ($1) RETURNING id),"
        " i AS (INSERT INTO identities (contact_id, kind, address, given)"
        "   SELECT id, 'mail', 'p' || id || '@example.net', 'p' || id || '@example.net' FROM p)"
        " INSERT INTO consents (contact_id, purpose, state, since) SELECT id, 'newsletter', 'granted', now() FROM p",
        name,
    )
    campaign_id: int = await pool.fetchval(
        "WITH s AS (INSERT INTO segments (name, condition) VALUES ($1, $2) RETURNING id)"
        " INSERT INTO campaigns (name, segment_id, source) SELECT $1, id, $3 FROM s RETURNING id",
        name,
        {"all": []},
        SOURCE,
    )
    return campaign_id


@pytest.mark.parametrize("start", [launch, request_launch])
async def test_a_draft_that_changes_while_it_is_looked_at_is_not_launched(pool: Pool, start: Any) -> None:
    campaign_id = await make_draft(pool)

    async def change(_: str) -> None:
        async with pool.acquire() as connection:
            changed = CampaignInput(source={**SOURCE, "subject": "Other news"})
            await update_campaign(connection, campaign_id, changed)

    with pytest.raises(Conflict, match="changed in the meantime"):
        await start(pool, campaign_id, Kitchen(change), CLOCK)
    assert await states(pool) == {}
    assert await pool.fetchval("SELECT state FROM campaigns WHERE launch_at IS NULL") == "draft"


async def test_a_launch_that_was_called_off_does_not_happen(pool: Pool) -> None:
    campaign_id = await make_draft(pool)
    await request_launch(pool, campaign_id, Kitchen(), CLOCK)

    async def call_off(_: str) -> None:
        await pool.execute("UPDATE campaigns SET launch_at = NULL")

    assert await launch_due(pool, Kitchen(call_off), CLOCK) == []
    assert await states(pool) == {}


async def test_a_launch_that_breaks_is_noted_and_holds_up_no_other(pool: Pool) -> None:
    ids = [await make_draft(pool, name) for name in ("Broken", "Whole")]
    for campaign_id in ids:
        await request_launch(pool, campaign_id, Kitchen(), CLOCK)

    async def break_one(name: str) -> None:
        if name == "Broken":
            raise RuntimeError("nobody thought of this")

    assert await launch_due(pool, Kitchen(break_one), CLOCK) == [ids[1]]
    row = await pool.fetchrow("SELECT state, launch_at, launch_error FROM campaigns WHERE id = $1", ids[0])
    assert row is not None
    assert (row["state"], row["launch_at"]) == ("draft", None)
    assert "nobody thought of this" in row["launch_error"]


async def test_a_cancellation_holds_although_withdrawing_fails_and_a_worker_does_the_rest(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = await stock_campaign(pool, 100, size=2)

    async def fail(*_: object) -> None:
        raise asyncpg.DeadlockDetectedError("again")

    monkeypatch.setattr(control, "withdraw", fail)
    await control.cancel(pool, campaign_id)
    assert await pool.fetchval("SELECT state FROM campaigns") == "cancelled"
    assert await states(pool) == {"queued": 100}
    while await withdraw_rest(pool):
        pass
    assert await states(pool) == {"cancelled": 100}
    assert await pool.fetchval("SELECT count(*) FROM delivery_ranges") == 0

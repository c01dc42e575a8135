"""Events are appended once, whole groups in one statement, with the router's rows beside them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from domain.events import EventType, NewEvent
from storage.announce import Announcer, Bell
from storage.event_store import read_event, record
from storage.pool import Pool
from storage.unit_of_work import unit_of_work

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def opened(contact_id: int, key: str | None = None) -> NewEvent:
    return NewEvent(EventType.OPENED, NOW, contact_id=contact_id, data={"link_no": contact_id}, key=key)


async def test_a_recorded_event_reads_back_as_it_was(pool: Pool) -> None:
    async with pool.acquire() as connection:
        [event_id] = await record(connection, [opened(7)])
        event = read_event(await connection.fetchrow("SELECT * FROM events WHERE id = $1", event_id))
    assert (event.type, event.occurred_at, event.contact_id, event.data) == (
        EventType.OPENED,
        NOW,
        7,
        {"link_no": 7},
    )


async def test_a_key_is_recorded_once_across_groups_and_within_one(pool: Pool) -> None:
    async with pool.acquire() as connection:
        first = await record(connection, [opened(1, "a"), opened(1, "a"), opened(2)])
        second = await record(connection, [opened(1, "a"), opened(3, "b")])
        count = await connection.fetchval("SELECT count(*) FROM events")
    assert [event_id is None for event_id in first] == [False, True, False]
    assert [event_id is None for event_id in second] == [True, False]
    assert count == 3


async def test_only_types_that_a_rule_looks_at_wait_for_the_router_in_their_contacts_lane(pool: Pool) -> None:
    await pool.execute("INSERT INTO router_interests VALUES ('Opened')")
    async with pool.acquire() as connection:
        await record(connection, [opened(33), NewEvent(EventType.SENT, NOW, contact_id=33)])
        pending = await connection.fetch("SELECT lane FROM pending_events")
    assert [row["lane"] for row in pending] == [1]


async def test_work_that_fails_leaves_neither_rows_nor_events(pool: Pool) -> None:
    async def work_until_the_power_is_cut() -> None:
        async with unit_of_work(pool) as work:
            await work.connection.execute("INSERT INTO contacts (name) VALUES ('Claire')")
            work.tell(opened(1))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await work_until_the_power_is_cut()
    assert await pool.fetchval("SELECT (SELECT count(*) FROM contacts) + (SELECT count(*) FROM events)") == 0


async def test_announcements_are_heard_once_per_interval_and_after_the_commit(
    pool: Pool, database_url: str
) -> None:
    bell = Bell(database_url)
    bell.start()
    async with bell.subscribed() as rung:
        await asyncio.wait_for(rung.wait(), 5)  # rings when it has begun to listen
        rung.clear()
        announcer = Announcer(pool, interval=0.01)
        async with unit_of_work(pool, announcer) as work:
            work.tell(opened(1))
            assert not rung.is_set()
        await asyncio.wait_for(rung.wait(), 5)
        await announcer.close()
    await bell.close()

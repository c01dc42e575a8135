"""Who made a rule act is told to those who may know: what is confidential in a queue stays so on the rule's page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Pool
from tests.web.house import House
from tests.web.test_conversation_pages import enter
from tests.web.world import World, build_world


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation."""
    return await build_world(pool)


async def _run(pool: Pool, world: World, contact: int, *, event: int = 0, task: int | None = None) -> None:
    await pool.execute(
        "INSERT INTO rule_runs (rule_id, contact_id, event_id, task_id, result) VALUES ($1, $2, $3, $4, 'acted')",
        world.rule, contact, event, task,
    )  # fmt: skip


async def test_mail_of_a_confidential_queue_shows_nobody_on_the_rule_s_page(
    house: House, pool: Pool, world: World
) -> None:
    team = await house.team("Personnel")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    number = await pool.fetchval(
        "INSERT INTO conversations (subject, queue_id) VALUES ('I resign', $1) RETURNING id", queue
    )
    contact = await house.contact("Renée Quitte")
    async with pool.acquire() as connection:
        told = NewEvent(EventType.RECEIVED, datetime.now(UTC), contact, conversation_id=number)
        (event,) = await record(connection, [told])
    assert event is not None
    await _run(pool, world, contact, event=event)
    marketer = await enter(house, "marketer")
    assert "Renée Quitte" not in (await marketer.get(f"/rules/{world.rule}")).text
    runs = (await marketer.call("GET", f"/rules/{world.rule}/runs"))[1]["items"]
    assert contact not in [run["contact_id"] for run in runs]
    await pool.execute(
        "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)", team, world.users["manager"]
    )
    assert "Renée Quitte" in (await (await enter(house, "manager")).get(f"/rules/{world.rule}")).text


async def test_an_interview_shows_nobody_on_the_rule_s_page(house: House, pool: Pool, world: World) -> None:
    contact = await house.contact("Renée Quitte")
    task = await house.task(contact, kind="interview", assignee_id=world.users["manager"])
    await _run(pool, world, contact, task=task)
    chief = await enter(house, "administrator")
    assert "Renée Quitte" not in (await chief.get(f"/rules/{world.rule}")).text
    assert "Renée Quitte" in (await (await enter(house, "manager")).get(f"/rules/{world.rule}")).text

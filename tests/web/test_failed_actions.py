"""What rules could not do: listed for those who may know, tried again, given up. And pauses of marketing, lifted by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from storage.pool import Pool
from tests.web.house import House
from tests.web.test_conversation_pages import enter
from tests.web.world import World, build_world


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation."""
    return await build_world(pool)


async def fail(
    pool: Pool, world: World, contact: int, trouble: str = "The receiver answered 500", **facts: Any
) -> int:
    """An action that failed for good, with its line in the rule's log."""
    event = await pool.fetchval("SELECT count(*) + 1000 FROM rule_deeds")
    await pool.execute(
        "INSERT INTO rule_runs (rule_id, event_id, contact_id, result, deeds) VALUES ($1, $2, $3, 'acted', $4)",
        world.rule,
        event,
        contact,
        [{"action": "webhook", "state": "failed", "reason": trouble}],
    )
    id: int = await pool.fetchval(
        "INSERT INTO rule_deeds (key, rule_id, event_id, event_recorded_at, number, action, contact_id, conversation_id,"
        " state, attempts, due_at, payload, trouble) VALUES ($1, $2, $3, now(), 0, 'webhook', $4, $5, 'failed', 5, now(),"
        ' \'{"url": "x"}\', $6) RETURNING id',
        f"k{event}",
        world.rule,
        event,
        contact,
        facts.get("conversation_id"),
        trouble,
    )
    return id


async def log(pool: Pool) -> Any:
    return (
        await pool.fetchval("SELECT deeds FROM rule_runs WHERE deeds IS NOT NULL ORDER BY id DESC LIMIT 1")
    )[0]


async def test_a_manager_tries_a_failed_action_again_from_the_page(
    house: House, pool: Pool, world: World
) -> None:
    contact = await house.contact("Renée Quitte")
    number = await fail(pool, world, contact)
    manager = await enter(house, "manager")
    page = await manager.get("/failed-actions")
    assert "Renée Quitte" in page.text
    assert "The receiver answered 500" in page.text
    await manager.post(f"/failed-actions/{number}/again", {})
    row = await pool.fetchrow(
        "SELECT state, attempts, due_at <= now() AS due FROM rule_deeds WHERE id = $1", number
    )
    assert row is not None
    assert tuple(row) == ("due", 0, True)
    assert (await log(pool))["state"] == "under way"
    assert "Nothing failed" in (await manager.get("/failed-actions")).text


async def test_a_failed_action_is_given_up_through_the_api_and_the_log_says_by_whom(
    house: House, pool: Pool, world: World
) -> None:
    first = await fail(pool, world, await house.contact("A"))
    second = await fail(pool, world, await house.contact("B"))
    manager = await enter(house, "manager")
    status, page = await manager.call("GET", "/failed-actions?limit=1")
    assert status == 200
    assert [one["id"] for one in page["items"]] == [second]
    _, rest = await manager.call("GET", f"/failed-actions?limit=1&after={page['next']}")
    assert [one["id"] for one in rest["items"]] == [first]
    assert (await manager.call("POST", f"/failed-actions/{second}/give-up"))[0] == 204
    assert await pool.fetchval("SELECT state FROM rule_deeds WHERE id = $1", second) == "given_up"
    told = await log(pool)
    assert told["state"] == "given up"
    assert told["reason"].startswith("by ")
    assert (await manager.call("POST", f"/failed-actions/{second}/again"))[0] == 404


async def test_what_failed_about_a_confidential_conversation_is_shown_to_its_people_only(
    house: House, pool: Pool, world: World
) -> None:
    team = await house.team("Personnel")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    talk = await pool.fetchval("INSERT INTO conversations (queue_id) VALUES ($1) RETURNING id", queue)
    number = await fail(pool, world, await house.contact("Renée Quitte"), conversation_id=talk)
    manager = await enter(house, "manager")
    assert "Renée Quitte" not in (await manager.get("/failed-actions")).text
    assert (await manager.call("POST", f"/failed-actions/{number}/again"))[0] == 404
    await pool.execute(
        "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)", team, world.users["manager"]
    )
    assert "Renée Quitte" in (await (await enter(house, "manager")).get("/failed-actions")).text


async def test_a_contact_s_page_shows_a_pause_of_marketing_and_people_lift_it(
    house: House, pool: Pool, world: World
) -> None:
    contact = await house.contact("Ana Pause")
    talk = await pool.fetchval("INSERT INTO conversations (contact_id) VALUES ($1) RETURNING id", contact)
    await pool.execute(
        "INSERT INTO marketing_pauses (contact_id, key, rule, conversation_id, created_at)"
        " VALUES ($1, 'k', 'hold-news', $2, now())",
        contact,
        talk,
    )
    rep = await enter(house, "rep")
    page = await rep.get(f"/contacts/{contact}")
    assert "Marketing is paused" in page.text
    assert "hold-news" in page.text
    _, found = await rep.call("GET", f"/contacts/{contact}/marketing-pauses")
    assert [one["conversation_id"] for one in found["items"]] == [talk]
    await rep.post(f"/contacts/{contact}/pauses/lift", {})
    page = await rep.get(f"/contacts/{contact}")
    assert "Marketing is paused" not in page.text
    assert "lifted the pause of marketing" in page.text
    assert (await rep.call("POST", f"/contacts/{contact}/marketing-pauses/lift"))[0] == 404


async def test_a_pause_whose_time_is_over_is_shown_no_more(house: House, pool: Pool, world: World) -> None:
    contact = await house.contact("Ana Pause")
    await pool.execute(
        "INSERT INTO marketing_pauses (contact_id, key, until, created_at) VALUES ($1, 'k', now() - $2::interval, now())",
        contact,
        timedelta(days=400),
    )
    rep = await enter(house, "rep")
    assert "Marketing is paused" not in (await rep.get(f"/contacts/{contact}")).text

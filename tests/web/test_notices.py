"""What rules tell people stands on their first page until they have seen it; templates of messages are written by programs."""

from __future__ import annotations

import pytest

from storage.pool import Pool
from tests.web.house import House
from tests.web.test_conversation_pages import enter
from tests.web.world import World, build_world


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation."""
    return await build_world(pool)


async def tell(pool: Pool, user: int, words: str, conversation: int | None = None) -> int:
    id: int = await pool.fetchval(
        "INSERT INTO notices (user_id, words, rule, conversation_id, created_at) VALUES ($1, $2, 'r', $3, now())"
        " RETURNING id",
        user,
        words,
        conversation,
    )
    return id


async def test_a_notice_stands_on_the_first_page_until_it_was_seen(
    house: House, pool: Pool, world: World
) -> None:
    first = await tell(pool, world.users["rep"], "Ana wrote <again>")
    rep = await enter(house, "rep")
    assert "Ana wrote &lt;again&gt;" in (await rep.get("/")).text
    assert "Ana wrote" not in (await (await enter(house, "agent")).get("/")).text
    await rep.post(f"/notices/{first}/seen", {})
    assert "Ana wrote" not in (await rep.get("/")).text


async def test_nobody_marks_the_notices_of_somebody_else_as_seen(
    house: House, pool: Pool, world: World
) -> None:
    number = await tell(pool, world.users["rep"], "Ana wrote")
    agent = await enter(house, "agent")
    assert (await agent.call("POST", f"/me/notices/{number}/seen"))[0] == 204
    rep = await enter(house, "rep")
    _, page = await rep.call("GET", "/me/notices")
    assert [one["words"] for one in page["items"]] == ["Ana wrote"]


async def test_what_became_confidential_after_it_was_told_is_told_no_more(
    house: House, pool: Pool, world: World
) -> None:
    queue = await pool.fetchval("INSERT INTO queues (name) VALUES ('HR') RETURNING id")
    talk = await pool.fetchval("INSERT INTO conversations (queue_id) VALUES ($1) RETURNING id", queue)
    await tell(pool, world.users["rep"], "I resign", talk)
    rep = await enter(house, "rep")
    assert "I resign" in (await rep.get("/")).text
    await pool.execute("UPDATE queues SET confidential = true WHERE id = $1", queue)
    assert "I resign" not in (await rep.get("/")).text
    assert (await rep.call("GET", "/me/notices"))[1]["items"] == []


async def test_message_templates_are_written_replaced_and_deleted_through_the_api(
    house: House, pool: Pool, world: World
) -> None:
    manager = await enter(house, "manager")
    given = {"name": "Thanks", "subject": "Thank you", "body": "Dear {contact.name}"}
    status, made = await manager.call("POST", "/message-templates", given)
    assert status == 201
    await manager.call("POST", "/message-templates", {**given, "body": "Hello {contact.name}"})
    _, listed = await manager.call("GET", "/message-templates")
    assert [(one["id"], one["body"]) for one in listed["items"]] == [(made["id"], "Hello {contact.name}")]
    status, problem = await manager.call("POST", "/message-templates", {**given, "body": "{contact.nam}"})
    assert status == 422
    assert "contact.nam" in str(problem)
    assert (await manager.call("DELETE", f"/message-templates/{made['id']}"))[0] == 204
    assert (await manager.call("GET", "/message-templates"))[1]["items"] == []

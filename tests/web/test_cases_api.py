"""Cases through the API: opened, moved, changed and closed; a confidential one exists for its people only, everywhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Pool
from tests.web.house import House
from tests.web.test_conversation_pages import enter
from tests.web.test_live import listen, tell
from tests.web.world import World, build_world


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation."""
    return await build_world(pool)


async def test_a_case_is_opened_moved_changed_closed_and_reopened(house: House, world: World) -> None:
    rep = await enter(house, "rep")
    ana = world.contacts[0]
    status, case = await rep.call(
        "POST",
        "/cases",
        {
            "kind": "sale",
            "title": "Roof",
            "fields": {"amount": 1200},
            "contacts": [{"contact_id": ana, "role": "buyer"}],
        },
    )
    assert status == 201, case
    assert (case["stage"], case["owner_name"], case["version"]) == ("lead", "Rosa Martin", 1)
    assert case["contacts"] == [{"contact_id": ana, "name": "Claire Dubreuil", "role": "buyer"}]
    path = f"/cases/{case['id']}"
    assert (await rep.call("POST", f"{path}/stage", {"stage": "offer", "version": 1}))[0] == 204
    status, problem = await rep.call("POST", f"{path}/stage", {"stage": "need", "version": 1})
    assert (status, problem["type"]) == (409, "conflict")
    change = {"title": "Two roofs", "fields": {"amount": None, "product": "Tiles"}}
    assert (await rep.call("PATCH", path, change))[0] == 204
    status, problem = await rep.call("PATCH", path, {"fields": {"amount": "much"}})
    assert (status, problem["field"]) == (422, "fields.amount")
    assert (await rep.call("POST", f"{path}/notes", {"text": "They think about it."}))[0] == 201
    assert (await rep.call("POST", f"{path}/close", {"stage": "won"}))[0] == 204
    _status, closed = await rep.call("GET", path)
    assert (closed["state"], closed["stage"], closed["fields"]) == ("closed", "won", {"product": "Tiles"})
    assert case["id"] not in [one["id"] for one in (await rep.call("GET", "/cases"))[1]["items"]]
    assert [one["id"] for one in (await rep.call("GET", "/cases?state=closed"))[1]["items"]] == [case["id"]]
    assert (await rep.call("POST", f"{path}/reopen", {}))[0] == 204
    for query in ("kind=sale&q=roof", "stage=negotiation", "q=two+roofs", "q=Dubreuil&stage=negotiation"):
        assert len((await rep.call("GET", f"/cases?{query}"))[1]["items"]) == 1, query
    for query in ("kind=tender", "stage=won", "q=fence", "q=%25", "owner_id=999", "kind=sale&stage=need"):
        assert (await rep.call("GET", f"/cases?{query}"))[1]["items"] == [], query
    _status, timeline = await rep.call("GET", f"{path}/timeline")
    told = [line["sentence"] for line in reversed(timeline["items"])]
    assert told[0] == "Rosa Martin opened the case “Two roofs”"
    assert "Rosa Martin closed the case “Two roofs”" in told
    assert "They think about it." in [line["body"] for line in timeline["items"]]


async def test_a_list_of_cases_goes_on_where_the_page_before_ended(house: House, world: World) -> None:
    rep = await enter(house, "rep")
    for number in range(5):
        await rep.call("POST", "/cases", {"kind": "sale", "title": f"Roof {number}"})
    _status, first = await rep.call("GET", "/cases?limit=3&q=Roof")
    _status, second = await rep.call("GET", f"/cases?limit=3&q=Roof&after={first['next']}")
    titles = [one["title"] for one in first["items"] + second["items"]]
    assert titles == [f"Roof {number}" for number in (4, 3, 2, 1, 0)]
    assert second["next"] is None


async def test_types_are_changed_by_whoever_may_and_mistakes_are_told(house: House, world: World) -> None:
    rep, manager = await enter(house, "rep"), await enter(house, "manager")
    _status, answer = await rep.call("GET", "/case-types")
    loan = answer["types"] + "- name: loan\n  stages: [{name: asked}]\n"
    assert (await rep.call("PUT", "/case-types", {"types": loan}))[0] == 403
    status, problem = await manager.call("PUT", "/case-types", {"types": loan.replace("asked", "Asked")})
    assert status == 422, problem
    given = {"types": loan, "seen": answer["types"]}
    assert (await manager.call("PUT", "/case-types", given))[1] == {
        "added": ["loan"],
        "changed": [],
        "removed": [],
    }
    assert (await manager.call("PUT", "/case-types", given))[0] == 409
    assert (await rep.call("POST", "/cases", {"kind": "loan", "title": "A drill"}))[0] == 201


async def _confide(house: House, world: World) -> dict[str, Any]:
    """A dispute of the manager's with a conversation, a task of the sales team, a call and a note in it."""
    pool, ana = house.pool, world.contacts[0]
    manager = await enter(house, "manager")
    _status, case = await manager.call("POST", "/cases", {"kind": "dispute", "title": "Secret invoice"})
    assert case["confidential"]
    path = f"/cases/{case['id']}"
    conversation = await pool.fetchval(
        "INSERT INTO conversations (contact_id, subject) VALUES ($1, 'I sue you') RETURNING id", ana
    )
    task = await house.task(ana, team_id=world.team, title="Answer the lawyer", requester_id=None)
    async with pool.acquire() as connection:
        (event,) = await record(
            connection,
            [
                NewEvent(EventType.RECEIVED, datetime.now(UTC), ana, conversation_id=conversation),
            ],
        )
    run = await pool.fetchval(
        "INSERT INTO rule_runs (rule_id, contact_id, event_id, result) VALUES ($1, $2, $3, 'acted') RETURNING id",
        world.rule,
        ana,
        event,
    )
    opened = await pool.fetchval(
        "INSERT INTO rule_runs (rule_id, contact_id, event_id, result, deeds) VALUES ($1, $2, 0, 'acted', $3)"
        " RETURNING id",
        world.rule,
        ana,
        [{"action": "open_case", "state": "done", "case_id": case["id"]}],
    )
    for thing in ({"what": "conversation", "id": conversation}, {"what": "task", "id": task}):
        status, problem = await manager.call("POST", f"{path}/things", thing)
        assert status == 204, problem
    await manager.call("POST", f"{path}/notes", {"text": "They are right, in fact."})
    await manager.call("POST", f"{path}/contacts", {"contact_id": ana, "role": "opponent"})
    return {"path": path, "id": case["id"], "conversation": conversation, "task": task, "runs": {run, opened}}


@pytest.mark.parametrize(
    ("role", "sees"),
    [("manager", True), ("administrator", False), ("rep", False), ("agent", False), ("marketer", False)],
)
async def test_a_confidential_case_and_what_belongs_to_it_exist_for_its_people_only(
    house: House, world: World, role: str, sees: bool
) -> None:
    secret = await _confide(house, world)
    person = await enter(house, role)
    ana = world.contacts[0]
    found = {
        "case": (await person.call("GET", secret["path"]))[0] == 200,
        "timeline": (await person.call("GET", f"{secret['path']}/timeline"))[0] == 200,
        "list": "Secret" in str(await person.call("GET", "/cases")),
        "search": "Secret" in str(await person.call("GET", "/cases?q=Dubreuil")),
        "task": (await person.call("GET", f"/tasks/{secret['task']}"))[0] == 200,
        "tasks": "Answer the lawyer" in str(await person.call("GET", "/tasks?scope=mine&limit=200")),
        "events": "dispute" in str(await person.call("GET", f"/contacts/{ana}/events"))
        or "Received" in str(await person.call("GET", f"/contacts/{ana}/events")),
        "page": "Secret" in (await person.get(f"/contacts/{ana}")).text
        or "I sue you" in (await person.get(f"/contacts/{ana}")).text,
    }
    if role != "marketer":
        path = f"/conversations/{secret['conversation']}"
        found["conversation"] = (await person.call("GET", path))[0] == 200
        found["conversations"] = "I sue you" in str(await person.call("GET", "/conversations?box=open"))
        found["conversation search"] = "I sue you" in str(await person.call("GET", "/conversations?q=sue"))
    if role in ("manager", "administrator", "marketer"):
        _status, runs = await person.call("GET", f"/rules/{world.rule}/runs")
        found["runs"] = bool({run["id"] for run in runs["items"]} & secret["runs"])
    assert found == dict.fromkeys(found, sees)
    for method, path, body in (
        ("POST", "/stage", {"stage": "talks"}),
        ("PATCH", "", {"title": "x"}),
        ("POST", "/members", {"user_id": world.users[role]}),
        ("POST", "/things/remove", {"what": "task", "id": secret["task"]}),
    ):
        status, _problem = await person.call(method, secret["path"] + path, body)
        assert status == (204 if sees else 404), (role, path)


async def test_a_member_and_the_people_of_the_team_see_it_until_they_are_taken_out(
    house: House, pool: Pool, world: World
) -> None:
    secret = await _confide(house, world)
    manager, agent, rep = [await enter(house, role) for role in ("manager", "agent", "rep")]
    assert (await manager.call("POST", f"{secret['path']}/members", {"user_id": world.users["agent"]}))[
        0
    ] == 204
    assert (await agent.call("GET", secret["path"]))[0] == 200
    assert (await agent.call("GET", f"/tasks/{secret['task']}"))[0] == 200
    assert (await agent.call("DELETE", f"{secret['path']}/members/{world.users['agent']}"))[0] == 204
    assert (await agent.call("GET", secret["path"]))[0] == 404
    assert (await rep.call("GET", secret["path"]))[0] == 404
    assert (await manager.call("PATCH", secret["path"], {"team_id": world.team}))[0] == 204
    assert (await rep.call("GET", secret["path"]))[0] == 200


async def test_only_its_people_hear_of_what_happens_in_a_confidential_case(
    house: House, world: World
) -> None:
    secret = await _confide(house, world)
    ana = world.contacts[0]
    topics = ("cases", f"case:{secret['id']}", f"contact:{ana}", "tasks", "conversations")
    owner = await listen(await enter(house, "manager"), *topics)
    chief = await listen(await enter(house, "administrator"), *topics)
    await asyncio.sleep(0.3)
    told = NewEvent(EventType.RECEIVED, datetime.now(UTC), ana, conversation_id=secret["conversation"])
    await tell(house, told)
    assert await owner.next() == sorted({*topics} - {"tasks"})
    done = NewEvent(EventType.TASK_DONE, datetime.now(UTC), ana, task_id=secret["task"], case_id=secret["id"])
    await tell(house, done)
    assert "tasks" in await owner.next()
    assert await chief.silent(1.5)


async def test_what_a_person_may_not_see_is_not_put_into_a_case(
    house: House, pool: Pool, world: World
) -> None:
    team = await house.team("Personnel")
    queue = await pool.fetchval(
        "INSERT INTO queues (name, team_id, confidential) VALUES ('HR', $1, true) RETURNING id", team
    )
    hidden = await pool.fetchval("INSERT INTO conversations (queue_id) VALUES ($1) RETURNING id", queue)
    task = await house.task(None, assignee_id=world.users["manager"])
    rep = await enter(house, "rep")
    _status, case = await rep.call("POST", "/cases", {"kind": "sale", "title": "Roof"})
    for what, number in (("conversation", hidden), ("task", task), ("message", 999), ("task", 999)):
        status, _problem = await rep.call("POST", f"/cases/{case['id']}/things", {"what": what, "id": number})
        assert status == 404, what

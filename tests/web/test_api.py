"""The REST API: described from its routes, open to tokens and sessions, errors with field and remedy."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Pool
from tests.web.house import House, Visitor
from tests.web.world import World, build_world
from web.access.permissions import Role, may
from web.access.sessions import make_api_token
from web.api import declare_routes
from web.api.openapi import describe_api
from web.api.registry import PREFIX, ROUTES

declare_routes()  # also for a test that runs alone


@pytest.fixture
async def world(house: House, pool: Pool) -> World:
    """An organisation with something in every list."""
    return await build_world(pool)


async def enter(house: House, role: str, language: str = "en") -> Visitor:
    """Sign in as the world's person of a role."""
    visitor = house.visitor(language)
    await visitor.sign_in(f"{role}@helianthe.example")
    return visitor


def test_the_description_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(describe_api()).validate()


def test_every_route_is_described_with_summary_permission_and_answer() -> None:
    paths = describe_api()["paths"]
    assert len(ROUTES) == sum(len(operations) for operations in paths.values())
    for route in ROUTES:
        operation = paths[PREFIX + route.path][route.method.lower()]
        assert operation["summary"], route.path
        assert (route.permission is None) == ("description" not in operation), route.path
        assert route.answer or route.download or "204" in operation["responses"], route.path
        assert route.handler.__doc__, route.name
        for parameter in operation["parameters"]:
            if parameter["in"] == "query":
                assert parameter["schema"], (route.path, parameter)


def test_every_model_and_every_field_that_is_not_obvious_is_described() -> None:
    schemas = describe_api()["components"]["schemas"]
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def test_operations_have_names_of_their_own() -> None:
    names = [route.name for route in ROUTES]
    assert sorted(set(names)) == sorted(names)


async def test_nobody_gets_in_without_a_session_or_a_token(house: House, world: World) -> None:
    for route in ROUTES:
        path = re.sub(r"\{\w+\}", "1", route.path)
        status, problem = await house.visitor().call(route.method, path)
        assert status == 401, route.path
        assert problem["type"] == "not-signed-in"


async def test_a_token_speaks_for_its_person(house: House, pool: Pool, world: World) -> None:
    secret = await make_api_token(pool, world.users["rep"], "test")
    visitor = house.visitor()
    status, me = await visitor.call("GET", "/me", headers={"Authorization": f"Bearer {secret}"})
    assert (status, me["role"], me["csrf"]) == (200, "rep", "")
    assert await pool.fetchval("SELECT last_used IS NOT NULL FROM api_tokens")
    assert secret not in str(await pool.fetch("SELECT * FROM api_tokens"))
    status, _problem = await visitor.call("GET", "/me", headers={"Authorization": f"Bearer {secret}x"})
    assert status == 401


async def test_a_session_changes_nothing_without_its_secret(house: House, world: World) -> None:
    visitor = await enter(house, "rep")
    body = {"given_name": "Nils"}
    status, problem = await visitor.call("POST", "/contacts", body, headers={"X-CSRF-Token": "forged"})
    assert (status, problem["type"]) == (403, "forbidden")
    _status, me = await visitor.call("GET", "/me")
    status, _contact = await visitor.call("POST", "/contacts", body, headers={"X-CSRF-Token": me["csrf"]})
    assert status == 201


@pytest.mark.parametrize("role", list(Role))
async def test_a_route_is_open_only_to_roles_that_have_its_permission(
    house: House, pool: Pool, world: World, role: Role
) -> None:
    secret = await make_api_token(pool, world.users[role.value], "test")
    visitor = house.visitor()
    for route in ROUTES:
        if route.method != "GET" or "{" in route.path:
            continue
        status, _answer = await visitor.call("GET", route.path, headers={"Authorization": f"Bearer {secret}"})
        allowed = route.permission is None or may(role, route.permission)
        assert status == (200 if allowed else 403), route.path


async def test_wrong_input_is_named_with_field_and_remedy(house: House, world: World) -> None:
    visitor = await enter(house, "marketer")
    cases: list[tuple[str, str, Any, str]] = [
        ("POST", "/contacts", {"name": "X", "country": "France"}, "country"),
        ("POST", "/contacts", {"name": "X", "kind": "robot"}, "kind"),
        ("POST", "/contacts", {"name": "X", "colour": "blue"}, "colour"),
        ("POST", "/contacts", {}, "name"),
        ("POST", "/contacts", {"name": "X", "email": "x"}, "email"),
        ("POST", "/contacts", {"name": "X", "phone": "12"}, "phone"),
        ("POST", "/contacts", {"name": "X", "owner_id": 999}, "owner_id"),
        ("POST", "/segments", {"name": "S", "condition": {"sometimes": []}}, "condition"),
        ("POST", "/segments", {"name": "S", "condition": {"field": "contact.nothing", "is": 1}}, "condition"),
        ("POST", "/campaigns", {"name": "", "segment_id": 1}, "name"),
        ("POST", f"/tasks/{world.tasks[0]}/moves", {"move": "dance"}, "move"),
        ("GET", "/contacts?limit=1000", None, "limit"),
        ("GET", "/contacts?after=@@", None, "after"),
        ("GET", "/contacts?colour=blue", None, "colour"),
    ]
    for method, path, body, field in cases:
        status, problem = await visitor.call(method, path, body)
        assert status == 422, (path, body, problem)
        assert problem["type"] == "invalid-input"
        assert problem["field"].startswith(field), (path, body, problem)
        assert problem["detail"], (path, body)


async def test_what_is_not_json_is_refused_in_the_language_asked_for(house: House, world: World) -> None:
    visitor = await enter(house, "rep", "fr")
    headers = {"Content-Type": "application/json", "X-CSRF-Token": visitor.csrf}
    async with visitor.session.post(f"{house.url}/api/v1/contacts", data="{", headers=headers) as response:
        problem = await response.json(content_type=None)
        assert response.content_type == "application/problem+json"
    assert (response.status, problem["field"], problem["detail"]) == (422, "body", "Ce n'est pas du JSON.")
    status, problem = await visitor.call("GET", "/nowhere")
    assert (status, problem["title"]) == (404, "Il n'y a rien ici")


async def test_a_contact_is_made_changed_and_its_changes_are_events(
    house: House, pool: Pool, world: World
) -> None:
    visitor = await enter(house, "rep")
    given = {
        "given_name": "Nils",
        "family_name": "Öberg",
        "email": "Nils@Oberg.example",
        "phone": "+33199000077",
        "country": "fr",
    }
    status, contact = await visitor.call("POST", "/contacts", given)
    assert status == 201, contact
    assert (contact["name"], contact["email"], contact["country"]) == (
        "Nils Öberg",
        "nils@oberg.example",
        "FR",
    )
    status, clash = await visitor.call("POST", "/contacts", {"name": "Other", "email": "NILS@oberg.example"})
    assert (status, clash["type"]) == (409, "conflict")
    path = f"/contacts/{contact['id']}"
    status, changed = await visitor.call(
        "PATCH", path, {"relation": "customer", "fields": {"sector": "school"}}
    )
    assert (status, changed["relation"], changed["fields"], changed["name"]) == (
        200,
        "customer",
        {"sector": "school"},
        "Nils Öberg",
    )
    _status, events = await visitor.call("GET", f"{path}/events")
    assert "Relation changed from “other” to “customer”" in [event["sentence"] for event in events["items"]]
    assert (await visitor.call("POST", f"{path}/notes", {"kind": "call", "text": "Will think about it."}))[
        0
    ] == 204
    _status, events = await visitor.call("GET", f"{path}/events?limit=1")
    assert (events["items"][0]["text"], events["next"] is not None) == ("Will think about it.", True)


async def test_consent_is_a_history(house: House, pool: Pool, world: World) -> None:
    visitor = await enter(house, "rep")
    path = f"/contacts/{world.contacts[2]}/consents"
    given = {"purpose": "calls", "granted": True, "wording": "Yes, call me."}
    status, consents = await visitor.call("POST", path, given)
    assert (status, consents["standing"]["calls"]["state"]) == (201, "granted")
    await asyncio.sleep(0.01)
    status, consents = await visitor.call(
        "POST", path, {**given, "granted": False, "wording": "Stop calling."}
    )
    assert consents["standing"]["calls"]["state"] == "withdrawn"
    lines = [line for line in consents["history"] if line["purpose"] == "calls"]
    assert [line["state"] for line in lines] == ["withdrawn", "granted"]


async def test_lists_are_paged_without_gaps_or_repeats(house: House, world: World) -> None:
    visitor = await enter(house, "administrator")
    for path in (
        "/contacts",
        f"/contacts/{world.contacts[0]}/events",
        "/tasks?scope=all",
        "/sandbox/mails",
        "/campaigns",
    ):
        glue = "&" if "?" in path else "?"
        _status, everything = await visitor.call("GET", f"{path}{glue}limit=200")
        seen, after = [], ""
        while True:
            _status, page = await visitor.call("GET", f"{path}{glue}limit=2{after}")
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == [item["id"] for item in everything["items"]], path


async def test_a_search_finds_names_organisations_and_addresses(house: House, world: World) -> None:
    visitor = await enter(house, "rep")
    for words in ("claire", "Dubreuil", "ateliers", "claire.dubreuil@dubreuil.example", "+33 1 99 00 00 00"):
        _status, page = await visitor.call("GET", "/contacts", params={"search": words})
        assert world.contacts[0] in [item["id"] for item in page["items"]], words
    _status, page = await visitor.call("GET", "/contacts", params={"search": "100%_"})
    assert page["items"] == []


async def test_a_task_is_moved_by_whoever_was_faster(house: House, pool: Pool, world: World) -> None:
    rep, manager = await enter(house, "rep"), await enter(house, "manager")
    path = f"/tasks/{world.tasks[1]}"
    _status, task = await rep.call("GET", path)
    assert "accept" in task["moves"]
    move = {"move": "accept", "version": task["version"]}
    answers = await asyncio.gather(
        rep.call("POST", f"{path}/moves", move), manager.call("POST", f"{path}/moves", move)
    )
    assert sorted(status for status, _body in answers) == [200, 409]
    loser = next(body for status, body in answers if status == 409)
    assert "changed meanwhile" in loser["detail"]


async def test_a_task_goes_from_offer_to_outcome(house: House, pool: Pool, world: World) -> None:
    visitor = await enter(house, "rep")
    path = f"/tasks/{world.tasks[0]}"
    for move in ({"move": "accept"}, {"move": "start"}):
        status, task = await visitor.call("POST", f"{path}/moves", move)
        assert status == 200, task
    status, problem = await visitor.call(
        "POST", f"{path}/moves", {"move": "finish", "outcome": {"result": "sold"}}
    )
    assert (status, problem["field"]) == (422, "outcome.result")
    outcome = {"result": "interested", "note": "Send an offer."}
    status, task = await visitor.call("POST", f"{path}/moves", {"move": "finish", "outcome": outcome})
    assert (status, task["state"], task["outcome"]["result"]) == (200, "done", "interested")
    _status, events = await visitor.call("GET", f"/contacts/{world.contacts[0]}/events?limit=1")
    assert (events["items"][0]["type"], events["items"][0]["text"]) == ("TaskDone", "Send an offer.")


async def test_tasks_of_others_stay_unseen(house: House, pool: Pool, world: World) -> None:
    agent = await enter(house, "agent")
    status, _problem = await agent.call("GET", f"/tasks/{world.tasks[0]}")
    assert status == 404
    status, _problem = await agent.call("POST", f"/tasks/{world.tasks[0]}/moves", {"move": "accept"})
    assert status == 404
    _status, page = await agent.call("GET", "/tasks?scope=all")
    assert page["items"] == []


async def test_a_timeline_says_of_the_tasks_of_others_only_that_they_were(
    house: House, pool: Pool, world: World
) -> None:
    task = world.tasks[0]
    path = f"/contacts/{world.contacts[0]}/events"
    outcome = {"result": "interested", "note": "Wants to leave his firm."}
    rep = await enter(house, "rep")
    for move in ({"move": "accept"}, {"move": "start"}, {"move": "finish", "outcome": outcome}):
        await rep.call("POST", f"/tasks/{task}/moves", move)
    for role, sees in (("rep", True), ("manager", True), ("agent", False), ("marketer", False)):
        visitor = await enter(house, role)
        _status, events = await visitor.call("GET", path)
        (done,) = [one for one in events["items"] if (one["type"], one["task_id"]) == ("TaskDone", task)]
        assert (done["text"], bool(done["data"])) == ((outcome["note"], True) if sees else (None, False)), (
            role
        )
        page = await visitor.get(f"/contacts/{world.contacts[0]}")
        assert (outcome["note"] in page.text) is sees, role


async def test_confidential_matters_stay_with_their_people(house: House, pool: Pool, world: World) -> None:
    case = await pool.fetchval(
        "INSERT INTO cases (kind, title, confidential, owner_id) VALUES ('dispute', 'Secret', true, $1) RETURNING id",
        world.users["agent"],
    )
    await pool.execute(
        "UPDATE tasks SET case_id = $1, team_id = NULL, assignee_id = $2 WHERE id = $3",
        case,
        world.users["agent"],
        world.tasks[0],
    )
    async with pool.acquire() as connection:
        await record(
            connection,
            [
                NewEvent(
                    EventType.NOTED,
                    datetime.now(UTC),
                    world.contacts[0],
                    case_id=case,
                    data={"kind": "letter"},
                )
            ],
        )
    for role, sees in (("administrator", False), ("manager", False), ("rep", False), ("agent", True)):
        visitor = await enter(house, role)
        status, _task = await visitor.call("GET", f"/tasks/{world.tasks[0]}")
        assert (status == 200) is sees, role
        _status, events = await visitor.call("GET", f"/contacts/{world.contacts[0]}/events")
        assert ("letter" in [event["data"].get("kind") for event in events["items"]]) is sees, role


async def test_a_campaign_is_written_previewed_and_handed_to_the_worker(
    house: House, pool: Pool, world: World
) -> None:
    visitor = await enter(house, "marketer")
    _status, segments = await visitor.call("GET", "/segments")
    segment = segments["items"][0]["id"]
    status, campaign = await visitor.call(
        "POST", "/campaigns", {"name": "Autumn letter", "segment_id": segment}
    )
    assert status == 201, campaign
    path = f"/campaigns/{campaign['id']}"
    status, preview = await visitor.call("GET", f"{path}/preview")
    assert status == 200, preview
    assert preview["subject"].startswith(("Claire", "Hélène", "Loïc", "Yasmine", "Étienne"))
    status, launched = await visitor.call("POST", f"{path}/launch")
    assert (status, launched["recipients"]) == (202, 4), launched
    assert house.jobs == [("launch_due",)]
    status, problem = await visitor.call("PATCH", path, {"name": "Other"})
    assert (status, problem["type"]) == (409, "conflict")
    status, problem = await visitor.call("POST", f"{path}/pause")
    assert status == 409


async def test_a_report_tells_people_machines_and_nobody_apart(house: House, world: World) -> None:
    visitor = await enter(house, "marketer")
    status, report = await visitor.call("GET", f"/campaigns/{world.campaign}/report")
    assert status == 200
    assert report["hits"]["Opened"] == {"human": 7, "machine": 0, "unsure": 0, "anonymous": 3}
    assert report["deliveries"]["uncertain"] == 1
    assert report["reasons"]["rejected"] == {"mailbox_unknown": 1}


async def test_a_file_is_streamed_to_disk_and_becomes_an_import(
    house: House, pool: Pool, world: World
) -> None:
    visitor = await enter(house, "marketer")
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", b"email,given_name\nnew@person.example,New\n", filename="../../etc/people.csv")
    headers = {"X-CSRF-Token": visitor.csrf}
    async with visitor.session.post(f"{house.url}/api/v1/imports", data=form, headers=headers) as response:
        job = await response.json()
    assert (response.status, job["name"], job["state"]) == (202, "people.csv", "waiting")
    assert house.jobs == [("import_contacts", job["id"])]
    path = await pool.fetchval("SELECT path FROM imports WHERE id = $1", job["id"])
    assert path.startswith(str(house.context.settings.upload_folder))
    status, rejects = await visitor.call("GET", f"/imports/{world.job}/rejects")
    assert (status, [reject["line"] for reject in rejects["items"]]) == (200, [17, 88])


async def test_a_file_beyond_the_limit_leaves_nothing_behind(house: House, world: World) -> None:
    visitor = await enter(house, "marketer")
    form = aiohttp.FormData()
    form.add_field("file", b"email\n" + b"x" * 200_000, filename="people.csv")
    headers = {"X-CSRF-Token": visitor.csrf}
    async with visitor.session.post(f"{house.url}/api/v1/imports", data=form, headers=headers) as response:
        problem = await response.json(content_type=None)
    assert (response.status, problem["field"]) == (422, "file")
    assert list(house.context.settings.upload_folder.iterdir()) == []


async def test_a_mail_of_the_test_mailbox_is_told_as_it_arrived(
    house: House, pool: Pool, world: World
) -> None:
    visitor = await enter(house, "marketer")
    status, mail = await visitor.call("GET", f"/sandbox/mails/{world.mail}")
    assert (status, mail["message_id"]) == (200, "<m1.1@helianthe.example>")
    status, raw = await visitor.call("GET", f"/sandbox/mails/{world.mail}/raw")
    assert (status, raw) == (
        200,
        await pool.fetchval("SELECT raw FROM sandbox_mails WHERE id = $1", world.mail),
    )

"""Numbers that no column holds, wherever people and programs may write one: never our mistake."""

from __future__ import annotations

import pytest

from storage.pool import Pool
from tests.web.house import House
from tests.web.world import build_world
from web.console.visit import find_number

LONG = "9" * 5000  # int() refuses more than 4,300 digits


@pytest.mark.parametrize("text", ["", "-1", "1.5", "²", "٣", " 7", "1e3", "9" * 19, LONG])
def test_what_is_no_id_is_none(text: str) -> None:
    assert find_number(text) is None


def test_an_id_is_a_number() -> None:
    assert find_number("0012") == 12
    assert find_number(str(2**63 - 1)) == 2**63 - 1
    assert find_number(str(2**63)) is None


async def test_forms_and_addresses_with_endless_numbers_are_answered_kindly(house: House, pool: Pool) -> None:
    world = await build_world(pool)
    chief = house.visitor()
    await chief.sign_in("administrator@helianthe.example")
    await chief.get("/people")
    for number in (LONG, "9" * 18):
        for path, form in (
            (
                f"/people/{world.users['rep']}",
                {"name": "R", "role": "rep", f"team-{number}": "1", "active": "1"},
            ),
            (f"/tasks/{world.tasks[0]}/offer", {"to": f"team-{number}", "version": number}),
            ("/segments/count", {"segment_id": number}),
            ("/campaigns/new", {"name": "x", "segment_id": number}),
            ("/conversations/1/assign", {"assignee": number, "version": number}),
            ("/conversations/1/queue", {"queue": number}),
            ("/conversations/1/draft", {"seen": number}),
            ("/do-not-contact", {"kind": number}),
        ):
            assert (await chief.post(path, form)).status < 500, (path, len(number))
    for number in ("9" * 4400, "9" * 18):
        for path in ("tasks", "contacts", "campaigns", "conversations", "unreadable", "queues", "mailbox"):
            assert (await chief.get(f"/{path}/{number}")).status in (404, 422), path
            assert (await chief.get(f"/{path}?before={number}&after={number}&queue={number}")).status < 500, (
                path
            )
        for path in ("tasks", "contacts", "campaigns", "conversations", "queues", "messages"):
            assert (await chief.call("GET", f"/{path}/{number}"))[0] in (404, 422), path
    huge = int("9" * 30)
    assert (await chief.call("POST", "/conversations/1/assignment", {"assignee_id": huge}))[0] < 500
    assert (await chief.call("POST", "/placements", {"message_id": huge, "join": True}))[0] < 500
    assert (await chief.call("GET", f"/conversations?queue_id={huge}"))[0] < 500

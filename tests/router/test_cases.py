"""People open, move, change, close and reopen cases: each move by the table, once, and told on the timeline."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.cases import CASE_EVENTS
from domain.errors import Conflict, InvalidInput, NotFound
from inbox.desk.conversations import Desk
from router.cases.belonging import Thing, put_into_case, take_out_of_case
from router.cases.changes import (
    add_contact,
    add_member,
    change_case,
    close_case,
    move_case,
    remove_contact,
    remove_member,
    reopen_case,
)
from router.cases.opening import NewCase, open_case
from router.cases.type_files import read_types
from router.cases.type_store import apply_types
from tests.router.world import World

LOAN = """
- name: loan
  stages: [{name: asked}, {name: lent}, {name: back, ends: true}]
  fields: [{name: deposit, kind: number, needed: true}]
"""


def desk_of(world: World, actor: int | None = None) -> Desk:
    return Desk(world.pool, world.clock, None, actor or world.claire)


async def told(world: World) -> list[str]:
    return [row["type"] for row in await world.events(*CASE_EVENTS)]


async def test_whoever_opens_a_case_looks_after_it_and_its_first_contact_is_told_of(world: World) -> None:
    first, second = await world.contact("Ana"), await world.contact("Bo")
    new = NewCase(
        "sale",
        " Roof \n of Ana ",
        contacts=((second, "buyer"), (first, "decider")),
        fields={"amount": "1 200"},
    )
    number = await open_case(desk_of(world), new)
    row = await world.pool.fetchrow("SELECT * FROM cases WHERE id = $1", number)
    assert row is not None
    assert (row["title"], row["stage"], row["state"], row["version"]) == ("Roof of Ana", "lead", "open", 1)
    assert (row["owner_id"], row["confidential"], row["fields"]) == (world.claire, False, {"amount": 1200})
    (event,) = await world.events(*CASE_EVENTS)
    assert (event["type"], event["contact_id"], event["case_id"]) == ("CaseOpened", second, number)
    assert event["data"] == {"kind": "sale", "stage": "lead"}
    assert event["occurred_at"] == world.clock.now()


async def test_asking_twice_with_a_key_opens_one_case(world: World) -> None:
    new = NewCase("sale", "Roof", key="form-7")
    numbers = {await open_case(desk_of(world), new) for _ in range(3)}
    assert len(numbers) == 1
    assert await told(world) == ["CaseOpened"]


@pytest.mark.parametrize(
    ("new", "field", "says"),
    [
        (NewCase("sail", "Roof"), "kind", "Did you mean sale?"),
        (NewCase("sale", " "), "title", "1 to 200 characters"),
        (NewCase("sale", "Roof", owner_id=999), "owner_id", "Choose another person"),
        (NewCase("sale", "Roof", team_id=999), "team_id", "Choose another team"),
        (NewCase("sale", "Roof", contacts=((999, ""),)), "contact_id", "there is no contact 999"),
        (NewCase("sale", "Roof", fields={"amount": "much"}), "fields.amount", "is no number"),
    ],
)
async def test_what_cannot_be_opened_names_the_field(
    world: World, new: NewCase, field: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        await open_case(desk_of(world), new)
    assert caught.value.field == field
    assert await world.pool.fetchval("SELECT count(*) FROM cases") == 0


async def test_a_confidential_case_always_has_somebody_who_sees_it(world: World) -> None:
    number = await open_case(desk_of(world), NewCase("dispute", "Invoice 12"))
    assert await world.pool.fetchval("SELECT confidential FROM cases WHERE id = $1", number)
    with pytest.raises(InvalidInput, match="seen by nobody"):
        await change_case(desk_of(world), number, {"owner_id": None})
    await change_case(desk_of(world), number, {"owner_id": None, "team_id": world.sales})


async def test_a_case_goes_through_its_stages_and_the_last_one_closes_it(world: World) -> None:
    number = await open_case(desk_of(world), NewCase("sale", "Roof"))
    world.clock.advance(timedelta(days=1))
    await move_case(desk_of(world), number, "offer", 1)
    await move_case(desk_of(world), number, "offer")
    await move_case(desk_of(world), number, "won")
    row = await world.pool.fetchrow("SELECT * FROM cases WHERE id = $1", number)
    assert row is not None
    assert (row["state"], row["stage"], row["closed_at"]) == ("closed", "won", world.clock.now())
    assert await told(world) == ["CaseOpened", "CaseMoved", "CaseMoved", "CaseClosed"]
    moved = (await world.events(*CASE_EVENTS))[1]
    assert moved["data"] == {"kind": "sale", "old": "lead", "new": "offer"}
    with pytest.raises(Conflict, match="is closed"):
        await move_case(desk_of(world), number, "offer")
    await reopen_case(desk_of(world), number)
    row = await world.pool.fetchrow("SELECT * FROM cases WHERE id = $1", number)
    assert row is not None
    assert (row["state"], row["stage"], row["closed_at"]) == ("open", "negotiation", None)
    with pytest.raises(Conflict, match="is open already"):
        await reopen_case(desk_of(world), number)


async def test_a_stage_of_another_type_is_refused_with_those_there_are(world: World) -> None:
    number = await open_case(desk_of(world), NewCase("sale", "Roof"))
    with pytest.raises(InvalidInput, match="Choose lead, need, offer"):
        await move_case(desk_of(world), number, "hearing")


async def test_of_two_people_with_the_same_version_one_is_refused(world: World) -> None:
    number = await open_case(desk_of(world), NewCase("sale", "Roof"))
    results = await asyncio.gather(
        move_case(desk_of(world), number, "need", 1),
        change_case(desk_of(world, world.paul), number, {"title": "Two roofs"}, 1),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
    assert await world.pool.fetchval("SELECT version FROM cases") == 2


async def test_a_needed_field_has_to_be_there_before_a_case_is_closed(world: World) -> None:
    await apply_types(world.pool, read_types(LOAN))
    number = await open_case(desk_of(world), NewCase("loan", "A drill"))
    for closing in (
        close_case(desk_of(world), number),
        move_case(desk_of(world), number, "back"),
    ):
        with pytest.raises(InvalidInput, match="needed before the case is closed") as caught:
            await closing
        assert caught.value.field == "fields.deposit"
    assert await told(world) == ["CaseOpened"]
    await change_case(desk_of(world), number, {"fields": {"deposit": 0}})
    await close_case(desk_of(world), number, stage="back")
    assert (await told(world))[-2:] == ["CaseMoved", "CaseClosed"]


async def test_every_change_is_told_with_old_and_new_and_nothing_else_is(world: World) -> None:
    number = await open_case(desk_of(world), NewCase("sale", "Roof", fields={"amount": 5}))
    given = {
        "title": "Roof",
        "owner_id": world.paul,
        "fields": {"amount": None, "product": "Tiles"},
    }
    await change_case(desk_of(world), number, given)
    events = (await world.events(*CASE_EVENTS))[1:]
    assert [event["data"] for event in events] == [
        {"kind": "sale", "field": "owner_id", "old": world.claire, "new": world.paul},
        {"kind": "sale", "field": "fields.amount", "old": 5, "new": None},
        {"kind": "sale", "field": "fields.product", "old": None, "new": "Tiles"},
    ]
    assert await world.pool.fetchval("SELECT fields FROM cases") == {"product": "Tiles"}
    await change_case(desk_of(world), number, given)
    assert len(await told(world)) == 4
    with pytest.raises(InvalidInput, match="is not changed here"):
        await change_case(desk_of(world), number, {"stage": "won"})


async def test_contacts_have_roles_of_the_type_and_colleagues_become_members(world: World) -> None:
    ana, number = await world.contact("Ana"), await open_case(desk_of(world), NewCase("sale", "Roof"))
    with pytest.raises(InvalidInput, match="buyer, decider"):
        await add_contact(desk_of(world), number, ana, "lawyer")
    await add_contact(desk_of(world), number, ana, "buyer")
    await add_contact(desk_of(world), number, ana, "buyer")
    await add_contact(desk_of(world), number, ana, "decider")
    assert [tuple(row) for row in await world.pool.fetch("SELECT contact_id, part FROM case_contacts")] == [
        (ana, "decider")
    ]
    await add_member(desk_of(world), number, world.zoe)
    await remove_member(desk_of(world), number, world.zoe)
    await remove_contact(desk_of(world), number, ana)
    assert await told(world) == ["CaseOpened", *["CaseChanged"] * 5]
    assert await world.pool.fetchval("SELECT count(*) FROM case_contacts") == 0


async def test_a_conversation_a_task_and_a_message_belong_to_one_case_at_most(world: World) -> None:
    ana = await world.contact("Ana")
    roof = await open_case(desk_of(world), NewCase("sale", "Roof"))
    fence = await open_case(desk_of(world), NewCase("sale", "Fence"))
    made = {
        Thing.CONVERSATION: await world.pool.fetchval(
            "INSERT INTO conversations (contact_id) VALUES ($1) RETURNING id", ana
        ),
        Thing.TASK: await world.pool.fetchval(
            "INSERT INTO tasks (kind, title, contact_id, decide_by, due, opened_at)"
            " VALUES ('todo', 'Measure it', $1, now(), now(), now()) RETURNING id",
            ana,
        ),
        Thing.MESSAGE: await world.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id) VALUES ('in', 'voice', $1) RETURNING id",
            ana,
        ),
    }
    for thing, number in made.items():
        await put_into_case(desk_of(world), roof, thing, number)
        await put_into_case(desk_of(world), roof, thing, number)
        with pytest.raises(Conflict, match="another case already"):
            await put_into_case(desk_of(world), fence, thing, number)
        with pytest.raises(NotFound):
            await take_out_of_case(desk_of(world), fence, thing, number)
    assert await world.pool.fetchval("SELECT contact_id FROM case_contacts WHERE case_id = $1", roof) == ana
    for thing, number in made.items():
        await take_out_of_case(desk_of(world), roof, thing, number)
        await put_into_case(desk_of(world), fence, thing, number)
    kinds = [kind for kind in await told(world) if kind in ("CaseJoined", "CaseLeft")]
    assert (kinds.count("CaseJoined"), kinds.count("CaseLeft")) == (6, 3)


async def test_a_message_of_a_conversation_goes_with_it(world: World) -> None:
    roof = await open_case(desk_of(world), NewCase("sale", "Roof"))
    message = await world.pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('in', 'mail', 3) RETURNING id"
    )
    with pytest.raises(Conflict, match="Put the conversation into the case"):
        await put_into_case(desk_of(world), roof, Thing.MESSAGE, message)

"""The pages of cases: open one, move it, write its fields, put things into it, change the types at their place."""

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


async def test_a_case_is_opened_from_a_contact_and_goes_its_way(
    house: House, pool: Pool, world: World
) -> None:
    rep, ana = await enter(house, "rep"), world.contacts[0]
    assert "/cases/new?contact=" in (await rep.get(f"/contacts/{ana}")).text
    assert "For Claire Dubreuil" in (await rep.get(f"/cases/new?contact={ana}&kind=sale")).words
    page = await rep.post("/cases/new", {"contact": str(ana), "kind": "sale", "title": "Roof", "owner": ""})
    assert page.status == 200, page.words
    assert "The case is open." in page.words
    case = await pool.fetchval("SELECT max(id) FROM cases")
    page = await rep.post(f"/cases/{case}/stage", {"stage": "offer", "version": "1"})
    assert "Lead → Offer sent" in page.words
    page = await rep.post(f"/cases/{case}/stage", {"stage": "need", "version": "1"})
    assert page.status == 409
    assert "Somebody changed this case meanwhile" in page.words
    given = {"title": "Roof", "version": "2", "owner": "", "team": "", "fields.amount": "many"}
    page = await rep.post(f"/cases/{case}/change", given)
    assert (page.status, "Write it like 1200" in page.words) == (422, True)
    page = await rep.post(f"/cases/{case}/change", given | {"fields.amount": "1 200"})
    assert "Amount (€): – → 1,200" in page.words
    page = await rep.post(f"/cases/{case}/notes", {"text": "They compare three offers."})
    assert "They compare three offers." in page.words
    assert "Roof" in (await rep.get("/cases?kind=sale&view=board")).words
    assert "Roof" in (await rep.get(f"/contacts/{ana}")).words
    page = await rep.post(f"/cases/{case}/close", {"version": ""})
    assert "closed: Offer sent" in page.words
    assert "Roof" in (await rep.get("/cases?box=closed")).words
    assert "The case is open again." in (await rep.post(f"/cases/{case}/reopen")).words


async def test_contacts_and_tasks_are_put_into_a_case_and_taken_out(
    house: House, pool: Pool, world: World
) -> None:
    rep = await enter(house, "rep")
    await rep.get("/cases/new")
    await rep.post("/cases/new", {"kind": "sale", "title": "Roof"})
    case = await pool.fetchval("SELECT max(id) FROM cases")
    page = await rep.post(f"/cases/{case}/contacts", {"contact": "Nobody at all", "role": "buyer"})
    assert "Nobody is found by these words." in page.words
    page = await rep.post(f"/cases/{case}/contacts", {"contact": "Claire Dubreuil", "role": "buyer"})
    assert "Claire Dubreuil Buyer" in page.words
    task = await pool.fetchval("SELECT id FROM tasks WHERE contact_id = $1 LIMIT 1", world.contacts[0])
    assert f'value="task-{task}"' in page.text
    await rep.post(f"/cases/{case}/things", {"thing": f"task-{task}"})
    assert await pool.fetchval("SELECT case_id FROM tasks WHERE id = $1", task) == case
    await rep.post(f"/cases/{case}/things", {"thing": f"task-{task}", "out": "yes"})
    assert await pool.fetchval("SELECT case_id FROM tasks WHERE id = $1", task) is None
    assert (await rep.post(f"/cases/{case}/things", {"thing": "planet-3"})).status == 422
    await rep.post(f"/cases/{case}/contacts", {"remove": str(world.contacts[0])})
    assert await pool.fetchval("SELECT count(*) FROM case_contacts WHERE case_id = $1", case) == 0


async def test_a_confidential_case_has_no_page_for_others(house: House, pool: Pool, world: World) -> None:
    manager, rep = await enter(house, "manager"), await enter(house, "rep")
    await manager.get("/cases/new")
    await manager.post(
        "/cases/new", {"kind": "dispute", "title": "Secret invoice", "owner": str(world.users["manager"])}
    )
    case = await pool.fetchval("SELECT max(id) FROM cases")
    assert "Secret invoice" in (await manager.get("/cases")).words
    for path in ("/cases", "/cases?q=Secret", "/cases?kind=dispute&view=board", "/cases?kind=dispute"):
        assert "Secret" not in (await rep.get(path)).words.replace("“Secret”", ""), path
    assert (await rep.get(f"/cases/{case}")).status == 404
    page = await manager.post(f"/cases/{case}/members", {"user": str(world.users["rep"])})
    assert "Rosa Martin" in page.words
    assert "Secret invoice" in (await rep.get(f"/cases/{case}")).words


async def test_types_are_changed_as_a_text_with_mistakes_at_their_line(
    house: House, pool: Pool, world: World
) -> None:
    manager = await enter(house, "manager")
    page = await manager.get("/cases/types")
    assert "- name: sale" in page.words
    seen = (await manager.call("GET", "/case-types"))[1]["types"]
    page = await manager.post("/cases/types", {"types": "- name: loan\n  stages: 3\n", "seen": seen})
    assert page.status == 422
    assert "2: type loan stages: is no list." in page.words
    gone = await manager.post(
        "/cases/types", {"types": "- name: loan\n  stages: [{name: asked}]\n", "seen": seen}
    )
    assert "there are cases of the type sale" in gone.words
    loan = {"types": f"{seen}- name: loan\n  stages: [{{name: asked}}]\n", "seen": seen}
    assert "The types are saved." in (await manager.post("/cases/types", loan)).words
    assert "Somebody changed the types meanwhile" in (await manager.post("/cases/types", loan)).words
    assert (await (await enter(house, "rep")).get("/cases/types")).status == 403

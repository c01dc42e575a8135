"""An action that fails is tried again by itself; the rest of its rule goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.router.world import World

TWO = """
- name: call-and-note
  when: [Opened, Clicked]
  once: contact
  then:
    - open_task: {kind: callback, title: "Call {contact.name}", assign: {team: sales}}
    - note: "{contact.name} read the letter"
"""


async def _due_now(world: World) -> None:
    await world.pool.execute("UPDATE rule_deeds SET due_at = now() WHERE state = 'due'")


async def _deeds(world: World) -> list[Any]:
    return list(await world.pool.fetch("SELECT action, state, attempts, trouble FROM rule_deeds ORDER BY id"))


async def test_the_rest_of_a_rule_goes_on_when_an_action_fails(world: World) -> None:
    await world.apply(TWO)
    await world.pool.execute("UPDATE teams SET name = 'vente' WHERE id = $1", world.sales)
    await world.hit(await world.contact())
    await world.route()
    assert await world.tasks() == []
    assert await world.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 1
    assert await world.runs() == [("call-and-note", "acted")]
    deeds = await world.pool.fetchval("SELECT deeds FROM rule_runs")
    assert [(deed["action"], deed["state"]) for deed in deeds] == [("open_task", "failed"), ("note", "done")]
    assert "There is no team 'sales' any more" in deeds[0]["reason"]


async def test_a_failed_action_is_done_once_its_cause_is_mended(world: World) -> None:
    await world.apply(TWO)
    await world.pool.execute("UPDATE teams SET name = 'vente' WHERE id = $1", world.sales)
    await world.hit(await world.contact())
    await world.route()
    await world.pool.execute("UPDATE teams SET name = 'sales' WHERE id = $1", world.sales)
    await world.pass_time(timedelta(minutes=1))
    assert await world.tasks() == []  # not yet due
    await _due_now(world)
    await world.pass_time(timedelta(minutes=1))
    await world.pass_time(timedelta(minutes=1))
    assert [task["title"] for task in await world.tasks()] == ["Call Ana Sousa"]
    assert [tuple(row)[:3] for row in await _deeds(world)] == [("open_task", "done", 2)]
    assert await world.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 1


async def test_an_action_that_always_fails_ends_in_the_list(world: World) -> None:
    await world.apply(TWO)
    await world.pool.execute("UPDATE teams SET name = 'vente' WHERE id = $1", world.sales)
    await world.hit(await world.contact())
    await world.route()
    for _ in range(8):
        await _due_now(world)
        await world.pass_time(timedelta(minutes=1))
    (deed,) = await _deeds(world)
    assert (deed["state"], deed["attempts"]) == ("failed", 5)
    assert "There is no team" in deed["trouble"]


@pytest.mark.parametrize("broken", ["tasks", "nothing"])
async def test_an_action_that_the_database_refuses_leaves_the_others_done(world: World, broken: str) -> None:
    await world.apply(TWO)
    if broken == "tasks":
        await world.pool.execute("ALTER TABLE tasks ADD CONSTRAINT broken CHECK (kind <> 'callback')")
    await world.hit(await world.contact())
    await world.route()
    assert await world.runs() == [("call-and-note", "acted")]
    assert await world.pool.fetchval("SELECT count(*) FROM events WHERE type = 'Noted'") == 1
    states = [deed["state"] for deed in await world.pool.fetchval("SELECT deeds FROM rule_runs")]
    assert states == (["failed", "done"] if broken == "tasks" else ["done", "done"])

"""A callback needs a legal basis: it is shown on the task, and without one the task is not opened and the log says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts.consent import grant
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.errors import InvalidInput
from domain.events import EventType
from domain.tasks import TaskKind
from router.backtest import backtest
from router.rule_files import InvalidRules, read_rules
from router.tasks import Request, get_task, open_task
from tests.router.world import CALLBACK, World

SUMMER = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)  # three weeks after the day from which consumers must agree


async def basis(world: World) -> list[Any]:
    return [task["details"]["call"].get("basis") for task in await world.tasks()]


async def agree(world: World, contact: int, at: datetime) -> None:
    entry = ConsentEntry(contact, Purpose.CALLS, ConsentState.GRANTED, "You may call me", "form", at)
    await grant(world.pool, [entry])


async def test_an_unasked_call_to_a_french_consumer_is_refused_since_august(world: World) -> None:
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    assert await basis(world) == ["no_objection"]  # in March
    world.clock.advance(SUMMER - world.clock.now())
    ana = await world.contact("Ana Lima")
    await world.hit(ana)
    await world.route()
    assert len(await world.tasks()) == 1
    assert (await world.runs())[-1] == ("call-openers", "refused")
    assert (await world.reasons())[-1] == (
        "there is no legal basis for a call: no consent, no contract, no request of the contact"
    )
    await agree(world, ana, world.clock.now())
    await world.hit(ana)  # the refusal did not use up the once of the rule
    await world.route()
    assert await basis(world) == ["no_objection", "consent"]
    task, _ = await get_task(world.pool, (await world.tasks())[-1]["id"])
    assert task.details["call"]["since"] == world.clock.now().isoformat()


async def test_the_other_actions_of_a_refused_callback_go_on(world: World) -> None:
    await world.apply(CALLBACK + "    - note: read it\n")
    ana = await world.contact()
    await world.consent(ana, "calls", "withdrawn")
    await world.hit(ana)
    await world.route()
    assert await world.tasks() == []
    assert len(await world.events(EventType.NOTED)) == 1
    (deeds,) = [row["deeds"] for row in await world.pool.fetch("SELECT deeds FROM rule_runs")]
    assert [deed["state"] for deed in deeds] == ["refused", "done"]
    assert deeds[0]["reason"] == "the contact does not want to be called"
    assert await world.pool.fetchval("SELECT count(*) FROM rule_deeds") == 0  # nothing is tried again


async def test_customers_and_professionals_may_be_called(world: World) -> None:
    world.clock.advance(SUMMER - world.clock.now())
    await world.apply(CALLBACK)
    await world.hit(await world.contact("Bo", relation="customer"))
    await world.hit(await world.contact("Cy", organisation="Cy & Co"))
    await world.route()
    assert await basis(world) == ["contract", "professional"]


async def test_who_writes_or_calls_asks_for_an_answer(world: World) -> None:
    world.clock.advance(SUMMER - world.clock.now())
    then = CALLBACK.split("  then:\n")[1].replace(" about {campaign.name}", "")
    await world.apply(f"- name: answer\n  when: [Received, CallEnded]\n  then:\n{then}")
    ana = await world.contact()
    await world.tell(EventType.RECEIVED, ana)
    await world.tell(EventType.CALL_ENDED, ana, data={"direction": "out", "result": "missed"})
    await world.tell(EventType.CALL_ENDED, ana, data={"direction": "in", "result": "missed"})
    await world.route()
    assert await basis(world) == ["request", "request"]


async def test_a_rule_says_that_a_click_asks_for_a_call(world: World) -> None:
    world.clock.advance(SUMMER - world.clock.now())
    await world.apply(CALLBACK + "        asked: true\n")
    await world.hit(await world.contact(), type=EventType.CLICKED)
    await world.route()
    assert await basis(world) == ["request"]
    with pytest.raises(InvalidRules, match="only a callback can be asked for"):
        await world.apply(CALLBACK.replace("callback", "todo") + "        asked: true\n")


async def test_a_person_asks_for_a_call_only_with_a_basis(world: World) -> None:
    ana = await world.contact()
    await world.consent(ana, "calls", "withdrawn")
    request = Request(TaskKind.CALLBACK, "Call Ana", world.mona, assignee_id=world.claire, contact_id=ana)
    with pytest.raises(InvalidInput, match="contact_id: does not want to be called"):
        await open_task(world.pool, request, now=world.clock.now())
    bo = await world.contact("Bo")
    request = Request(TaskKind.CALLBACK, "Call Bo", world.mona, assignee_id=world.claire, contact_id=bo)
    with pytest.raises(InvalidInput, match="may not be called"):
        await open_task(world.pool, request, now=SUMMER)
    asked = Request(
        TaskKind.CALLBACK, "Call Bo", world.mona, assignee_id=world.claire, contact_id=bo, asked=True
    )
    task = await open_task(world.pool, asked, now=SUMMER)
    assert task.details["call"] == {"basis": "request", "since": SUMMER.isoformat()}


async def test_a_country_of_the_settings_lets_consumers_be_called(world: World) -> None:
    world.router.settings = world.router.settings.model_copy(update={"call_consumers_in": ("gb",)})
    world.clock.advance(SUMMER - world.clock.now())
    await world.apply(CALLBACK)
    await world.hit(await world.contact(country="GB"))
    await world.hit(await world.contact(country="DE"))
    await world.route()
    assert await basis(world) == ["no_objection"]


async def test_a_test_on_the_past_knows_what_was_agreed_then(world: World) -> None:
    world.clock.advance(SUMMER - world.clock.now())
    ana = await world.contact()
    await world.tell(EventType.NOTED, ana)
    await agree(world, ana, SUMMER + timedelta(days=1))
    world.clock.advance(timedelta(days=2))
    await world.tell(EventType.NOTED, ana)
    then = CALLBACK.split("  then:\n")[1].replace(" about {campaign.name}", "")
    draft = [one.rule for one in read_rules(f"- name: a\n  when: Noted\n  once: contact\n  then:\n{then}")]
    trial = await backtest(
        world.pool, draft, SUMMER - timedelta(days=1), SUMMER + timedelta(days=5), world.router.settings
    )
    assert (trial.draft.results["refused"], trial.draft.actions["open_task"]) == (1, 1)

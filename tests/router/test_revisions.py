"""A later finding changes a verdict: rules are asked again, act once, and open tasks tell their people."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from domain.events import EventType
from tests.router.world import CALLBACK, World
from tests.tracking.town import Letter, open_recorder, send_letter
from tracking.judge import judge_due
from tracking.settings import TrackingSettings

AT_ONCE = TrackingSettings(settle_seconds=0.001)

CALL_READERS = """
- name: call-readers
  when: [Opened, Clicked]
  once: {per: [contact, campaign], within: 30d}
  then: [{open_task: {kind: todo, title: "Look after {contact.name}", assign: {team: sales}}}]
"""
REMIND = """
- name: remind
  when: Opened
  unless: {field: contact.relation, is: customer}
  then: [{note: seen}]
"""


async def hit(world: World, letter: Letter, kind: str, ago: float, **facts: object) -> None:
    """Somebody hits a letter, `ago` seconds before now; it is judged and routed."""
    async with open_recorder(world.pool, AT_ONCE) as recorder:
        await recorder.put(letter.hit(kind, occurred_at=world.clock.now(), **facts))
    await world.pool.execute(
        "UPDATE hits SET arrived_at = now() - $1 * interval '1 second' WHERE judged_at IS NULL", ago
    )
    await asyncio.sleep(0.01)
    await judge_due(world.pool, AT_ONCE)
    await world.route()


async def revise(world: World, event_id: int, verdict: str) -> None:
    """The judge finds something new about a hit, and the router hears of it."""
    await world.judge(event_id, verdict)
    await world.pool.execute(
        "INSERT INTO pending_events (lane, event_id, recorded_at)"
        " SELECT contact_id % 32, event_id, recorded_at FROM hits WHERE event_id = $1",
        event_id,
    )
    await world.route()


async def test_an_unclear_open_becomes_a_task_once_its_reader_clicks(world: World) -> None:
    await world.apply(CALL_READERS.replace("[Opened, Clicked]", "Opened"))
    letter = await send_letter(world.pool)
    await hit(world, letter, "Opened", 600, agent="Mozilla/5.0")  # a proxy that looks like nothing else
    assert await world.reasons() == ["judged unsure"]
    assert await world.tasks() == []
    await hit(world, letter, "Clicked", 1, link_no=1)
    (task,) = await world.tasks()
    assert task["contact_id"] == letter.contact_id
    assert await world.runs() == [("call-readers", "refused"), ("call-readers", "acted")]


async def test_a_revised_open_and_its_click_make_one_task_and_the_other_is_logged_as_repeated(
    world: World,
) -> None:
    await world.apply(CALL_READERS)
    letter = await send_letter(world.pool)
    await hit(world, letter, "Opened", 600, agent="Mozilla/5.0")
    await hit(world, letter, "Clicked", 1, link_no=1)
    assert len(await world.tasks()) == 1
    assert sorted(result for _, result in await world.runs()) == ["acted", "refused", "repeated"]


async def test_a_task_whose_click_turns_out_automatic_stays_and_tells_its_people(world: World) -> None:
    await world.apply(CALL_READERS)
    letter = await send_letter(world.pool)
    await hit(world, letter, "Clicked", 4, link_no=1)
    await hit(world, letter, "Clicked", 3, link_no=2)
    await hit(world, letter, "Clicked", 2, link_no=3)  # now it is a scanner's burst
    (task,) = await world.tasks()
    assert (task["state"], task["version"], task["details"]["evidence"]) == ("offered", 1, "machine")
    (told,) = await world.events(EventType.CHANGED)
    assert (told["task_id"], told["contact_id"]) == (task["id"], letter.contact_id)
    assert told["data"] == {
        "kind": "todo",
        "field": "task.evidence",
        "old": "human",
        "new": "machine",
        "about": task["event_id"],
    }


async def test_evidence_that_comes_back_is_told_too_and_acts_no_second_time(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact())
    await world.route()
    for verdict in ("machine", "machine", "human"):
        await revise(world, event, verdict)
    told = [(row["data"]["old"], row["data"]["new"]) for row in await world.events(EventType.CHANGED)]
    assert told == [("human", "machine"), ("machine", "human")]
    assert len(await world.tasks()) == 1
    assert (await world.runs())[-1] == ("call-openers", "repeated")
    assert (await world.reasons())[-1] == "it acted on this event before"


async def test_a_closed_task_is_not_told(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact())
    await world.route()
    await world.pool.execute("UPDATE tasks SET state = 'done', closed_at = now()")
    await revise(world, event, "machine")
    assert await world.events(EventType.CHANGED) == []


async def test_a_rule_that_refused_for_another_reason_is_not_asked_again(world: World) -> None:
    await world.apply(REMIND)
    ana = await world.contact(relation="customer")
    event = await world.hit(ana)
    await world.route()
    await world.pool.execute("UPDATE contacts SET relation = 'prospect' WHERE id = $1", ana)
    world.clock.advance(timedelta(days=9))
    await revise(world, event, "human")
    assert await world.runs() == [("remind", "refused")]
    assert await world.reasons() == ["unless holds"]

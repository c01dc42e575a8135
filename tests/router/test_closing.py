"""Tasks close by themselves when their reason goes away, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from domain.events import EventType
from domain.tasks import TaskKind, TaskMove
from router.tasks import Request, move_task, open_task
from tests.router.world import CALLBACK, World

TALKED = {"channel": "voice", "direction": "out", "result": "answered"}


async def callback(world: World, more: str = "") -> Any:
    """A callback task, offered to Claire."""
    await world.apply(CALLBACK + more)
    ana = await world.contact()
    await world.hit(ana)
    await world.route()
    (task,) = await world.tasks()
    return task


async def states(world: World) -> list[tuple[str, Any]]:
    return [(task["state"], task["details"].get("closed")) for task in await world.tasks()]


@pytest.mark.parametrize(
    ("type", "data", "reason"),
    [
        (EventType.ANSWERED, {"channel": "mail"}, "answered"),
        (EventType.CALL_ENDED, TALKED, "called"),
        (EventType.CALL_ENDED, TALKED | {"direction": "in"}, "called"),
        (EventType.WITHDRAWN, {"purpose": "calls"}, "withdrawn"),
    ],
)
async def test_a_callback_closes_when_its_reason_goes_away(
    world: World, type: EventType, data: dict[str, Any], reason: str
) -> None:
    task = await callback(world)
    event = await world.tell(type, task["contact_id"], data=data)
    await world.route()
    assert await states(world) == [("cancelled", reason)]
    (told,) = await world.events(EventType.CHANGED)
    assert (told["data"]["closed"], told["data"]["about"]) == (reason, event)
    assert await world.pool.fetchval("SELECT count(*) FROM timers") == 0
    assert await world.pool.fetchval("SELECT state FROM task_offers") == "withdrawn"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        (EventType.ANSWERED, {"channel": "voice"}),  # the call has only begun
        (EventType.CALL_ENDED, TALKED | {"result": "no_answer"}),
        (EventType.WITHDRAWN, {"purpose": "newsletter"}),
    ],
)
async def test_what_leaves_the_reason_standing_closes_nothing(
    world: World, type: EventType, data: dict[str, Any]
) -> None:
    task = await callback(world)
    await world.tell(type, task["contact_id"], data=data)
    await world.tell(EventType.ANSWERED, await world.contact("Bo"), data={"channel": "mail"})
    await world.route()
    assert await states(world) == [("offered", None)]


async def test_the_call_of_a_task_does_not_close_the_task_itself(world: World) -> None:
    task = await callback(world)
    await world.tell(EventType.CALL_ENDED, task["contact_id"], data=TALKED, task_id=task["id"])
    await world.route()
    assert await states(world) == [("offered", None)]


async def test_a_task_that_somebody_is_at_work_on_stays(world: World) -> None:
    task = await callback(world)
    now = world.clock.now()
    await move_task(world.pool, task["id"], 1, TaskMove.ACCEPT, world.claire, now=now)
    await move_task(world.pool, task["id"], 2, TaskMove.START, world.claire, now=now)
    await world.tell(EventType.ANSWERED, task["contact_id"], data={"channel": "mail"})
    await world.route()
    assert await states(world) == [("in_progress", None)]


async def test_a_rule_says_what_closes_its_tasks(world: World) -> None:
    task = await callback(world, "        close_when: [withdrawn]\n")
    await world.tell(EventType.ANSWERED, task["contact_id"], data={"channel": "mail"})
    await world.route()
    assert await states(world) == [("offered", None)]
    await world.tell(EventType.WITHDRAWN, task["contact_id"], data={"purpose": "calls"})
    await world.route()
    assert await states(world) == [("cancelled", "withdrawn")]


async def test_requested_callbacks_close_too_and_to_dos_do_not_without_any_rule(world: World) -> None:
    ana = await world.contact(relation="customer")
    for kind in (TaskKind.CALLBACK, TaskKind.TODO):
        request = Request(kind, "Ana", world.mona, assignee_id=world.claire, contact_id=ana)
        await open_task(world.pool, request, now=world.clock.now())
    await world.tell(EventType.ANSWERED, ana, data={"channel": "sms"})
    await world.route()
    assert await states(world) == [("cancelled", "answered"), ("offered", None)]


async def test_a_reply_to_a_contact_that_was_merged_closes_the_task_of_the_one_it_lives_on_in(
    world: World,
) -> None:
    task = await callback(world)
    await world.pool.execute(
        "INSERT INTO contact_aliases (old_id, contact_id) VALUES (4711, $1)", task["contact_id"]
    )
    await world.tell(EventType.ANSWERED, 4711, data={"channel": "mail"})
    await world.route()
    assert await states(world) == [("cancelled", "answered")]


async def test_a_call_that_the_contact_asked_for_is_owed_after_a_reply_too(world: World) -> None:
    task = await callback(world, "        asked: true\n")
    await world.tell(EventType.ANSWERED, task["contact_id"], data={"channel": "mail"})
    await world.route()
    assert await states(world) == [("offered", None)]
    await world.tell(EventType.CALL_ENDED, task["contact_id"], data=TALKED)
    await world.route()
    assert await states(world) == [("cancelled", "called")]

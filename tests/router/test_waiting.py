"""Rules that wait: for the judgement of a hit, for their own time, and through restarts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.events import EventType
from domain.tasks import TaskMove
from router.loop import Router
from router.tasks import move_task
from storage.announce import Announcer
from tests.router.world import CALLBACK, MONDAY, World

SECOND = timedelta(seconds=1)

NO_CLICK = """
- name: remind
  when: Opened
  judged: any
  hold: 24h
  unless: {did: Clicked, within: 24h}
  once: contact
  then: [{open_task: {kind: todo, title: "Remind {contact.name}", assign: {team: sales}}}]
"""


async def test_a_rule_waits_until_the_hit_is_judged(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact(), verdict="unsure", judged=False, settles_in=20 * SECOND)
    await world.route()
    assert await world.tasks() == []
    assert await world.runs() == [("call-openers", "held")]
    assert await world.pass_time(15 * SECOND) == 0  # before the settle window is over nothing is due
    await world.judge(event, "human")
    assert await world.pass_time(7 * SECOND) == 1
    assert len(await world.tasks()) == 1
    assert await world.runs() == [("call-openers", "held"), ("call-openers", "acted")]
    assert await world.pool.fetchval("SELECT count(*) FROM timers WHERE kind = 'hold'") == 0


async def test_a_hit_that_turns_out_to_be_a_machine_makes_no_task(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact(), verdict="unsure", judged=False, settles_in=20 * SECOND)
    await world.route()
    await world.judge(event, "machine")
    await world.pass_time(30 * SECOND)
    assert await world.tasks() == []
    assert await world.reasons() == ["the hit is not judged yet", "judged machine"]


async def test_a_clock_that_runs_ahead_does_not_ask_too_early(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact(), verdict="unsure", judged=False, settles_in=20 * SECOND)
    await world.route()
    for _ in range(3):  # the demo's clock leaps hours ahead while the settle window lasts in real time
        assert await world.pass_time(timedelta(hours=1)) == 1
    assert await world.runs() == [("call-openers", "held")]  # told once
    await world.judge(event, "human")
    await world.pass_time(30 * SECOND)
    assert len(await world.tasks()) == 1


@pytest.mark.parametrize("hold", ["", "  hold: 1h\n"])
async def test_a_withdrawal_while_a_rule_waits_leaves_the_hit_without_a_task(world: World, hold: str) -> None:
    await world.apply(CALLBACK.replace("  once:", f"{hold}  once:"))
    ana = await world.contact()
    event = await world.hit(ana, verdict="unsure", judged=False, settles_in=20 * SECOND)
    await world.route()
    await world.judge(event, "human")
    await world.consent(ana, "measure", "withdrawn")
    await world.pass_time(timedelta(hours=2))
    assert await world.tasks() == []
    assert await world.runs() == [("call-openers", "held"), ("call-openers", "refused")]
    assert (await world.reasons())[-1] == "measure was withdrawn"


async def test_a_late_judge_is_asked_again_and_again(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact(), verdict="unsure", judged=False)
    await world.route()
    for _ in range(3):
        assert await world.pass_time(6 * SECOND) == 1
    await world.judge(event, "human")
    await world.pass_time(6 * SECOND)
    assert len(await world.tasks()) == 1


async def test_waiting_rules_survive_a_restart(world: World) -> None:
    await world.apply(CALLBACK)
    event = await world.hit(await world.contact(), verdict="unsure", judged=False, settles_in=5 * SECOND)
    await world.route()
    world.router = Router(world.pool, world.clock, Announcer(world.pool))  # knows nothing but the database
    await world.judge(event, "human")
    await world.pass_time(10 * SECOND)
    assert len(await world.tasks()) == 1


async def test_a_rule_with_judged_any_does_not_wait(world: World) -> None:
    await world.apply("- {name: all-opens, when: Opened, judged: any, then: [{note: opened}]}")
    await world.hit(await world.contact(), verdict="unsure", judged=False, settles_in=20 * SECOND)
    await world.route()
    assert await world.runs() == [("all-opens", "acted")]


async def test_a_rule_for_machines_acts_on_machines(world: World) -> None:
    await world.apply("- {name: scanners, when: Clicked, judged: machine, then: [{note: scanned}]}")
    ana = await world.contact()
    await world.hit(ana, type=EventType.CLICKED, verdict="machine")
    await world.hit(ana, type=EventType.CLICKED, verdict="human")
    await world.route()
    assert await world.runs() == [("scanners", "acted"), ("scanners", "refused")]


async def test_an_absence_is_noticed_when_its_time_is_over(world: World) -> None:
    await world.apply(NO_CLICK)
    ana, ben = await world.contact("Ana"), await world.contact("Ben")
    await world.hit(ana)
    await world.hit(ben)
    await world.route()
    await world.pass_time(timedelta(hours=3))
    await world.hit(ben, type=EventType.CLICKED)
    assert await world.pass_time(timedelta(hours=20)) == 0
    await world.pass_time(timedelta(hours=2))
    assert [task["title"] for task in await world.tasks()] == ["Remind Ana"]
    assert sorted(await world.runs()) == [
        ("remind", "acted"),
        ("remind", "held"),
        ("remind", "held"),
        ("remind", "refused"),
    ]
    assert (await world.reasons())[-1] == "unless holds" or (await world.reasons())[-2] == "unless holds"


async def test_where_must_still_hold_when_the_wait_is_over(world: World) -> None:
    await world.apply(
        NO_CLICK.replace(
            "  judged: any\n", "  judged: any\n  where: {field: contact.relation, is: prospect}\n"
        )
    )
    ana = await world.contact()
    await world.hit(ana)
    await world.route()
    await world.pool.execute("UPDATE contacts SET relation = 'customer' WHERE id = $1", ana)
    await world.pass_time(timedelta(hours=25))
    assert await world.tasks() == []


async def test_a_rule_that_was_switched_off_meanwhile_does_nothing(world: World) -> None:
    await world.apply(NO_CLICK)
    await world.hit(await world.contact())
    await world.route()
    await world.apply(NO_CLICK.replace("  when:", "  active: false\n  when:"))
    await world.pass_time(timedelta(hours=25))
    assert await world.tasks() == []
    assert await world.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_an_undecided_task_goes_from_the_owner_to_the_team_and_to_its_manager(world: World) -> None:
    await world.apply(CALLBACK.replace("due_within: 4 working hours", "due_within: 3 working days"))
    await world.hit(await world.contact())
    await world.route()
    await world.pass_time(timedelta(hours=5))
    (task,) = await world.tasks()
    assert (task["state"], task["assignee_id"]) == ("offered", world.claire)
    await world.pass_time(timedelta(hours=1))
    (task,) = await world.tasks()
    assert (task["state"], task["assignee_id"], task["version"]) == ("offered", None, 2)
    # four working hours from Monday 16:00 in Paris
    assert task["decide_by"] == MONDAY + timedelta(days=1, hours=1)
    await world.pass_time(timedelta(hours=20))
    (task,) = await world.tasks()
    assert (task["state"], task["assignee_id"], task["version"]) == ("escalated", world.mona, 3)
    assert task["escalated_at"] == world.clock.now()
    (event,) = await world.events(EventType.TASK_ESCALATED)
    assert (event["data"]["clock"], event["data"]["from"], event["data"]["to"]) == (
        "decide_by",
        None,
        world.mona,
    )
    await world.pass_time(timedelta(days=3))  # its due passes too, and it is told again
    assert [row["data"]["clock"] for row in await world.events(EventType.TASK_ESCALATED)] == [
        "decide_by",
        "due",
    ]
    assert await world.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_a_move_on_a_late_task_does_not_escalate_it_again(world: World) -> None:
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    for move in (TaskMove.ACCEPT, TaskMove.START):
        (row,) = await world.tasks()
        await move_task(world.pool, row["id"], row["version"], move, world.claire, now=world.clock.now())
        await world.pass_time(timedelta(days=2))
    (event,) = await world.events(EventType.TASK_ESCALATED)
    assert event["data"]["clock"] == "due"


async def test_asking_a_supervisor_for_help_does_not_escalate_a_late_decision_again(world: World) -> None:
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    await world.pass_time(timedelta(days=2))
    (row,) = await world.tasks()
    await move_task(
        world.pool, row["id"], row["version"], TaskMove.ESCALATE, world.mona, now=world.clock.now()
    )
    await world.pass_time(timedelta(days=1))
    events = await world.events(EventType.TASK_ESCALATED)
    assert [event["data"]["clock"] for event in events] == ["due", "person"]


async def test_a_clock_that_has_passed_but_not_rung_still_rings_after_a_move(world: World) -> None:
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    (row,) = await world.tasks()
    world.clock.advance(timedelta(days=2))  # nothing looked at the timers meanwhile
    await move_task(
        world.pool, row["id"], row["version"], TaskMove.ACCEPT, world.claire, now=world.clock.now()
    )
    await world.pass_time(SECOND)
    (event,) = await world.events(EventType.TASK_ESCALATED)
    assert event["data"]["clock"] == "due"


async def test_both_clocks_that_passed_at_once_escalate_once(world: World) -> None:
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    await world.pass_time(timedelta(days=30))
    (event,) = await world.events(EventType.TASK_ESCALATED)
    assert event["data"]["clock"] == "due"


async def test_without_a_manager_an_administrator_gets_what_nobody_decided(world: World) -> None:
    await world.pool.execute("UPDATE users SET active = false WHERE id = $1", world.mona)
    await world.apply(CALLBACK)
    await world.hit(await world.contact())
    await world.route()
    await world.pass_time(timedelta(days=1))
    (task,) = await world.tasks()
    assert task["assignee_id"] == world.admin


async def test_escalations_can_set_off_rules(world: World) -> None:
    await world.apply(
        CALLBACK + "- {name: late, when: TaskEscalated, then: [{note: 'late: {event.data.clock}'}]}\n"
    )
    await world.hit(await world.contact())
    await world.route()
    await world.pass_time(timedelta(days=1))
    assert ("late", "acted") in await world.runs()

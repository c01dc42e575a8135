"""Offers of real tasks: who gets them first, what a decline and silence make of them, several routers at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import Conflict
from domain.events import EventType
from domain.tasks import TaskMove, TaskState
from router.loop import Router, route_once
from router.rule_files import InvalidRules
from router.tasks import Task, get_task, move_task
from storage.announce import Announcer
from tests.router.world import World

RULE = """
- name: call-openers
  when: Opened
  then:
    - open_task:
        kind: callback
        title: Call {contact.name}
        due_within: 5 working days
        decide_within: 4 working hours
        assign: ASSIGN
"""


async def opened(world: World, assign: str, **contact: Any) -> Task:
    """The task that a rule with this `assign` opens for an open of a new contact."""
    await world.apply(RULE.replace("ASSIGN", assign))
    await world.hit(await world.contact(**contact))
    await world.route()
    return (await get_task(world.pool, (await world.tasks())[-1]["id"]))[0]


async def decline(world: World, task: Task, person: int) -> Task:
    task = (await get_task(world.pool, task.id))[0]
    return await move_task(
        world.pool, task.id, task.version, TaskMove.DECLINE, person, now=world.clock.now(), reason="no_time"
    )


async def offers(world: World, task: Task) -> list[tuple[int, int | None, str]]:
    rows = await world.pool.fetch(
        "SELECT step, user_id, state FROM task_offers WHERE task_id = $1 ORDER BY id", task.id
    )
    return [(row["step"], row["user_id"], row["state"]) for row in rows]


async def away(world: World, person: int, deputy: int | None = None) -> None:
    now = world.clock.now()
    await world.pool.execute(
        "INSERT INTO absences (user_id, starts_at, ends_at, deputy_id) VALUES ($1, $2, $3, $4)",
        person,
        now - timedelta(days=1),
        now + timedelta(days=10),
        deputy,
    )


async def test_who_declines_hands_on_until_a_supervisor_decides(world: World) -> None:
    task = await opened(world, "[{owner: true}, {team: sales, by: round_robin}, {supervisor: true}]")
    assert task.assignee_id == world.claire
    task = await decline(world, task, world.claire)
    assert (task.state, task.assignee_id) == (TaskState.OFFERED, world.paul)
    task = await decline(world, task, world.paul)
    assert (task.state, task.assignee_id) == (TaskState.OFFERED, world.mona)  # a member of sales as well
    task = await decline(world, task, world.mona)
    assert (task.state, task.assignee_id) == (TaskState.ESCALATED, world.admin)
    task = await decline(world, task, world.admin)
    assert (task.state, task.closed_at) == (TaskState.DECLINED, world.clock.now())  # everybody was asked
    assert await offers(world, task) == [
        (0, world.claire, "declined"),
        (1, world.paul, "declined"),
        (1, world.mona, "declined"),
        (2, world.admin, "declined"),
    ]
    told = await world.events(EventType.TASK_DECLINED, EventType.TASK_OPENED, EventType.TASK_ESCALATED)
    again = ["TaskDeclined", "TaskOpened"]
    last = ["TaskDeclined", "TaskEscalated", "TaskDeclined"]
    assert [event["type"] for event in told] == ["TaskOpened", *again, *again, *last]


async def test_a_member_who_declines_leaves_the_task_to_the_rest_of_the_team(world: World) -> None:
    task = await opened(world, "{team: sales}")
    before = task.decide_by
    task = await decline(world, task, world.paul)
    assert (task.state, task.assignee_id, task.decide_by) == (TaskState.OFFERED, None, before)
    assert await offers(world, task) == [(0, None, "offered"), (0, world.paul, "declined")]
    task = await decline(world, task, world.claire)
    task = await decline(world, task, world.mona)
    assert (task.state, task.assignee_id) == (TaskState.ESCALATED, world.admin)


async def test_silence_goes_to_the_next_step_when_its_own_time_is_over(world: World) -> None:
    task = await opened(
        world, "[{owner: true, within: 30 working minutes}, {person: zoe@example.org}, {supervisor: true}]"
    )
    assert task.decide_by == world.clock.now() + timedelta(minutes=30)
    await world.pass_time(timedelta(minutes=29))
    assert (await get_task(world.pool, task.id))[0].assignee_id == world.claire
    await world.pass_time(timedelta(minutes=1))
    task = (await get_task(world.pool, task.id))[0]
    assert (task.state, task.assignee_id) == (TaskState.OFFERED, world.zoe)
    assert task.decide_by == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # four hours, with the break at noon
    await world.pass_time(timedelta(hours=6))
    task = (await get_task(world.pool, task.id))[0]
    assert (task.state, task.assignee_id) == (TaskState.ESCALATED, world.mona)
    assert [state for _, _, state in await offers(world, task)] == ["timed_out", "timed_out", "offered"]


async def test_the_old_form_means_owner_then_team_then_supervisor(world: World) -> None:
    task = await opened(world, "{owner: true, else_team: sales}")
    assert [step["who"] for step in task.details["steps"]] == ["owner", "team", "supervisor"]
    assert (await opened(world, "{owner: true, else_team: sales}", owner_id=None)).assignee_id is None


async def test_a_deputy_answers_for_an_absent_owner_and_the_task_says_so(world: World) -> None:
    await away(world, world.claire, deputy=world.zoe)
    task = await opened(world, "{owner: true, else_team: sales}")
    assert (task.assignee_id, task.details["deputy_of"]) == (world.zoe, world.claire)


async def test_skill_and_language_find_their_person(world: World) -> None:
    await world.pool.execute(
        "UPDATE users SET skills = '{contracts}', languages = '{pt}' WHERE id = $1", world.zoe
    )
    await world.pool.execute("UPDATE users SET skills = '{contracts}' WHERE id = $1", world.paul)
    task = await opened(world, "[{skill: Contracts, language: contact}]", language="pt")
    assert task.assignee_id == world.zoe


async def test_full_people_are_passed_over(world: World) -> None:
    await world.pool.execute("UPDATE users SET capacity = $2 WHERE id = $1", world.claire, {"voice": 1})
    await world.apply(RULE.replace("ASSIGN", "[{owner: true}, {person: paul@example.org}]"))
    for _ in range(3):
        await world.hit(await world.contact())
    await world.route()
    assert [task["assignee_id"] for task in await world.tasks()] == [world.claire, world.paul, world.paul]


async def test_two_reps_never_both_win_an_offer(world: World) -> None:
    task = await opened(world, "{team: sales}")
    moves = [(TaskMove.ACCEPT, world.claire), (TaskMove.ACCEPT, world.paul), (TaskMove.DECLINE, world.mona)]
    results = await asyncio.gather(
        *(
            move_task(world.pool, task.id, task.version, move, who, now=world.clock.now(), reason="no_time")
            for move, who in moves
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 2
    states = [state for _, _, state in await offers(world, task)]
    assert states.count("accepted") <= 1
    assert states.count("accepted") + states.count("offered") == 1


async def test_several_routers_at_once_assign_fairly_within_one(world: World) -> None:
    await world.apply(RULE.replace("ASSIGN", "[{team: sales, by: round_robin}]"))
    for _ in range(60):
        await world.hit(await world.contact())
    routers = [
        Router(
            world.pool,
            world.clock,
            Announcer(world.pool),
            world.router.settings.model_copy(update={"batch": 5, "lanes_at_once": 2}),
        )
        for _ in range(3)
    ]

    async def work(router: Router) -> None:
        idle = 0
        while idle < 5:
            idle = 0 if await route_once(router) else idle + 1

    await asyncio.gather(*(work(router) for router in routers))
    for router in routers:
        await router.announcer.close()
    counts = Counter(task["assignee_id"] for task in await world.tasks())
    assert counts == {world.claire: 20, world.paul: 20, world.mona: 20}


async def test_members_are_asked_by_their_weight(world: World) -> None:
    await world.pool.execute("UPDATE team_members SET weight = 0 WHERE user_id = $1", world.mona)
    await world.pool.execute("UPDATE team_members SET weight = 3 WHERE user_id = $1", world.paul)
    await world.apply(RULE.replace("ASSIGN", "[{team: sales, by: weighted}]"))
    for _ in range(20):
        await world.hit(await world.contact())
    await world.route()
    counts = Counter(task["assignee_id"] for task in await world.tasks())
    assert counts == {world.paul: 15, world.claire: 5}


async def test_a_day_off_of_the_team_is_no_working_time(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO team_days_off (team_id, day, name) VALUES ($1, '2026-03-02', 'Works outing')",
        world.sales,
    )
    task = await opened(world, "{team: sales}")
    # Tuesday from 9:00 to 12:30 in Paris, and half an hour after the break
    assert task.decide_by == datetime(2026, 3, 3, 13, 30, tzinfo=UTC)


async def test_accepting_for_a_colleague_withdraws_the_offer_to_the_colleague(world: World) -> None:
    task = await opened(world, "{owner: true, else_team: sales}")
    await move_task(world.pool, task.id, task.version, TaskMove.ACCEPT, world.paul, now=world.clock.now())
    assert await offers(world, task) == [(0, world.claire, "withdrawn"), (0, world.paul, "accepted")]


@pytest.mark.parametrize(
    ("assign", "says"),
    [
        ("[{team: sale}]", r"assign\[0\]\.team: there is no team 'sale'. Did you mean 'sales'\?"),
        ("[{person: zo@example.org}]", "there is no person 'zo@example.org'. Did you mean 'zoe@example.org'"),
        ("[{owner: true, team: sales}]", r"assign\[0\]: a step asks one target"),
        ("[{owner: true, by: weighted}]", "by chooses among several people"),
        ("[]", r"assign: is empty"),
        ("[{team: sales, by: lottery}]", "'lottery' is unknown here"),
    ],
)
async def test_a_wrong_step_is_refused_with_its_place(world: World, assign: str, says: str) -> None:
    with pytest.raises(InvalidRules, match=says):
        await world.apply(RULE.replace("ASSIGN", assign))

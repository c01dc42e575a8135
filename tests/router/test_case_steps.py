"""Task templates: steps come in their order, a second person checks, and whatever ends a task lets the case go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Forbidden
from domain.tasks import TaskMove
from router.cases.opening import NewCase, open_case
from router.cases.steps import OVER, Going, StepState, progress
from router.cases.templates import Step, Who
from router.cases.type_files import read_types
from router.cases.type_store import apply_types
from router.tasks import move_task
from router.timers import run_due_timers
from tests.router.test_cases import desk_of
from tests.router.world import World

HIRING = """
- name: hiring
  stages: [{name: received}, {name: hired, ends: true}]
  team: sales
  templates:
    - name: usual
      starts: true
      steps:
        - {name: read, task: "Read the papers of {contact.name}", assign: {owner: true}}
        - {name: call, kind: callback, task: Call a referee, assign: {team: sales}}
        - name: offer
          task: "Write the contract for {case.title}"
          assign: {person: paul@example.org}
          after: [read, call]
          check: {owner: true}
        - {name: welcome, task: Order a desk, assign: {team: sales}, after: offer}
"""


async def tick(world: World) -> None:
    while await run_due_timers(world.router):
        pass


async def open_tasks(world: World) -> dict[str, Any]:
    rows = await world.pool.fetch(
        "SELECT * FROM tasks WHERE state NOT IN ('done', 'cancelled', 'declined') ORDER BY id"
    )
    return {row["title"]: row for row in rows}


async def states(world: World) -> list[str]:
    return [row["state"] for row in await world.pool.fetch("SELECT state FROM case_steps ORDER BY no")]


async def finish(world: World, title: str, actor: int, result: str = "done", note: str = "") -> None:
    task = (await open_tasks(world))[title]
    for move, outcome in ((TaskMove.ACCEPT, None), (TaskMove.FINISH, {"result": result, "note": note})):
        version = await world.pool.fetchval("SELECT version FROM tasks WHERE id = $1", task["id"])
        await move_task(world.pool, task["id"], version, move, actor, now=world.clock.now(), outcome=outcome)
    await tick(world)


async def begin(world: World) -> int:
    await apply_types(world.pool, read_types(HIRING))
    ana = await world.contact("Ana")
    number = await open_case(
        desk_of(world), NewCase("hiring", "Ana", owner_id=world.claire, contacts=((ana, ""),))
    )
    await tick(world)
    return number


async def test_steps_become_tasks_when_what_they_come_after_is_done(world: World) -> None:
    number = await begin(world)
    there = await open_tasks(world)
    assert list(there) == ["Read the papers of Ana", "Call a referee"]
    read, call = there.values()
    assert (read["assignee_id"], read["case_id"], read["kind"]) == (world.claire, number, "todo")
    assert (call["assignee_id"], call["team_id"], call["kind"]) == (None, world.sales, "callback")
    await finish(world, "Read the papers of Ana", world.claire)
    assert await states(world) == ["done", "open", "waiting", "waiting"]
    await finish(world, "Call a referee", world.mona, "reached")
    assert await states(world) == ["done", "done", "open", "waiting"]
    assert (await open_tasks(world))["Write the contract for Ana"]["assignee_id"] == world.paul


async def test_a_second_person_checks_and_sends_it_back_until_it_is_right(world: World) -> None:
    await begin(world)
    await finish(world, "Read the papers of Ana", world.claire)
    await finish(world, "Call a referee", world.mona, "reached")
    await finish(world, "Write the contract for Ana", world.paul)
    assert await states(world) == ["done", "done", "checking", "waiting"]
    check = (await open_tasks(world))["✓ Write the contract for Ana"]
    assert check["assignee_id"] == world.claire
    with pytest.raises(Forbidden, match="second person"):
        await move_task(world.pool, check["id"], 1, TaskMove.ACCEPT, world.paul, now=world.clock.now())
    await finish(world, "✓ Write the contract for Ana", world.claire, "not_possible", "The salary is wrong.")
    again = (await open_tasks(world))["Write the contract for Ana"]
    assert again["assignee_id"] == world.paul
    assert again["details"]["description"] == "The salary is wrong."
    await finish(world, "Write the contract for Ana", world.paul)
    await finish(world, "✓ Write the contract for Ana", world.claire)
    assert await states(world) == ["done", "done", "done", "open"]
    assert await world.pool.fetchval("SELECT rounds FROM case_steps WHERE name = 'offer'") == 2


async def test_whoever_did_a_step_does_not_get_its_check(world: World) -> None:
    await begin(world)
    await world.pool.execute("UPDATE cases SET owner_id = $1", world.paul)
    await finish(world, "Read the papers of Ana", world.claire)
    await finish(world, "Call a referee", world.mona, "reached")
    await finish(world, "Write the contract for Ana", world.paul)
    check = (await open_tasks(world))["✓ Write the contract for Ana"]
    assert (check["assignee_id"], check["team_id"]) == (None, world.sales)


async def test_a_task_that_is_cancelled_or_not_possible_lets_the_others_go_on(world: World) -> None:
    await begin(world)
    await finish(world, "Read the papers of Ana", world.claire, "not_possible", "There are none.")
    await world.pool.execute("UPDATE tasks SET state = 'cancelled' WHERE title = 'Call a referee'")
    await tick(world)
    assert await states(world) == ["skipped", "skipped", "open", "waiting"]


async def test_a_closed_case_goes_on_with_nothing(world: World) -> None:
    await begin(world)
    await world.pool.execute("UPDATE cases SET state = 'closed'")
    await finish(world, "Read the papers of Ana", world.claire)
    assert (await states(world))[0] == "open"
    await world.pool.execute("UPDATE cases SET state = 'open'")
    await tick(world)
    assert (await states(world))[0] == "done"


@given(st.data())
def test_whatever_becomes_of_tasks_every_step_is_over_in_the_end_and_never_before_its_time(
    data: st.DataObject,
) -> None:
    count = data.draw(st.integers(1, 6))
    names = [f"s{number}" for number in range(count)]
    steps = []
    for number, name in enumerate(names):
        after = data.draw(st.sets(st.sampled_from(names[:number]))) if number else set()
        check = Who(owner=True) if data.draw(st.booleans()) else None
        step = Step(name=name, task=name, assign=Who(owner=True), after=tuple(sorted(after)), check=check)
        steps.append(Going(number, "t", step, StepState.WAITING))
    current = {step.id: step for step in steps}
    for round_ in range(200):
        for moved in progress(list(current.values())):
            if moved.state is StepState.OPEN:
                over = {one.step.name for one in current.values() if one.state in OVER}
                assert over.issuperset(set(moved.step.after) - _just_over(current))
            current[moved.id] = _with_tasks(moved, data, fair=round_ > 20)
        if all(step.state in OVER for step in current.values()):
            return
    raise AssertionError("some step is never over")


def _just_over(current: dict[int, Going]) -> set[str]:
    return {step.step.name for step in progress(list(current.values())) if step.state in OVER}


def _with_tasks(step: Going, data: st.DataObject, *, fair: bool) -> Going:
    """What people make of the task that it has now."""
    results = st.just("done") if fair else st.sampled_from(["done", "not_possible"])
    if step.state is StepState.OPEN:
        return replace(
            step, task_state=data.draw(st.sampled_from(["done", "cancelled"])), task_result=data.draw(results)
        )
    if step.state is StepState.CHECKING:
        return replace(step, check_state="done", check_result=data.draw(results))
    return step

"""Tasks as people handle them: moves, rivals, clocks, permissions, lists."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from domain.events import EventType
from domain.tasks import Priority, TaskKind, TaskMove, TaskState
from router.task_lists import TaskCounts, TaskFilter, count_tasks, list_tasks
from router.tasks import Request, Task, get_task, move_task, open_task
from tests.router.world import CALLBACK, MONDAY, World


async def callback(world: World, **columns: Any) -> Task:
    """A callback task that a rule opened."""
    await world.apply(CALLBACK.replace("due_within: 4 working hours", "due_within: 2 working days"))
    await world.hit(await world.contact(**columns))
    await world.route()
    row = (await world.tasks())[-1]
    task, _ = await get_task(world.pool, row["id"])
    return task


async def move(world: World, task: Task, move: TaskMove, actor: int, **more: Any) -> Task:
    return await move_task(world.pool, task.id, task.version, move, actor, now=world.clock.now(), **more)


async def timers(world: World, task: Task) -> dict[str, datetime]:
    rows = await world.pool.fetch(
        "SELECT kind, due_at FROM timers WHERE payload ->> 'task_id' = $1", str(task.id)
    )
    return {row["kind"]: row["due_at"] for row in rows}


async def test_a_rep_accepts_calls_and_records_the_outcome(world: World) -> None:
    task = await callback(world)
    assert set(await timers(world, task)) == {"decide_by", "due"}
    task = await move(world, task, TaskMove.ACCEPT, world.claire)
    assert (task.state, task.version) == (TaskState.ACCEPTED, 2)
    assert set(await timers(world, task)) == {"due"}
    task = await move(
        world, task, TaskMove.FINISH, world.claire, outcome={"result": "interested", "note": "wants an offer"}
    )
    assert (task.state, task.outcome) == (TaskState.DONE, {"result": "interested", "note": "wants an offer"})
    assert task.closed_at == world.clock.now()
    assert await timers(world, task) == {}
    accepted, done = await world.events(EventType.TASK_ACCEPTED, EventType.TASK_DONE)
    assert (accepted["actor_id"], accepted["contact_id"]) == (world.claire, task.contact_id)
    assert done["data"] == {"kind": "callback", "outcome": "interested"}
    assert done["campaign_id"] == world.spring
    texts = await world.pool.fetch("SELECT body FROM event_texts WHERE event_id = $1", done["id"])
    assert [row["body"] for row in texts] == ["wants an offer"]  # words stay apart from the event


async def test_an_outcome_is_an_event_that_rules_see(world: World) -> None:
    await world.apply(
        CALLBACK
        + """
- name: call-again
  when: TaskDone
  where: {field: event.outcome, in: [no_answer, call_again]}
  then: [{open_task: {kind: callback, title: "Call {contact.name} again", assign: {owner: true, else_team: sales}}}]
"""
    )
    await world.hit(await world.contact())
    await world.route()
    (row,) = await world.tasks()
    task, _ = await get_task(world.pool, row["id"])
    task = await move(world, task, TaskMove.ACCEPT, world.claire)
    await move(world, task, TaskMove.FINISH, world.claire, outcome={"result": "no_answer"})
    await world.route()
    assert [task["title"] for task in await world.tasks()][1:] == ["Call Ana Sousa again"]


async def test_two_people_cannot_both_accept(world: World) -> None:
    task = await callback(world, owner_id=None)
    results = await asyncio.gather(
        *(move(world, task, TaskMove.ACCEPT, person) for person in (world.claire, world.paul, world.mona)),
        return_exceptions=True,
    )
    won = [result for result in results if isinstance(result, Task)]
    lost = [result for result in results if isinstance(result, Conflict)]
    assert (len(won), len(lost)) == (1, 2)
    assert f"is accepted by {won[0].assignee_name} now" in str(lost[0])
    assert len(await world.events(EventType.TASK_ACCEPTED)) == 1


async def test_a_move_that_the_table_forbids_is_a_conflict(world: World) -> None:
    task = await callback(world)
    with pytest.raises(Conflict, match="offered cannot be moved"):
        await move(world, task, TaskMove.FINISH, world.claire, outcome={"result": "reached"})
    assert (await get_task(world.pool, task.id))[0] == task


async def test_only_those_concerned_may_move_a_task(world: World) -> None:
    task = await callback(world)
    with pytest.raises(Forbidden, match="belongs to other people"):
        await move(world, task, TaskMove.ACCEPT, world.zoe)
    with pytest.raises(Forbidden, match="“cancel” is for the requester or supervisor"):
        await move(world, task, TaskMove.CANCEL, world.claire)
    task = await move(world, task, TaskMove.ACCEPT, world.paul)  # a colleague of the same team helps out
    assert task.assignee_id == world.paul
    task = await move(world, task, TaskMove.CANCEL, world.admin, reason="the contact called us")
    assert task.state is TaskState.CANCELLED
    (event,) = await world.events(EventType.CHANGED)
    assert (event["data"]["field"], event["data"]["new"]) == ("task.state", "cancelled")


async def test_declining_takes_a_reason(world: World) -> None:
    task = await callback(world)
    with pytest.raises(InvalidInput, match="reason: is missing"):
        await move(world, task, TaskMove.DECLINE, world.claire)
    task = await move(world, task, TaskMove.DECLINE, world.claire, reason="He retired in May")
    (event,) = await world.events(EventType.TASK_DECLINED)
    assert event["data"]["reason"] == "other"  # a word that rules can ask for; the sentence is kept apart
    assert (task.state, task.assignee_id, task.team_id) == (TaskState.OFFERED, None, world.sales)


async def test_a_request_that_is_declined_goes_back_to_who_asked(world: World) -> None:
    request = Request(TaskKind.TODO, "Count the chairs", world.mona, assignee_id=world.claire)
    task = await open_task(world.pool, request, now=world.clock.now())
    task = await move(world, task, TaskMove.DECLINE, world.claire, reason="not_mine")
    assert (task.state, task.details["reason"]) == (TaskState.DECLINED, "not_mine")
    assert await timers(world, task) == {}
    task = await move(world, task, TaskMove.OFFER, world.mona, assignee_id=world.paul)
    assert (task.state, task.assignee_id, task.closed_at) == (TaskState.OFFERED, world.paul, None)
    assert set(await timers(world, task)) == {"decide_by", "due"}


async def test_rescheduling_begins_the_clocks_anew_at_the_later_time(world: World) -> None:
    task = await callback(world)
    with pytest.raises(InvalidInput, match="lies in the past"):
        await move(world, task, TaskMove.RESCHEDULE, world.claire, until=MONDAY - timedelta(hours=1))
    until = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)  # 9:00 in Paris, a week later
    task = await move(world, task, TaskMove.RESCHEDULE, world.claire, until=until)
    assert task.state is TaskState.RESCHEDULED
    assert task.decide_by == datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    assert await timers(world, task) == {"decide_by": task.decide_by, "due": task.due}
    assert await world.pass_time(timedelta(days=5)) == 0
    await world.pass_time(timedelta(days=3))
    late = (await get_task(world.pool, task.id))[0]
    assert (late.state, late.assignee_id) == (
        TaskState.OFFERED,
        None,
    )  # Claire did not come back to it: her team


async def test_a_question_stops_the_clocks_and_the_answer_starts_them_where_they_stood(world: World) -> None:
    task = await callback(world)
    world.clock.advance(timedelta(hours=1))
    task = await move(world, task, TaskMove.ASK, world.claire, question="Which number?")
    assert task.details["question"] == "Which number?"
    assert await timers(world, task) == {}
    assert await world.pass_time(timedelta(days=7)) == 0
    task = await move(world, task, TaskMove.ANSWER, world.mona, answer="The mobile one")
    assert task.state is TaskState.OFFERED
    # Monday 11:00 in Paris, three of four working hours were left
    assert task.decide_by == datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
    assert set(await timers(world, task)) == {"decide_by", "due"}


async def test_asking_for_help_hands_the_task_to_the_manager(world: World) -> None:
    task = await callback(world)
    task = await move(world, task, TaskMove.ESCALATE, world.claire, reason="They ask for a discount")
    assert (task.state, task.assignee_id, task.escalated_at) == (TaskState.ESCALATED, world.mona, MONDAY)
    (event,) = await world.events(EventType.TASK_ESCALATED)
    assert (event["data"]["clock"], event["actor_id"]) == ("person", world.claire)


async def test_a_late_task_stays_with_who_accepted_it_and_its_lateness_is_told(world: World) -> None:
    task = await callback(world)
    task = await move(world, task, TaskMove.ACCEPT, world.claire)
    await world.pass_time(timedelta(days=4))
    late, _ = await get_task(world.pool, task.id)
    assert (late.state, late.assignee_id) == (TaskState.ACCEPTED, world.claire)
    assert late.escalated_at == world.clock.now()
    (event,) = await world.events(EventType.TASK_ESCALATED)
    assert event["data"]["clock"] == "due"


async def test_a_person_asks_for_a_task(world: World) -> None:
    ana = await world.contact()
    request = Request(
        kind=TaskKind.TODO,
        title="  Send the  price list ",
        requester_id=world.zoe,
        team_id=world.sales,
        contact_id=ana,
        priority=Priority.HIGH,
        description="The one of 2026",
        key="form-1",
    )
    task = await open_task(world.pool, request, now=world.clock.now())
    assert (task.title, task.team_name, task.requester_name) == ("Send the price list", "sales", "Zoe")
    assert (await open_task(world.pool, request, now=world.clock.now())).id == task.id
    assert len(await world.events(EventType.TASK_OPENED)) == 1
    assert (await get_task(world.pool, task.id))[1] is None
    cancelled = await move(world, task, TaskMove.CANCEL, world.zoe)
    assert cancelled.state is TaskState.CANCELLED


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " "}, "title"),
        ({"team_id": None}, "assignee_id"),
        ({"team_id": 99999}, "team_id"),
        ({"assignee_id": 99999}, "assignee_id"),
        ({"decide_within": "soon"}, "decide_within"),
    ],
)
async def test_a_wrong_request_names_the_field(world: World, change: dict[str, Any], field: str) -> None:
    values: dict[str, Any] = {
        "kind": TaskKind.TODO,
        "title": "x",
        "requester_id": world.zoe,
        "team_id": world.sales,
    }
    with pytest.raises(InvalidInput) as caught:
        await open_task(world.pool, Request(**(values | change)), now=world.clock.now())
    assert caught.value.field == field
    assert await world.tasks() == []


async def test_an_unknown_task_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await get_task(world.pool, 4711)
    with pytest.raises(NotFound):
        await move_task(world.pool, 4711, 1, TaskMove.ACCEPT, world.claire, now=MONDAY)


async def _many(world: World, count: int) -> None:
    """Tasks of Claire, of Paul and of nobody in turn, due minute by minute; every tenth one is done."""
    await world.pool.execute(
        """
        INSERT INTO tasks (kind, title, state, team_id, assignee_id, decide_by, due, opened_at, closed_at)
        SELECT 'todo', 'Task ' || n, CASE WHEN n % 10 = 0 THEN 'done' ELSE 'offered' END, $1,
               CASE n % 3 WHEN 0 THEN $2::bigint WHEN 1 THEN $3::bigint END, $4::timestamptz + make_interval(mins => n / 2),
               $4::timestamptz + make_interval(mins => n / 2), $4, CASE WHEN n % 10 = 0 THEN $4::timestamptz + make_interval(mins => n / 20) END
        FROM generate_series(1, $5::int) n
        """,
        world.sales,
        world.claire,
        world.paul,
        MONDAY,
        count,
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"assignee_id": "claire"}, "state <> 'done' AND assignee_id = $1"),
        ({"worklist_of": "claire"}, "state <> 'done' AND (assignee_id = $1 OR assignee_id IS NULL)"),
        ({"team_id": "sales", "waiting": True}, "state <> 'done' AND assignee_id IS NULL AND $1 > 0"),
        ({"closed": True, "assignee_id": "claire"}, "state = 'done' AND assignee_id = $1"),
        ({"state": TaskState.DONE, "team_id": "sales"}, "state = 'done' AND $1 > 0"),
        (
            {"late_at": MONDAY + timedelta(minutes=50)},
            "state <> 'done' AND least(due, decide_by) < '2026-03-02 09:50+00' AND $1 > 0",
        ),
    ],
)
async def test_a_list_goes_page_by_page_without_gap_or_double(
    world: World, options: dict[str, Any], expected: str
) -> None:
    await _many(world, 300)
    filter = TaskFilter(
        **{name: getattr(world, value) if type(value) is str else value for name, value in options.items()}
    )
    order = (
        "closed_at DESC, id DESC"
        if "'done'" in expected and "<>" not in expected.split("AND")[0]
        else "due, id"
    )
    rows = await world.pool.fetch(f"SELECT id FROM tasks WHERE {expected} ORDER BY {order}", world.claire)
    seen: list[int] = []
    after: str | None = None
    while True:
        page = await list_tasks(world.pool, filter, after=after, limit=17)
        seen += [task.id for task in page.tasks]
        after = page.after
        if after is None:
            break
    assert seen == [row["id"] for row in rows]
    assert seen


async def test_a_foreign_cursor_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="after: is no place in this list"):
        await list_tasks(world.pool, TaskFilter(), after="abc!")


async def test_the_numbers_beside_a_list_count_own_waiting_and_late_tasks(world: World) -> None:
    await _many(world, 30)
    counts = await count_tasks(world.pool, world.claire, now=MONDAY + timedelta(minutes=5))
    assert counts == TaskCounts(mine=9, waiting=9, late=3)

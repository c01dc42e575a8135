"""Moves on tasks as the console and the API make them: who may see the task may try, the router's table decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.errors import NotFound
from domain.tasks import MOVERS, TaskMove, TaskMover
from router.tasks import move_task
from web.access.people import Person
from web.context import WebContext
from web.queries.tasks import TaskView, find_task


def parts_in(person: Person, task: TaskView) -> frozenset[TaskMover]:
    """What the person is to the task."""
    parts = set()
    if person.may("tasks.supervise"):
        parts.add(TaskMover.SUPERVISOR)
    if task.team_id in person.teams:
        parts.add(TaskMover.TEAM)
    if task.assignee_id == person.id:
        parts.add(TaskMover.ASSIGNEE)
    if task.requester_id == person.id:
        parts.add(TaskMover.REQUESTER)
    return frozenset(parts)


def moves_for(person: Person, task: TaskView) -> list[TaskMove]:
    """What this person may do to the task now."""
    parts = parts_in(person, task)
    return [move for move in task.moves if parts & MOVERS[move]]


async def make_move(
    context: WebContext,
    person: Person,
    task_id: int,
    *,
    move: TaskMove,
    version: int | None = None,
    words: str = "",
    until: datetime | None = None,
    outcome: Mapping[str, Any] | None = None,
    assignee_id: int | None = None,
    team_id: int | None = None,
) -> None:
    """Move a task. `words` is the reason, question or answer that goes with it; `version` the one that was seen.

    Raises NotFound for a task that this person may not see, and what router.tasks.move_task raises.
    """
    task = await find_task(context.pool, person, task_id, context.clock.now())
    if task is None:
        raise NotFound(f"There is no task {task_id}.")
    await move_task(
        context.pool,
        task_id,
        task.version if version is None else version,
        move,
        person.id,
        now=context.clock.now(),
        outcome=outcome,
        reason=words or None,
        until=until,
        question=words or None,
        answer=words or None,
        assignee_id=assignee_id,
        team_id=team_id,
        settings=context.router,
        announcer=context.announcer,
    )

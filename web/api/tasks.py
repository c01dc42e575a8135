"""Tasks: those one may see, and the moves on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.call_basis import CallBasis
from domain.errors import NotFound
from domain.tasks import Priority, TaskKind, TaskMove, TaskState
from router.task_lists import read_cursor, write_cursor
from web.access.permissions import Permission
from web.api.paging import PageQuery
from web.api.registry import Call, route
from web.console.event_words import describe_reason
from web.queries.tasks import Scope, TaskView, find_task, list_tasks
from web.work.tasks import make_move, moves_for


class TaskModel(BaseModel):
    """A task. `decide_by` is the time to respond before, `due` the time to be done by."""

    id: int
    kind: TaskKind
    title: str
    state: TaskState
    priority: Priority
    version: int
    decide_by: datetime
    due: datetime
    opened_at: datetime
    closed_at: datetime | None
    contact_id: int | None
    contact_name: str | None
    campaign_id: int | None
    campaign_name: str | None
    assignee_id: int | None
    assignee_name: str | None
    team_id: int | None
    team_name: str | None
    rule_id: int | None
    rule_name: str | None
    event_id: int | None
    reason: str = Field(description="Why it exists, in words, in the language asked for.")
    moves: list[TaskMove] = Field(description="What you may do to it now.")
    outcome: dict[str, Any]
    call_basis: CallBasis | None = Field(
        None, description="For a callback: what allows the call. Null for tasks that are older than this."
    )


class TaskPage(BaseModel):
    """Some tasks: open ones by due time, closed ones latest first."""

    items: list[TaskModel]
    next: str | None


class TaskQuery(PageQuery):
    """Which tasks."""

    scope: Scope = Field(
        Scope.MINE,
        description="mine, team, all (for supervisors), asked (by you, until you saw how they ended) or closed.",
    )
    contact_id: int | None = None
    campaign_id: int | None = None


class OutcomeInput(BaseModel):
    """How it ended."""

    model_config = ConfigDict(extra="forbid")

    result: str = Field(description="For a callback: reached, interested, no_answer…")
    note: str = Field("", max_length=4000)


class MoveInput(BaseModel):
    """A move, with what goes with it."""

    model_config = ConfigDict(extra="forbid")

    move: TaskMove
    version: int | None = Field(None, description="The version you saw; 409 when it changed since.")
    words: str = Field("", max_length=4000, description="The reason, the question or the answer.")
    until: AwareDatetime | None = Field(None, description="For reschedule.")
    outcome: OutcomeInput | None = Field(None, description="For finish.")
    assignee_id: int | None = Field(None, description="For offer.")
    team_id: int | None = Field(None, description="For offer.")


def _model(call: Call, task: TaskView) -> TaskModel:
    values = {
        name: task.row[name]
        for name in TaskModel.model_fields
        if name not in ("reason", "moves", "call_basis")
    }
    return TaskModel.model_validate(
        {
            **values,
            "reason": describe_reason(task),
            "moves": moves_for(call.person, task),
            "call_basis": task.row["details"].get("call", {}).get("basis"),
        }
    )


async def _find(call: Call) -> TaskView:
    task = await find_task(call.context.pool, call.person, call.number(), call.now)
    if task is None:
        raise NotFound(f"There is no task {call.number()}.")
    return task


@route(
    "GET", "/tasks", summary="List tasks", permission=Permission.TASKS_WORK, query=TaskQuery, answer=TaskPage
)
async def get_tasks(call: Call) -> TaskPage:
    """Only those that you may see."""
    query: TaskQuery = call.query
    found = await list_tasks(
        call.context.pool,
        call.person,
        query.scope,
        call.now,
        query.limit + 1,
        after=read_cursor(query.after) if query.after else None,
        contact_id=query.contact_id,
        campaign_id=query.campaign_id,
    )
    following = None
    if len(found) > query.limit:
        last = found[query.limit - 1]
        moment = last.closed_at if query.scope is Scope.CLOSED and last.closed_at else last.due
        following = write_cursor(moment, last.id)
    return TaskPage(items=[_model(call, task) for task in found[: query.limit]], next=following)


@route("GET", "/tasks/{id}", summary="One task", permission=Permission.TASKS_WORK, answer=TaskModel)
async def get_task(call: Call) -> TaskModel:
    """With the reason why it exists."""
    return _model(call, await _find(call))


@route(
    "POST",
    "/tasks/{id}/moves",
    summary="Move a task",
    permission=Permission.TASKS_WORK,
    body=MoveInput,
    answer=TaskModel,
)
async def post_move(call: Call) -> TaskModel:
    """Accept, decline, reschedule, ask, answer, start, finish, cancel, escalate, offer.

    A task that went to people whose tasks you may not see is given as you last saw it.
    """
    given: MoveInput = call.body
    before = await _find(call)
    await make_move(
        call.context,
        call.person,
        call.number(),
        move=given.move,
        version=given.version,
        words=given.words,
        until=given.until,
        outcome=given.outcome.model_dump() if given.outcome else None,
        assignee_id=given.assignee_id,
        team_id=given.team_id,
    )
    after = await find_task(call.context.pool, call.person, before.id, call.now)
    return _model(call, after or before)

"""Lists of tasks, page by page: by keyset, so that the last page of a million is as quick as the first."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.errors import InvalidInput
from domain.tasks import CLOSED_STATES, TaskState
from router.tasks import TASK_COLUMNS, TASK_JOINS, Task, read_task
from storage.pool import Pool

# These repeat the conditions of the partial indexes, word for word.
_OPEN: Final = "state NOT IN ('done','cancelled','declined')"
_CLOSED: Final = "state IN ('done','cancelled','declined')"
MOST: Final = 200


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks. Open ones come by due time, the soonest first; closed ones the latest first.

    `worklist_of` gives a person's own tasks and those that wait in the person's teams; it goes with no other person or
    team. `waiting` keeps those that nobody has yet; `late_at` those whose due, or time to decide, lies before.
    """

    worklist_of: int | None = None
    assignee_id: int | None = None
    team_id: int | None = None
    waiting: bool = False
    closed: bool = False
    state: TaskState | None = None
    contact_id: int | None = None
    campaign_id: int | None = None
    late_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some tasks, and where to go on; `after` is None at the end."""

    tasks: list[Task]
    after: str | None


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """What a person's list holds: own open tasks, those waiting in the person's teams, and how many are late."""

    mine: int
    waiting: int
    late: int


async def list_tasks(
    pool: Pool, filter: TaskFilter, *, after: str | None = None, limit: int = 50
) -> TaskPage:
    """One page of tasks. Raises InvalidInput for a cursor that is not ours."""
    limit = max(1, min(limit, MOST))
    closed = filter.closed or (filter.state in CLOSED_STATES)
    arguments: list[Any] = []

    def put(value: Any) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    wheres = [_CLOSED if closed else _OPEN]
    if filter.state is not None:
        wheres.append(f"state = {put(filter.state.value)}")
    if filter.contact_id is not None:
        wheres.append(f"contact_id = {put(filter.contact_id)}")
    if filter.campaign_id is not None:
        wheres.append(f"campaign_id = {put(filter.campaign_id)}")
    if filter.late_at is not None:
        at = put(filter.late_at)
        wheres.append(
            f"(due < {at} OR (decide_by < {at} AND state IN ('offered','escalated','rescheduled')))"
        )
    column, direction, beyond = ("closed_at", "DESC", "<") if closed else ("due", "ASC", ">")
    if after is not None:
        moment, id = read_cursor(after)
        wheres.append(f"({column}, id) {beyond} ({put(moment)}, {put(id)})")
    order = f"ORDER BY {column} {direction}, id {direction} LIMIT {put(limit + 1)}"

    def pick(*more: str) -> str:
        return f"(SELECT * FROM tasks WHERE {' AND '.join([*more, *wheres])} {order})"

    if filter.worklist_of is not None:
        me = put(filter.worklist_of)
        source = (
            f"(SELECT * FROM ({pick(f'assignee_id = {me}')} UNION ALL SELECT waiting.* FROM team_members mine"
            f" CROSS JOIN LATERAL {pick('team_id = mine.team_id', 'assignee_id IS NULL')} waiting"
            f" WHERE mine.user_id = {me}) both_lists {order})"
        )
    else:
        who = []
        if filter.assignee_id is not None:
            who.append(f"assignee_id = {put(filter.assignee_id)}")
        if filter.team_id is not None:
            who.append(f"team_id = {put(filter.team_id)}")
        if filter.waiting:
            who.append("assignee_id IS NULL")
        source = pick(*who)
    sql = f"SELECT {TASK_COLUMNS} FROM {source} t {TASK_JOINS} ORDER BY t.{column} {direction}, t.id {direction}"
    tasks = [read_task(row) for row in await pool.fetch(sql, *arguments)]
    if len(tasks) <= limit:
        return TaskPage(tasks, None)
    last = tasks[limit - 1]
    moment = last.closed_at if closed and last.closed_at is not None else last.due
    return TaskPage(tasks[:limit], write_cursor(moment, last.id))


async def count_tasks(pool: Pool, user_id: int, *, now: datetime) -> TaskCounts:
    """The numbers beside a person's list."""
    (row,) = await pool.fetch(
        f"""
        SELECT (SELECT count(*) FROM tasks WHERE assignee_id = $1 AND {_OPEN}) AS mine,
               (SELECT count(*) FROM tasks t JOIN team_members m ON m.team_id = t.team_id AND m.user_id = $1
                WHERE t.assignee_id IS NULL AND t.{_OPEN}) AS waiting,
               (SELECT count(*) FROM tasks WHERE assignee_id = $1 AND due < $2 AND {_OPEN}) AS late
        """,
        user_id,
        now,
    )
    return TaskCounts(row["mine"], row["waiting"], row["late"])


def write_cursor(moment: datetime, id: int) -> str:
    """Where a page ended, as a word for a URL."""
    return base64.urlsafe_b64encode(json.dumps([moment.isoformat(), id]).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, int]:
    """What `write_cursor` wrote. Raises InvalidInput."""
    try:
        moment, id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(moment), int(id)
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidInput("after", "is no place in this list.", "Begin with the first page.") from error

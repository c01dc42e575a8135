"""Tasks as people handle them: ask for one, look at one with the reason why it exists, move it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from domain.call_basis import CallRefusal
from domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from domain.events import NewEvent
from domain.tasks import (
    CLOSED_WHEN,
    MOVERS,
    CloseReason,
    Priority,
    TaskKind,
    TaskMove,
    TaskMover,
    TaskState,
    moves_from,
)
from router.actions.open_task import TaskPlan, open_tasks
from router.actions.work import Work
from router.assignment.handing_on import Decline, keep_move
from router.calendars import CALENDAR_COLUMNS, calendar_of
from router.call_rights import may_call_contact
from router.settings import RouterSettings
from router.spans import parse_span
from router.staff import Staff, find_supervisors
from router.task_moves import TaskFacts, Wish, plan_move
from router.then.base import LONGEST_NOTE, LONGEST_TITLE
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Connection, Pool

TASK_COLUMNS: Final = """
t.id, t.kind, t.title, t.state, t.priority, t.version, t.decide_by, t.due, t.opened_at, t.escalated_at, t.closed_at,
t.contact_id, c.name AS contact_name, t.campaign_id, k.name AS campaign_name, t.conversation_id, t.case_id,
t.assignee_id, u.name AS assignee_name, t.team_id, m.name AS team_name, t.requester_id, r.name AS requester_name,
t.rule_id, s.name AS rule_name, t.outcome, t.details
"""
TASK_JOINS: Final = """
LEFT JOIN contact_aliases a ON a.old_id = t.contact_id
LEFT JOIN contacts c ON c.id = coalesce(a.contact_id, t.contact_id)
LEFT JOIN campaigns k ON k.id = t.campaign_id
LEFT JOIN users u ON u.id = t.assignee_id
LEFT JOIN users r ON r.id = t.requester_id
LEFT JOIN teams m ON m.id = t.team_id
LEFT JOIN rules s ON s.id = t.rule_id
"""
_ONE: Final = f"SELECT {TASK_COLUMNS} FROM tasks t {TASK_JOINS} WHERE t.id = $1"
_WHY: Final = """
SELECT n.id AS run_id, n.created_at, n.matched, n.event_id, s.name AS rule, s.version AS rule_version,
       s.definition ->> 'description' AS rule_description, e.type AS event_type, e.occurred_at, e.data AS event_data
FROM rule_runs n
JOIN rules s ON s.id = n.rule_id
LEFT JOIN events e ON e.id = n.event_id
WHERE n.task_id = $1 ORDER BY n.id LIMIT 1
"""
_LOCK: Final = """
SELECT id, kind, title, state, version, contact_id, campaign_id, conversation_id, case_id, assignee_id, team_id,
       requester_id, decide_by, due, details
FROM tasks WHERE id = $1 FOR UPDATE
"""
_TEAM: Final = f"SELECT t.id, t.name, {CALENDAR_COLUMNS} FROM teams t WHERE t.id = $1"
_ACTOR: Final = """
SELECT u.role, EXISTS (SELECT FROM team_members m WHERE m.user_id = u.id AND m.team_id = $2) AS member
FROM users u WHERE u.id = $1 AND u.active
"""
_STORE: Final = """
UPDATE tasks SET state = $2, assignee_id = $3, team_id = $4, decide_by = $5, due = $6, closed_at = $7,
       escalated_at = coalesce($8, escalated_at), outcome = coalesce($9, outcome), details = $10, version = version + 1
WHERE id = $1
"""
_CLOCKS: Final = """
WITH gone AS (DELETE FROM timers WHERE key = ANY ($2::text[]))
INSERT INTO timers (kind, key, due_at, payload)
SELECT kind, kind || ':' || $1::bigint, due_at, jsonb_build_object('task_id', $1::bigint)
FROM unnest($3::text[], $4::timestamptz[]) AS given (kind, due_at)
ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at
"""
_SUPERVISING: Final = frozenset({"manager", "administrator"})


@dataclass(frozen=True, slots=True)
class Task:
    """A task with the names that people read. Times are business time in UTC."""

    id: int
    kind: TaskKind
    title: str
    state: TaskState
    priority: Priority
    version: int
    decide_by: datetime
    due: datetime
    opened_at: datetime
    escalated_at: datetime | None
    closed_at: datetime | None
    contact_id: int | None
    contact_name: str | None
    campaign_id: int | None
    campaign_name: str | None
    conversation_id: int | None
    case_id: int | None
    assignee_id: int | None
    assignee_name: str | None
    team_id: int | None
    team_name: str | None
    requester_id: int | None
    requester_name: str | None
    rule_id: int | None
    rule_name: str | None
    outcome: Mapping[str, Any]
    details: Mapping[str, Any]

    @property
    def moves(self) -> list[TaskMove]:
        """What the table of moves allows now, whoever asks."""
        return moves_from(self.state)


@dataclass(frozen=True, slots=True)
class Why:
    """The reason a task exists: the rule and its version, the event, and the values that were compared."""

    run_id: int
    rule: str
    rule_version: int
    rule_description: str
    event_id: int
    event_type: str | None
    occurred_at: datetime | None
    event_data: Mapping[str, Any]
    matched: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A task that a person asks for. `decide_within` and `due_within` are written like `4 working hours`."""

    kind: TaskKind
    title: str
    requester_id: int
    assignee_id: int | None = None
    team_id: int | None = None
    contact_id: int | None = None
    campaign_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None
    priority: Priority = Priority.NORMAL
    description: str = ""
    decide_within: str = "4 working hours"
    due_within: str = "2 working days"
    asked: bool = False  #: the contact asked to be called
    key: str | None = None  #: asking twice with the same key opens one task


def read_task(row: Any) -> Task:
    """A task from a row of TASK_COLUMNS."""
    fields = dict(row)
    fields["kind"] = TaskKind(fields["kind"])
    fields["state"] = TaskState(fields["state"])
    fields["priority"] = Priority(fields["priority"])
    return Task(**fields)


async def get_task(pool: Pool, task_id: int) -> tuple[Task, Why | None]:
    """A task and, when a rule opened it, why. Raises NotFound."""
    async with pool.acquire() as connection:
        task = await _read(connection, task_id)
        row = await connection.fetchrow(_WHY, task_id)
    if row is None:
        return task, None
    return task, Why(
        run_id=row["run_id"],
        rule=row["rule"],
        rule_version=row["rule_version"],
        rule_description=row["rule_description"] or "",
        event_id=row["event_id"],
        event_type=row["event_type"],
        occurred_at=row["occurred_at"],
        event_data=row["event_data"] or {},
        matched=row["matched"],
        at=row["created_at"],
    )


async def _read(connection: Connection, task_id: int) -> Task:
    row = await connection.fetchrow(_ONE, task_id)
    if row is None:
        raise NotFound(f"There is no task {task_id}.")
    return read_task(row)


async def open_task(
    pool: Pool,
    request: Request,
    *,
    now: datetime,
    settings: RouterSettings | None = None,
    announcer: Announcer | None = None,
) -> Task:
    """Open a task for a person, with its clocks and its event. Raises InvalidInput naming the field."""
    if not request.title.strip() or len(request.title) > LONGEST_TITLE:
        raise InvalidInput("title", "is empty or too long.", f"Write 1 to {LONGEST_TITLE} characters.")
    if len(request.description) > LONGEST_NOTE:
        raise InvalidInput("description", "is too long.", f"Write {LONGEST_NOTE} characters at most.")
    if request.assignee_id is None and request.team_id is None:
        raise InvalidInput("assignee_id", "is missing.", "Name a person or a team who gets the task.")
    spans = {}
    for name in ("decide_within", "due_within"):
        try:
            spans[name] = parse_span(getattr(request, name))
        except ValueError as error:
            raise InvalidInput(name, f"{error}.") from error
    details: dict[str, Any] = {name: str(span) for name, span in spans.items()}
    if request.description.strip():
        details["description"] = request.description.replace("\x00", "").strip()
    closes_when = CLOSED_WHEN.get(request.kind, ())
    if closes_when:
        details["close_when"] = [
            reason for reason in closes_when if not request.asked or reason is not CloseReason.ANSWERED
        ]
    async with pool.acquire() as connection, connection.transaction():
        await _see_people(connection, request.assignee_id, request.team_id)
        if request.kind is TaskKind.CALLBACK and request.contact_id is not None:
            details["call"] = await _find_call_right(connection, request, now, settings or RouterSettings())
        calendar = calendar_of(await _team(connection, request.team_id), settings or RouterSettings())
        decide_by = spans["decide_within"].after(now, calendar)
        plan = TaskPlan(
            kind=request.kind,
            title=" ".join(request.title.replace("\x00", "").split()),
            priority=request.priority,
            contact_id=request.contact_id,
            campaign_id=request.campaign_id,
            conversation_id=request.conversation_id,
            case_id=request.case_id,
            event_id=None,
            rule_id=None,
            requester_id=request.requester_id,
            assignee_id=request.assignee_id,
            team_id=request.team_id,
            key=f"person:{request.requester_id}:{request.key or uuid4().hex}",
            decide_by=decide_by,
            due=max(decide_by, spans["due_within"].after(now, calendar)),
            details=details,
        )
        work = Work(connection, now, Staff())
        (task_id,) = await open_tasks(work, [(plan, None)])
        await record(connection, work.events)
        if task_id is None:
            task_id = await connection.fetchval("SELECT id FROM tasks WHERE idempotency_key = $1", plan.key)
        task = await _read(connection, task_id)
    if announcer is not None:
        announcer.touch()
    return task


async def _find_call_right(
    connection: Connection, request: Request, now: datetime, settings: RouterSettings
) -> dict[str, str]:
    """What allows the call that a person asks for. Raises InvalidInput when nothing does."""
    assert request.contact_id is not None
    right = await may_call_contact(connection, request.contact_id, now, settings, asked=request.asked)
    if right.refusal is CallRefusal.WITHDRAWN:
        raise InvalidInput(
            "contact_id", "does not want to be called.", "Write instead, or wait until they ask for a call."
        )
    if right.refusal is not None:
        raise InvalidInput(
            "contact_id",
            "may not be called: there is no consent, no contract and no request of theirs.",
            "Ask for consent first, or say that they asked to be called.",
        )
    return right.written()


async def _team(connection: Connection, team_id: int | None) -> Any:
    team = await connection.fetchrow(_TEAM, team_id) if team_id is not None else None
    return team or {"hours": {}, "timezone": "UTC", "country": ""}


async def _see_people(connection: Connection, assignee_id: int | None, team_id: int | None) -> None:
    if assignee_id is not None and not await connection.fetchval(
        "SELECT true FROM users WHERE id = $1 AND active", assignee_id
    ):
        raise InvalidInput("assignee_id", "nobody active has this number.", "Choose another person.")
    if team_id is not None and not await connection.fetchval("SELECT true FROM teams WHERE id = $1", team_id):
        raise InvalidInput("team_id", "no team has this number.", "Choose another team.")


async def move_task(
    pool: Pool,
    task_id: int,
    version: int,
    move: TaskMove,
    actor_id: int,
    *,
    now: datetime,
    outcome: Mapping[str, Any] | None = None,
    reason: str | None = None,
    until: datetime | None = None,
    question: str | None = None,
    answer: str | None = None,
    assignee_id: int | None = None,
    team_id: int | None = None,
    settings: RouterSettings | None = None,
    announcer: Announcer | None = None,
) -> Task:
    """Move a task by the table in domain/tasks.py: state, clocks, timers and event in one transaction.

    `version` is the one that the person saw. FINISH takes `outcome` ({result, note}), DECLINE `reason` (a
    DeclineReason or words), RESCHEDULE `until`, ASK `question`, ANSWER `answer`, OFFER `assignee_id` or `team_id`.
    Raises Conflict when somebody else was faster or the table forbids the move, Forbidden when this person may not make
    it, InvalidInput for what is missing, NotFound.
    """
    settings = settings or RouterSettings()
    async with pool.acquire() as connection, connection.transaction():
        decline = None
        if move is TaskMove.DECLINE:
            decline = await Decline.prepare(connection, task_id, actor_id, now, settings)
        row = await connection.fetchrow(_LOCK, task_id)
        if row is None:
            raise NotFound(f"There is no task {task_id}.")
        if row["version"] != version:
            there = await _read(connection, task_id)
            by = f" by {there.assignee_name}" if there.assignee_name else ""
            state = there.state.value.replace("_", " ")
            raise Conflict(f"“{there.title}” changed meanwhile: it is {state}{by} now. Look at it again.")
        await _require_mover(connection, row, move, actor_id)
        if move is TaskMove.OFFER:
            await _see_people(connection, assignee_id, team_id)
        supervisors = (
            await find_supervisors(connection, [row["team_id"]]) if move is TaskMove.ESCALATE else {}
        )
        calendar = calendar_of(await _team(connection, row["team_id"]), settings)
        facts = TaskFacts(
            TaskKind(row["kind"]),
            TaskState(row["state"]),
            row["assignee_id"],
            row["team_id"],
            row["decide_by"],
            row["due"],
            row["details"],
        )
        wish = Wish(
            move=move,
            actor_id=actor_id,
            outcome=outcome,
            reason=reason,
            until=until,
            question=question,
            answer=answer,
            assignee_id=assignee_id,
            team_id=team_id,
            supervisor_id=supervisors.get(row["team_id"]),
        )
        change = plan_move(facts, wish, now, calendar)
        if decline is not None:
            change = await decline.hand_on(connection, facts, change, now)
        await connection.execute(
            _STORE,
            task_id,
            change.state.value,
            change.assignee_id,
            change.team_id,
            change.decide_by,
            change.due,
            change.closed_at,
            change.escalated_at,
            change.outcome,
            change.details,
        )
        running = change.clocks()
        stopped = [f"{clock}:{task_id}" for clock in ("decide_by", "due") if clock not in running]
        fresh = change.clocks_to_set(facts, now)
        await connection.execute(_CLOCKS, task_id, stopped, list(fresh), list(fresh.values()))
        event = NewEvent(
            change.event,
            now,
            contact_id=row["contact_id"],
            campaign_id=row["campaign_id"],
            conversation_id=row["conversation_id"],
            case_id=row["case_id"],
            task_id=task_id,
            actor_id=actor_id,
            data=change.data,
        )
        if decline is not None:
            more = await decline.keep(connection, dict(row), actor_id, now)
        else:
            more = []
            await keep_move(connection, task_id, move, change, actor_id, now)
        event_id, *_ = await record(connection, [event, *more])
        if change.text:
            await connection.execute(
                "INSERT INTO event_texts (event_id, body) VALUES ($1, $2)", event_id, change.text
            )
        task = await _read(connection, task_id)
    if announcer is not None:
        announcer.touch()
    return task


async def _require_mover(connection: Connection, task: Any, move: TaskMove, actor_id: int) -> None:
    actor = await connection.fetchrow(_ACTOR, actor_id, task["team_id"])
    parts: set[TaskMover] = set()
    if actor is not None:
        if actor["role"] in _SUPERVISING:
            parts.add(TaskMover.SUPERVISOR)
        if actor["member"]:
            parts.add(TaskMover.TEAM)
        if task["assignee_id"] == actor_id:
            parts.add(TaskMover.ASSIGNEE)
        if task["requester_id"] == actor_id:
            parts.add(TaskMover.REQUESTER)
    if not parts:
        raise Forbidden("This task belongs to other people.")
    if task["details"].get("not_by") == actor_id and move in (
        TaskMove.ACCEPT,
        TaskMove.START,
        TaskMove.FINISH,
    ):
        raise Forbidden("Whoever did this does not check it: a second person looks at it.")
    if not parts & MOVERS[move]:
        may = " or ".join(sorted(mover.value for mover in MOVERS[move]))
        raise Forbidden(f"“{move.value}” is for the {may} of a task.")

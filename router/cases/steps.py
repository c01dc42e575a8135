"""Task templates at work: each step becomes a task when its turn comes, and is checked by a second person when it says so.

What comes next is decided by `progress` alone, from how the tasks stand: whoever closed them, and however often it is
asked. The timers' loop asks at every tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from contacts.directory import load_contacts
from domain.predicates import Facts
from domain.tasks import Priority, TaskKind
from router.actions.open_task import TaskPlan, open_tasks
from router.actions.work import Work
from router.calendars import CALENDAR_COLUMNS, calendar_of
from router.cases.templates import Step, Who
from router.loop import Router
from router.settings import RouterSettings
from router.staff import Staff, find_supervisors
from router.templates import compile_template
from router.then.base import LONGEST_NOTE, LONGEST_TITLE
from storage.event_store import record
from storage.pool import Connection


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"  #: for the steps that it comes after
    OPEN = "open"  #: somebody has its task
    CHECKING = "checking"  #: a second person looks at what was done
    DONE = "done"
    SKIPPED = "skipped"  #: its task was cancelled, or ended as not possible


OVER: Final = frozenset({StepState.DONE, StepState.SKIPPED})
#: results of a task that did not do what was asked
_NOT_DONE: Final = frozenset({"not_possible", "not_held"})

#: cases in which a step has something to go on with
_DUE: Final = """
SELECT k.id FROM cases k WHERE k.state = 'open' AND k.id IN (
  SELECT s.case_id FROM case_steps s LEFT JOIN tasks t ON t.id = s.task_id LEFT JOIN tasks c ON c.id = s.check_id
  WHERE s.state IN ('waiting', 'open', 'checking') AND CASE s.state
    WHEN 'open' THEN t.state IN ('done', 'cancelled')
    WHEN 'checking' THEN c.state IN ('done', 'cancelled')
    ELSE NOT EXISTS (SELECT FROM case_steps b WHERE b.case_id = s.case_id AND b.template = s.template
                     AND s.definition -> 'after' ? b.name AND b.state NOT IN ('done', 'skipped')) END)
ORDER BY k.id LIMIT 1 FOR UPDATE OF k SKIP LOCKED
"""
_CASE: Final = """
SELECT k.id, k.kind, k.title, k.state, k.stage, k.owner_id, k.team_id, k.created_at, k.fields,
       (SELECT u.id FROM users u WHERE u.id = k.owner_id AND u.active) AS doer_id,
       (SELECT p.contact_id FROM case_contacts p WHERE p.case_id = k.id ORDER BY p.added_at, p.contact_id LIMIT 1)
         AS contact_id
FROM cases k WHERE k.id = $1
"""
_STEPS: Final = """
SELECT s.id, s.template, s.name, s.state, s.definition, s.rounds, s.done_by, t.state AS task_state,
       t.outcome ->> 'result' AS task_result, t.assignee_id AS task_doer, c.state AS check_state,
       c.outcome ->> 'result' AS check_result, c.outcome ->> 'note' AS check_note
FROM case_steps s LEFT JOIN tasks t ON t.id = s.task_id LEFT JOIN tasks c ON c.id = s.check_id
WHERE s.case_id = $1 ORDER BY s.template, s.no
"""
_WRITE: Final = """
UPDATE case_steps SET state = $2, task_id = coalesce($3, task_id), check_id = coalesce($4, check_id), rounds = $5,
       done_by = $6, done_at = $7
WHERE id = $1
"""
_TEAM: Final = f"SELECT t.id, {CALENDAR_COLUMNS} FROM teams t WHERE t.id = $1 OR t.name = $2"
_PERSON: Final = "SELECT id FROM users WHERE active AND lower(email) = lower($1)"


@dataclass(frozen=True, slots=True)
class Going:
    """A step as it stands, with what became of its task and of the task of whoever checks it."""

    id: int
    template: str
    step: Step
    state: StepState
    rounds: int = 0
    done_by: int | None = None
    task_state: str | None = None
    task_result: str | None = None
    task_doer: int | None = None
    check_state: str | None = None
    check_result: str | None = None
    check_note: str | None = None


def progress(steps: Sequence[Going]) -> list[Going]:
    """The steps that go on, as they are then: OPEN and CHECKING ones want a task. Pure."""
    after = {step.id: _ended(step) for step in steps}
    for step in steps:
        before = {one.step.name: one.state in OVER for one in after.values() if one.template == step.template}
        if step.state is StepState.WAITING and all(before.get(name, True) for name in step.step.after):
            after[step.id] = replace(step, state=StepState.OPEN, rounds=step.rounds + 1)
    return [after[step.id] for step in steps if after[step.id] != step]


def _ended(step: Going) -> Going:
    if step.state is StepState.OPEN and step.task_state == "cancelled":
        return replace(step, state=StepState.SKIPPED)
    if step.state is StepState.OPEN and step.task_state == "done":
        if step.task_result in _NOT_DONE:
            return replace(step, state=StepState.SKIPPED, done_by=step.task_doer)
        state = StepState.DONE if step.step.check is None else StepState.CHECKING
        return replace(step, state=state, done_by=step.task_doer)
    if step.state is StepState.CHECKING and step.check_state in ("done", "cancelled"):
        if step.check_state == "done" and step.check_result in _NOT_DONE:
            return replace(step, state=StepState.OPEN, rounds=step.rounds + 1)
        return replace(step, state=StepState.DONE)
    return step


async def go_on(router: Router) -> int:
    """Go on with the steps of one case; gives how many went on, 0 when none has to."""
    async with router.pool.acquire() as connection, connection.transaction():
        case_id = await connection.fetchval(_DUE)
        if case_id is None:
            return 0
        steps = [_read(row) for row in await connection.fetch(_STEPS, case_id)]
        moved = progress(steps)
        work = Work(connection, router.clock.now(), Staff())
        case = await connection.fetchrow(_CASE, case_id)
        for step in moved:
            await _keep(work, case, step, router.settings)
        await record(connection, work.events)
    router.announcer.touch()
    return len(moved)


def _read(row: Any) -> Going:
    return Going(
        row["id"],
        row["template"],
        Step.model_validate(row["definition"]),
        StepState(row["state"]),
        row["rounds"],
        row["done_by"],
        row["task_state"],
        row["task_result"],
        row["task_doer"],
        row["check_state"],
        row["check_result"],
        row["check_note"],
    )


async def _keep(work: Work, case: Any, step: Going, settings: RouterSettings) -> None:
    task_id = check_id = None
    if step.state is StepState.OPEN:
        task_id = await _open(work, case, step, settings)
    elif step.state is StepState.CHECKING:
        check_id = await _open(work, case, step, settings)
    over = work.now if step.state in OVER else None
    await work.connection.execute(
        _WRITE, step.id, step.state.value, task_id, check_id, step.rounds, step.done_by, over
    )


async def _open(work: Work, case: Any, step: Going, settings: RouterSettings) -> int | None:
    wanted, checks = step.step, step.state is StepState.CHECKING
    who = wanted.check if checks and wanted.check is not None else wanted.assign
    person, team = await _find(work.connection, case, who, step.done_by if checks else None)
    if not checks and step.rounds > 1 and step.done_by is not None:
        person = step.done_by  # whoever did it puts it right
    facts = await _facts(work.connection, case, work.now)
    title = compile_template(wanted.task, longest=LONGEST_TITLE)(facts)
    details: dict[str, Any] = {
        "depth": 0,
        "decide_within": str(wanted.decide_within),
        "due_within": str(wanted.due_within),
        "of_step": f"{step.template}: {wanted.name}",
    }
    text = compile_template(wanted.description or "", longest=LONGEST_NOTE, one_line=False)(facts)
    if not checks and step.check_note:
        text = f"{step.check_note}\n\n{text}".strip()[:LONGEST_NOTE]
    if text:
        details["description"] = text
    if checks:
        details["not_by"] = step.done_by
    calendar = calendar_of(team or {"hours": {}, "timezone": "UTC", "country": ""}, settings)
    decide_by = wanted.decide_within.after(work.now, calendar)
    (task_id,) = await open_tasks(
        work,
        [
            (
                TaskPlan(
                    kind=TaskKind.TODO if checks else wanted.kind,
                    title=f"✓ {title}"[:LONGEST_TITLE] if checks else title,
                    priority=Priority(wanted.priority),
                    contact_id=case["contact_id"],
                    campaign_id=None,
                    conversation_id=None,
                    case_id=case["id"],
                    event_id=None,
                    rule_id=None,
                    requester_id=None,
                    assignee_id=person,
                    team_id=None if team is None else team["id"],
                    key=f"step:{step.id}:{step.rounds}:{'check' if checks else 'task'}",
                    decide_by=decide_by,
                    due=max(decide_by, wanted.due_within.after(work.now, calendar)),
                    details=details,
                ),
                None,
            )
        ],
    )
    return task_id


async def _find(connection: Connection, case: Any, who: Who, not_by: int | None) -> tuple[int | None, Any]:
    """The person and the team that get a task; a supervisor when nobody else is left."""
    team = await connection.fetchrow(_TEAM, None if who.team else case["team_id"], who.team)
    person: int | None = None
    if who.person is not None:
        person = await connection.fetchval(_PERSON, who.person)
    elif who.owner or team is None:
        person = case["doer_id"]
    if person is not None and person == not_by:
        person = None
    if person is None and team is None:
        found = await find_supervisors(connection, [None])
        person = next((one for one in found.values() if one != not_by), None)
    return person, team


async def _facts(connection: Connection, case: Any, now: datetime) -> Facts:
    contact: Mapping[str, Any] = {}
    if case["contact_id"] is not None:
        known = await load_contacts(connection, [case["contact_id"]])
        contact = known.get(case["contact_id"], {})
    return Facts(contact, None, None, None, frozenset(), (), now, case=dict(case))

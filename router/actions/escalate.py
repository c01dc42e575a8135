"""The action `escalate`: the event's task, or else its conversation, goes to whoever answers for the team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.events import EventType
from domain.tasks import OPEN_STATES, OfferState, Priority, TaskMove, TaskState, next_state
from router.actions.changes import load_people_by_mail
from router.actions.editing import Edit, write_edits
from router.actions.work import Planned, Shown, Work
from router.assignment.handing_on import keep_escalation
from router.decide import Decision
from router.staff import find_supervisors
from router.task_events import tell_of
from router.then.people import EscalateAction

_TASKS: Final = """
SELECT id, kind, state, contact_id, campaign_id, conversation_id, case_id, assignee_id, team_id, details
FROM tasks WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE
"""
_PASS_ON: Final = """
UPDATE tasks SET state = given.state, assignee_id = given.assignee_id, escalated_at = $4, version = version + 1
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS given (id, state, assignee_id) WHERE tasks.id = given.id
"""
_CONVERSATIONS: Final = """
SELECT v.id, v.priority, q.team_id, coalesce(q.confidential, false) AS confidential,
       ARRAY(SELECT m.user_id FROM team_members m WHERE m.team_id = q.team_id) AS people
FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id WHERE v.id = ANY ($1::bigint[])
"""
_HIGH: Final = frozenset({Priority.HIGH.value, Priority.URGENT.value})


def plan(decision: Decision, number: int, work: Work) -> str | None:
    """The person that the rule names, if it does."""
    action = decision.rule.actions[number].action
    assert isinstance(action, EscalateAction)
    return action.escalate.to


def show(plan: str | None, work: Work) -> Shown:
    """Who would get it."""
    return Shown("escalate", plan or "the supervisor")


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Pass tasks on with a TaskEscalated each; conversations with the events of their changes."""
    people = await load_people_by_mail(work, {item.plan for item in planned if item.plan is not None})
    there = []
    for item in planned:
        if item.plan is not None and item.plan.lower() not in people:
            work.fail(item, f"Nobody active has the mail address {item.plan}; name another in the rule.")
        else:
            there.append((item, None if item.plan is None else people[item.plan.lower()]))
    await _pass_on_tasks(work, [pair for pair in there if pair[0].decision.sighting.task_id is not None])
    await _pass_on_talks(work, [pair for pair in there if pair[0].decision.sighting.task_id is None])


async def _pass_on_tasks(work: Work, wanted: Sequence[tuple[Planned, int | None]]) -> None:
    if not wanted:
        return
    ids = list({item.decision.sighting.task_id for item, _ in wanted})
    tasks = {row["id"]: dict(row) for row in await work.connection.fetch(_TASKS, ids)}
    supervisors = await find_supervisors(work.connection, list({row["team_id"] for row in tasks.values()}))
    changed: dict[int, dict[str, Any]] = {}
    for item, person in wanted:
        sighting = item.decision.sighting
        task = tasks.get(sighting.task_id or 0)
        if task is None or TaskState(task["state"]) not in OPEN_STATES:
            item.decision.deeds[item.number] = {"state": "nothing", "reason": "the task is closed"}
            continue
        before = task["assignee_id"]
        task["assignee_id"] = person or supervisors.get(task["team_id"], before)
        task["state"] = next_state(TaskState(task["state"]), TaskMove.ESCALATE).value
        changed[task["id"]] = task
        work.acted = True
        told = {
            "from": before,
            "to": task["assignee_id"],
            "rule": item.decision.rule.name,
            "depth": sighting.depth + 1,
            "about": sighting.id,
        }
        work.tell(tell_of(task, EventType.TASK_ESCALATED, work.now, told))
    if changed:
        await work.connection.execute(
            _PASS_ON,
            list(changed),
            [task["state"] for task in changed.values()],
            [task["assignee_id"] for task in changed.values()],
            work.now,
        )
        passed = [(task, task["assignee_id"]) for task in changed.values()]
        await keep_escalation(work.connection, passed, work.now, OfferState.WITHDRAWN)


async def _pass_on_talks(work: Work, wanted: Sequence[tuple[Planned, int | None]]) -> None:
    if not wanted:
        return
    ids = [one for item, _ in wanted if (one := item.decision.sighting.conversation_id) is not None]
    talks = {row["id"]: row for row in await work.connection.fetch(_CONVERSATIONS, ids)}
    supervisors = await find_supervisors(work.connection, list({row["team_id"] for row in talks.values()}))
    edits: list[tuple[Planned, Sequence[Edit]]] = []
    for item, named in wanted:
        talk = talks.get(item.decision.sighting.conversation_id or 0)
        if talk is None:
            item.decision.deeds[item.number] = {
                "state": "nothing",
                "reason": "the event has neither task nor conversation",
            }
            continue
        person = named or supervisors.get(talk["team_id"])
        mine = []
        if person is not None and not (talk["confidential"] and person not in talk["people"]):
            mine.append(Edit("conversation", "assignee_id", person))
        if talk["priority"] not in _HIGH:
            mine.append(Edit("conversation", "priority", Priority.HIGH.value))
        edits.append((item, mine))
    await write_edits(work, edits)

"""The action `open_task`: a task with its two clocks, its first offer and an event on the timeline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from domain.call_basis import REFUSED, CallBasis
from domain.errors import NotFound
from domain.events import EventType, NewEvent
from domain.tasks import Priority, TaskKind, channel_of
from router.actions.work import Planned, Shown, Work
from router.assignment.offering import Need, Offer, next_offer
from router.assignment.rota import keep_turns
from router.assignment.steps import Step
from router.call_rights import may_call
from router.decide import Decision
from router.staff import Team
from router.then.tasks import OpenTask, OpenTaskAction

_OPEN: Final = """
WITH made AS (
    INSERT INTO tasks (kind, title, priority, contact_id, campaign_id, conversation_id, case_id, event_id, rule_id,
                       requester_id, assignee_id, team_id, idempotency_key, decide_by, due, opened_at, details)
    SELECT kind, title, priority, contact_id, campaign_id, conversation_id, case_id, event_id, rule_id, requester_id,
           assignee_id, team_id, key, decide_by, due, $17, details::jsonb
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[],
                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::timestamptz[],
                $15::timestamptz[], $16::text[])
      AS given (kind, title, priority, contact_id, campaign_id, conversation_id, case_id, event_id, rule_id,
                requester_id, assignee_id, team_id, key, decide_by, due, details)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id, idempotency_key, decide_by, due, assignee_id, team_id, details
), clocks AS (
    INSERT INTO timers (kind, key, due_at, payload)
    SELECT clock, clock || ':' || id, at, jsonb_build_object('task_id', id)
    FROM made CROSS JOIN LATERAL (VALUES ('decide_by', decide_by), ('due', due)) AS clocks (clock, at)
), offers AS (
    INSERT INTO task_offers (task_id, step, user_id, team_id, deputy_of, offered_at)
    SELECT id, coalesce((details ->> 'step')::smallint, 0), assignee_id, team_id, (details ->> 'deputy_of')::bigint, $17
    FROM made
)
SELECT id, idempotency_key FROM made
"""


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task before it is stored. Its key makes it idempotent."""

    kind: TaskKind
    title: str
    priority: Priority
    contact_id: int | None
    campaign_id: int | None
    conversation_id: int | None
    case_id: int | None
    event_id: int | None
    rule_id: int | None
    requester_id: int | None
    assignee_id: int | None
    team_id: int | None
    key: str
    decide_by: datetime
    due: datetime
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A task that is not opened, and why: a callback to somebody who may not be called."""

    words: str


def plan(decision: Decision, number: int, work: Work) -> TaskPlan | Refusal:
    """The task that this decision opens, or why it may not.

    Raises NotFound when a team is gone, InvalidInput for a broken calendar.
    """
    compiled, sighting = decision.rule.actions[number], decision.sighting
    assert isinstance(compiled.action, OpenTaskAction)
    wanted = compiled.action.open_task
    facts = sighting.facts(work.now)
    right = None
    if wanted.kind is TaskKind.CALLBACK and sighting.contact_id is not None:
        right = may_call(sighting, wanted, work.staff, work.now)
        if right.refusal is not None:
            words = REFUSED[right.refusal]
            decision.deeds[number] = {"state": "refused", "reason": words}
            return Refusal(words)
    steps = work.staff.steps_of(wanted.assign)
    answers = work.staff.team(wanted.assign.teams[0]) if wanted.assign.teams else None
    offer = _first_offer(decision, wanted, steps, answers, work)
    team_id = offer.team_id
    details: dict[str, Any] = {
        "depth": sighting.depth + 1,
        "decide_within": str(wanted.decide_within),
        "due_within": str(wanted.due_within),
        "steps": [step.written() for step in steps],
        "step": offer.step,
    }
    if offer.deputy_of is not None:
        details["deputy_of"] = offer.deputy_of
    requested = right is not None and right.basis is CallBasis.REQUEST
    if closes_when := wanted.closes_when(requested=requested):
        details["close_when"] = list(closes_when)
    if right is not None:
        details["call"] = right.written()
    text = compiled.texts["description"](facts)
    if text:
        details["description"] = text
    calendar = work.staff.calendar_of(offer.person_id, team_id)
    decide_by = steps[offer.step].span(wanted.decide_within).after(work.now, calendar)
    return TaskPlan(
        kind=wanted.kind,
        title=compiled.texts["title"](facts),
        priority=wanted.priority,
        contact_id=sighting.contact_id,
        campaign_id=sighting.campaign_id,
        conversation_id=sighting.conversation_id,
        case_id=sighting.case_id,
        event_id=sighting.id,
        rule_id=decision.rule.id,
        requester_id=None,
        assignee_id=offer.person_id,
        team_id=team_id,
        key=f"{decision.key}:{sighting.id}:{number}",
        decide_by=decide_by,
        due=max(decide_by, wanted.due_within.after(work.now, calendar)),
        details=details,
    )


def _first_offer(
    decision: Decision, wanted: OpenTask, steps: Sequence[Step], answers: Team | None, work: Work
) -> Offer:
    """To whom it is offered first; to the whole team when the house has nobody at all who could have it."""
    sighting = decision.sighting
    need = Need(
        owner_id=sighting.contact.get("owner_id"),
        team_id=None if answers is None else answers.id,
        language=sighting.contact.get("language"),
        channel=channel_of(wanted.kind, (sighting.conversation or {}).get("channel")),
    )
    offer = next_offer(steps, 0, need, work.staff.rota, work.now)
    if offer is None and answers is None:
        raise NotFound("There is nobody who could get the task; name a team in the rule.")
    return offer or Offer(len(steps) - 1, None, need.team_id)


def show(plan: TaskPlan | Refusal, work: Work) -> Shown:
    """The task's title, and who it would be offered to; or why not."""
    if isinstance(plan, Refusal):
        return Shown("refused", plan.words)
    team = next((team.name for team in work.staff.teams.values() if team.id == plan.team_id), None)
    return Shown("open_task", plan.title, plan.assignee_id, team)


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Open the tasks that were not opened before; tells a TaskOpened for each."""
    planned = [item for item in planned if not isinstance(item.plan, Refusal)]
    if not planned:
        return
    ids = await open_tasks(work, [(_in_case(item), item.decision.rule.name) for item in planned])
    for item, task_id in zip(planned, ids, strict=True):
        if task_id is not None:
            item.decision.task_id = item.decision.task_id or task_id


def _in_case(item: Planned) -> TaskPlan:
    """The task in the case that its rule opened for it."""
    plan: TaskPlan = item.plan
    return plan if item.decision.case_id is None else replace(plan, case_id=item.decision.case_id)


async def open_tasks(work: Work, plans: Sequence[tuple[TaskPlan, str | None]]) -> list[int | None]:
    """Store tasks with their clocks and events; gives their ids, None for one whose key was there before.

    Each plan comes with the name of the rule that asks for it, None for a person. Keys must differ.
    """
    tasks = [one for one, _ in plans]
    await keep_turns(work.connection, work.staff.rota)
    rows = await work.connection.fetch(
        _OPEN,
        [task.kind.value for task in tasks],
        [task.title for task in tasks],
        [task.priority.value for task in tasks],
        [task.contact_id for task in tasks],
        [task.campaign_id for task in tasks],
        [task.conversation_id for task in tasks],
        [task.case_id for task in tasks],
        [task.event_id for task in tasks],
        [task.rule_id for task in tasks],
        [task.requester_id for task in tasks],
        [task.assignee_id for task in tasks],
        [task.team_id for task in tasks],
        [task.key for task in tasks],
        [task.decide_by for task in tasks],
        [task.due for task in tasks],
        [json.dumps(task.details, ensure_ascii=False) for task in tasks],
        work.now,
    )
    made = {row["idempotency_key"]: row["id"] for row in rows}
    ids: list[int | None] = []
    for task, rule in plans:
        task_id = made.get(task.key)
        ids.append(task_id)
        if task_id is None:
            continue
        work.acted = True
        data: dict[str, Any] = {"kind": task.kind.value, "priority": task.priority.value}
        if rule is not None:
            data |= {"rule": rule, "depth": task.details.get("depth", 0)}
        work.tell(
            NewEvent(
                EventType.TASK_OPENED,
                work.now,
                contact_id=task.contact_id,
                campaign_id=task.campaign_id,
                conversation_id=task.conversation_id,
                case_id=task.case_id,
                task_id=task_id,
                actor_id=task.requester_id,
                data=data,
            )
        )
    return ids

"""What happens when the time of a promise is nearly over, and when it has passed: events, and somebody who answers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from domain.events import EventType, NewEvent
from router.loop import Router
from router.promises.counting import KIND
from router.promises.model import Promise, Promises
from router.staff import find_supervisors
from storage.event_store import record
from storage.pool import Connection

_DUE: Final = """
SELECT id, payload FROM timers WHERE due_at <= $1 AND kind = $2 ORDER BY due_at, id LIMIT 500 FOR UPDATE SKIP LOCKED
"""
_CONVERSATIONS: Final = """
SELECT v.id, v.contact_id, v.case_id, v.queue_id, v.assignee_id, v.priority, v.answer_due, v.resolve_due, q.promises,
       v.state, v.junk, v.clock_since IS NOT DISTINCT FROM v.waiting_since AND v.clock_queue = v.queue_id AS counted,
       q.team_id, q.name AS queue, coalesce(q.confidential, false) AS confidential,
       ARRAY(SELECT m.user_id FROM team_members m WHERE m.team_id = q.team_id) AS people
FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id
WHERE v.id = ANY ($1::bigint[]) ORDER BY v.id FOR UPDATE OF v SKIP LOCKED
"""
_THERE: Final = "SELECT id FROM conversations WHERE id = ANY ($1::bigint[])"
_BREACHED: Final = """
UPDATE conversations AS v
SET breached_at = coalesce(v.breached_at, $4), priority = given.priority, assignee_id = given.assignee_id,
    version = v.version + CASE WHEN v.assignee_id IS DISTINCT FROM given.assignee_id THEN 1 ELSE 0 END, updated_at = now()
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS given (id, priority, assignee_id) WHERE v.id = given.id
"""
_DELETE: Final = "DELETE FROM timers WHERE id = ANY ($1::bigint[])"
_PRESSING: Final = frozenset({"high", "urgent"})


async def keep_promises(router: Router) -> int:
    """Tell of the times that are nearly over or have passed; gives the number of timers, 0 when none was due."""
    now = router.clock.now()
    async with router.pool.acquire() as connection, connection.transaction():
        timers = await connection.fetch(_DUE, now, KIND)
        if not timers:
            return 0
        ids = sorted({timer["payload"]["conversation_id"] for timer in timers})
        talks = {row["id"]: row for row in await connection.fetch(_CONVERSATIONS, ids)}
        there = {row["id"] for row in await connection.fetch(_THERE, ids)}
        busy = there - talks.keys()  # somebody is changing these now; their timers stay for the next look
        handled = [timer for timer in timers if timer["payload"]["conversation_id"] not in busy]
        standing = [
            timer["payload"]
            for timer in handled
            if (talk := talks.get(timer["payload"]["conversation_id"])) is not None
            and _stands(timer["payload"], talk)
        ]
        breached = {one["conversation_id"] for one in standing if one["stage"] == "breach"}
        # a router that was away for long tells of the breach alone
        told = [
            _tell(one, talks[one["conversation_id"]], now)
            for one in standing
            if one["stage"] == "breach" or datetime.fromisoformat(one["due"]) > now
        ]
        told += await _escalate(connection, [talks[id] for id in sorted(breached)], now)
        await record(connection, told)
        await connection.execute(_DELETE, [timer["id"] for timer in handled])
    if told:
        router.announcer.touch()
    return len(handled)


def _stands(payload: Mapping[str, Any], talk: Any) -> bool:
    """Whether the clock is still the one that the timer was set for."""
    if talk["state"] == "closed" or talk["junk"] or not talk["counted"]:
        return False
    due = talk["resolve_due"] if payload["promise"] == Promise.RESOLUTION else talk["answer_due"]
    return due is not None and due == datetime.fromisoformat(payload["due"])


def _tell(payload: Mapping[str, Any], talk: Any, now: datetime) -> NewEvent:
    breach = payload["stage"] == "breach"
    return NewEvent(
        EventType.BREACHED if breach else EventType.WARNED,
        now,
        contact_id=talk["contact_id"],
        conversation_id=talk["id"],
        case_id=talk["case_id"],
        data={"promise": payload["promise"], "due": payload["due"], "queue": talk["queue"]},
        key=f"{KIND}:{talk['id']}:{payload['promise']}:{payload['stage']}:{payload['due']}",
    )


async def _escalate(connection: Connection, talks: Sequence[Any], now: datetime) -> list[NewEvent]:
    """Raise what is too late, and give what nobody has to whoever answers for the team. In a confidential queue that is
    one of its people, or nobody."""
    if not talks:
        return []
    supervisors = await find_supervisors(connection, list({talk["team_id"] for talk in talks}))
    priorities, assignees, events = [], [], []
    for talk in talks:
        priority, assignee = talk["priority"], talk["assignee_id"]
        if _wants_escalation(talk):
            priority = priority if priority in _PRESSING else "high"
            person = supervisors.get(talk["team_id"])
            if assignee is None and person is not None:
                assignee = person if not talk["confidential"] or person in talk["people"] else None
        priorities.append(priority)
        assignees.append(assignee)
        if assignee != talk["assignee_id"]:
            events.append(
                NewEvent(
                    EventType.CONVERSATION_ASSIGNED,
                    now,
                    contact_id=talk["contact_id"],
                    conversation_id=talk["id"],
                    case_id=talk["case_id"],
                    data={"old": talk["assignee_id"], "new": assignee, "reason": "breached"},
                )
            )
    await connection.execute(_BREACHED, [talk["id"] for talk in talks], priorities, assignees, now)
    return events


def _wants_escalation(talk: Any) -> bool:
    try:
        return Promises.model_validate(talk["promises"]).escalate
    except ValidationError:
        return False

"""Tasks close by themselves when their reason goes away: the contact replied, somebody called, consent was withdrawn.

Only tasks that nobody is at work on. Like a cancellation by a person it is a Changed of `task.state`, with the reason and
the event that it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from domain.calls import CallResult
from domain.consent import Purpose
from domain.events import EventType
from domain.messages import ChannelKind
from domain.tasks import OPEN_STATES, CloseReason, OfferState, TaskMove, TaskState, next_state
from router.assignment.offers import settle_offers
from router.sightings import Sighting
from router.task_events import tell_of
from storage.event_store import record
from storage.pool import Connection

#: events that the router looks at for this, whatever the rules
LOOKED_AT: Final = (EventType.ANSWERED, EventType.CALL_ENDED, EventType.WITHDRAWN)

_CLOSABLE: Final = sorted(state.value for state in OPEN_STATES - {TaskState.IN_PROGRESS})
_FIND: Final = """
SELECT t.id, t.kind, t.state, t.contact_id, t.campaign_id, t.conversation_id, t.case_id, given.reason, given.event_id
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
  AS given (contact_id, reason, occurred_at, event_id, task_id)
LEFT JOIN contact_aliases a ON a.old_id = given.contact_id
JOIN tasks t ON t.contact_id = coalesce(a.contact_id, given.contact_id)
WHERE t.state = ANY ($6::text[]) AND t.details -> 'close_when' ? given.reason AND t.opened_at <= given.occurred_at
  AND t.event_id IS DISTINCT FROM given.event_id AND t.id IS DISTINCT FROM given.task_id
ORDER BY t.id, given.event_id FOR UPDATE OF t
"""
_CLOSE: Final = """
WITH timers_gone AS (
    DELETE FROM timers WHERE key = ANY (SELECT kind || ':' || id FROM unnest($1::bigint[]) id,
                                        unnest(ARRAY['decide_by', 'due']) kind)
)
UPDATE tasks SET state = $4, closed_at = $3, version = version + 1,
       details = details || jsonb_build_object('closed', given.reason, 'closed_by', given.event_id)
FROM unnest($1::bigint[], $2::text[], $5::bigint[]) AS given (id, reason, event_id) WHERE tasks.id = given.id
"""


def reason_of(event: Sighting) -> CloseReason | None:
    """What an event takes the reason away of, if anything. Pure."""
    if event.contact_id is None:
        return None
    voice = event.event.get("channel") == ChannelKind.VOICE
    if event.type == EventType.ANSWERED and not voice:
        return CloseReason.ANSWERED
    if event.type == EventType.CALL_ENDED and event.event.get("result") == CallResult.ANSWERED:
        return CloseReason.CALLED
    if event.type == EventType.WITHDRAWN and event.event.get("purpose") == Purpose.CALLS:
        return CloseReason.WITHDRAWN
    return None


async def close_by_themselves(connection: Connection, events: Iterable[Sighting], now: datetime) -> bool:
    """Close what these events leave without a reason; tells whether there was anything."""
    found = [(event, reason) for event in events if (reason := reason_of(event)) is not None]
    if not found:
        return False
    rows: Sequence[Any] = await connection.fetch(
        _FIND,
        [event.contact_id for event, _ in found],
        [reason.value for _, reason in found],
        [event.occurred_at for event, _ in found],
        [event.id for event, _ in found],
        [event.task_id for event, _ in found],
        _CLOSABLE,
    )
    tasks = {row["id"]: row for row in reversed(rows)}  # the first reason of each
    if not tasks:
        return False
    closed = next_state(TaskState.OFFERED, TaskMove.CANCEL)
    await connection.execute(
        _CLOSE,
        list(tasks),
        [row["reason"] for row in tasks.values()],
        now,
        closed.value,
        [row["event_id"] for row in tasks.values()],
    )
    await settle_offers(connection, list(tasks), OfferState.WITHDRAWN, now)
    await record(
        connection,
        [
            tell_of(
                row,
                EventType.CHANGED,
                now,
                {
                    "field": "task.state",
                    "old": row["state"],
                    "new": closed.value,
                    "closed": row["reason"],
                    "about": row["event_id"],
                },
            )
            for row in tasks.values()
        ],
    )
    return True

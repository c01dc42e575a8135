"""Verdicts that changed after rules had acted on them: who is asked again, and what open tasks are told.

The judge hands such a hit to the router again. Rules that refused it for its verdict may act now; rules that acted
find their episode and log `repeated`; a task that rests on the hit stays with its people, who are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.events import EventType, NewEvent
from domain.tasks import CLOSED_STATES
from router.decide import JUDGED
from router.sightings import Sighting
from router.task_events import tell_of
from storage.event_store import record
from storage.pool import Connection

#: the field of the Changed event that tells a task's people what its hit is judged to be now
EVIDENCE: Final = "task.evidence"

_REFUSED: Final = """
SELECT event_id, rule_id FROM rule_runs
WHERE event_id = ANY ($1::bigint[]) AND result = 'refused' AND NOT starts_with(matched ->> 'reason', $2)
"""
_TELL: Final = """
WITH doubted AS (
    SELECT DISTINCT ON (t.id) t.id, h.verdict, coalesce(t.details ->> 'evidence', n.matched ->> 'event.verdict') AS before
    FROM unnest($1::bigint[], $2::text[]) AS h (event_id, verdict)
    JOIN rule_runs n ON n.event_id = h.event_id AND n.result = 'acted' AND n.contact_id IS NOT NULL
    JOIN tasks t ON t.contact_id = n.contact_id AND t.rule_id = n.rule_id AND t.event_id = n.event_id
    WHERE t.state <> ALL ($3::text[]) AND coalesce(t.details ->> 'evidence', n.matched ->> 'event.verdict') <> h.verdict
    ORDER BY t.id
)
UPDATE tasks SET details = details || jsonb_build_object('evidence', doubted.verdict)
FROM doubted WHERE tasks.id = doubted.id
RETURNING tasks.id, kind, contact_id, campaign_id, conversation_id, case_id, event_id, before, verdict
"""


async def find_answered(connection: Connection, hits: Sequence[Sighting]) -> set[tuple[int, int]]:
    """Pairs of event and rule id that were refused for another reason than the verdict: that answer stands."""
    if not hits:
        return set()
    rows = await connection.fetch(_REFUSED, [hit.id for hit in hits], JUDGED)
    return {(row["event_id"], row["rule_id"]) for row in rows}


async def tell_tasks(connection: Connection, hits: Sequence[Sighting], now: datetime) -> bool:
    """Tell open tasks whose hit is judged differently now, on the timeline too; tells whether there were any."""
    if not hits:
        return False
    closed = [state.value for state in CLOSED_STATES]
    rows = await connection.fetch(_TELL, [hit.id for hit in hits], [hit.verdict for hit in hits], closed)
    await record(connection, [_tell(row, now) for row in rows])
    return bool(rows)


def _tell(task: Any, now: datetime) -> NewEvent:
    told = {
        "field": EVIDENCE,
        "old": task["before"],
        "new": task["verdict"],
        "about": task["event_id"],
    }
    return tell_of(task, EventType.CHANGED, now, told)

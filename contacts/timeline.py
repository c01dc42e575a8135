"""One contact's timeline: its events newest first, with the names they refer to.

Events of contacts that were merged into it belong to it. What belongs to a confidential case of somebody else stays
hidden (promise 8).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypedDict, cast

from storage.pool import Connection, Pool

PAGE: Final = 40

_TIMELINE: Final = """
SELECT e.id, e.type, e.occurred_at, e.recorded_at, e.data, e.campaign_id, e.task_id, e.message_id,
       g.name AS campaign_name, l.label AS link_label, l.url AS link_url, t.title AS task_title,
       a.name AS actor_name, x.body, h.verdict, h.reasons, h.judged_at
FROM (
    SELECT * FROM events
    WHERE contact_id = ANY ($1::bigint[]) AND type <> 'Queued' AND ($2::bigint IS NULL OR id < $2)
      AND (case_id IS NULL OR NOT EXISTS (
            SELECT FROM cases k WHERE k.id = case_id AND k.confidential AND k.owner_id IS DISTINCT FROM $3))
    ORDER BY id DESC LIMIT $4
) e
LEFT JOIN campaigns g ON g.id = e.campaign_id
LEFT JOIN campaign_links l ON l.campaign_id = e.campaign_id
  AND l.no = CASE WHEN e.data ->> 'link_no' ~ '^[0-9]{1,4}$' THEN (e.data ->> 'link_no')::smallint END
LEFT JOIN tasks t ON t.id = e.task_id
LEFT JOIN users a ON a.id = e.actor_id
LEFT JOIN event_texts x ON x.event_id = e.id
LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at
ORDER BY e.id DESC
"""
_WHO: Final = "SELECT $1::bigint UNION SELECT old_id FROM contact_aliases WHERE contact_id = $1"


class TimelineRow(TypedDict):
    """One event as a timeline shows it. `verdict`, `reasons` and `judged_at` are those of a hit, else null."""

    id: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any] | None
    campaign_id: int | None
    campaign_name: str | None
    link_label: str | None
    link_url: str | None
    task_id: int | None
    task_title: str | None
    message_id: int | None
    actor_name: str | None
    body: str | None  #: what a person wrote
    verdict: str | None
    reasons: list[str] | None
    judged_at: datetime | None


async def read_timeline(
    connection: Connection | Pool,
    contact_id: int,
    *,
    viewer_id: int | None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[TimelineRow]:
    """At most `limit` events in the order they were recorded, newest first, older than the event `before`.

    `contact_id` is an id of today (directory.resolve). `viewer_id` is the user who looks.
    """
    ids = [row[0] for row in await connection.fetch(_WHO, contact_id)]
    rows = await connection.fetch(_TIMELINE, ids, before, viewer_id, limit)
    return [cast(TimelineRow, dict(row)) for row in rows]

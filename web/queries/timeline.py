"""A contact's events, newest first, with the names they refer to; what belongs to confidential cases of others stays hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from storage.pool import Pool
from web.people import Person

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


async def read_timeline(
    pool: Pool, person: Person, contact_id: int, before: int | None = None, limit: int = PAGE
) -> Sequence[Any]:
    """At most `limit` events older than the event `before`; the contact's merged selves are included."""
    ids = [row[0] for row in await pool.fetch(_WHO, contact_id)]
    return list(await pool.fetch(_TIMELINE, ids, before, person.id, limit))

"""Append events: one statement for any number, with idempotency keys and the router's pending rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from domain.events import Event, EventType, NewEvent
from storage.pool import Connection

LANES: Final = 32

_RECORD: Final = """
WITH numbered AS MATERIALIZED (
    SELECT nextval('events_id_seq') AS id, i.*
    FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::text[], $11::text[])
      WITH ORDINALITY AS i(type, occurred_at, contact_id, message_id, campaign_id, conversation_id, case_id,
                           task_id, actor_id, data, key, position)
), keyed AS (
    INSERT INTO event_keys (key, event_id)
    SELECT key, id FROM numbered WHERE key IS NOT NULL ORDER BY key  -- one order for all: no deadlocks
    ON CONFLICT DO NOTHING RETURNING event_id
), fresh AS (
    INSERT INTO events (id, occurred_at, type, contact_id, message_id, campaign_id, conversation_id, case_id,
                        task_id, actor_id, data)
    SELECT id, occurred_at, type, contact_id, message_id, campaign_id, conversation_id, case_id, task_id, actor_id,
           data::jsonb
    FROM numbered WHERE key IS NULL OR id IN (SELECT event_id FROM keyed)
    RETURNING id, recorded_at, type, contact_id
), pending AS (
    INSERT INTO pending_events (lane, event_id, recorded_at)
    SELECT coalesce(contact_id, 0) % 32, id, recorded_at FROM fresh JOIN router_interests USING (type)
)
SELECT fresh.id FROM numbered LEFT JOIN fresh USING (id) ORDER BY numbered.position
"""


async def record(connection: Connection, events: Sequence[NewEvent]) -> list[int | None]:
    """Append `events`; gives their ids in order, None for one whose key was recorded before.

    Runs in the caller's transaction: nothing is recorded before that commits.
    """
    if not events:
        return []
    rows = await connection.fetch(
        _RECORD,
        [event.type.value for event in events],
        [event.occurred_at for event in events],
        [event.contact_id for event in events],
        [event.message_id for event in events],
        [event.campaign_id for event in events],
        [event.conversation_id for event in events],
        [event.case_id for event in events],
        [event.task_id for event in events],
        [event.actor_id for event in events],
        [json.dumps(dict(event.data), default=str) if event.data else None for event in events],
        [event.key for event in events],
    )
    return [row["id"] for row in rows]


def read_event(row: object) -> Event:
    """An event from a row of the table `events`."""
    fields = dict(row)  # type: ignore[call-overload]
    return Event(
        id=fields["id"],
        recorded_at=fields["recorded_at"],
        type=EventType(fields["type"]),
        occurred_at=fields["occurred_at"],
        contact_id=fields["contact_id"],
        message_id=fields["message_id"],
        campaign_id=fields["campaign_id"],
        conversation_id=fields["conversation_id"],
        case_id=fields["case_id"],
        task_id=fields["task_id"],
        actor_id=fields["actor_id"],
        data=fields["data"] or {},
    )

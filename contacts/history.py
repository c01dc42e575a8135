"""What a rule needs to know of contacts besides the event at hand: past events and standing consents."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from domain.events import EventType
from storage.pool import Connection, Pool

_HISTORY: Final = """
WITH person AS (
    SELECT id AS id, id AS known_as FROM unnest($1::bigint[]) AS asked(id)
    UNION ALL
    SELECT contact_id, old_id FROM contact_aliases WHERE contact_id = ANY($1::bigint[])
)
SELECT person.id AS person_id, e.id, e.type, e.occurred_at, e.message_id, e.campaign_id, e.conversation_id,
       e.case_id, e.task_id, e.actor_id, e.data,
       (SELECT verdict FROM hits WHERE hits.event_id = e.id) AS verdict
FROM person JOIN events e ON e.contact_id = person.known_as
WHERE e.type = ANY($2::text[]) AND ($3::timestamptz IS NULL OR e.occurred_at >= $3)
      AND ($4::bigint IS NULL OR e.id <= $4)
ORDER BY e.id
"""
_MESSAGES: Final = (
    "SELECT id, direction, channel, tracking_level, created_at FROM messages WHERE id = ANY($1::bigint[])"
)
_CAMPAIGNS: Final = (
    "SELECT id, name, channel, purpose, launched_at FROM campaigns WHERE id = ANY($1::bigint[])"
)
_CONSENTS: Final = """
SELECT contact_id, array_agg(purpose) AS purposes FROM consents
WHERE contact_id = ANY($1::bigint[]) AND state = 'granted' GROUP BY contact_id
"""


async def load_history(
    connection: Connection | Pool,
    contact_ids: Collection[int],
    types: Collection[EventType],
    *,
    since: datetime | None = None,
    until_id: int | None = None,
    surroundings: bool = False,
) -> dict[int, list[Mapping[str, Any]]]:
    """Past events of contacts, oldest first, in the form of domain.predicates.Facts.history.

    `contact_ids` are ids of today (see directory.resolve); events of contacts merged into them are included.
    `since` bounds occurred_at, `until_id` the event's id (for trying a rule on the past). With `surroundings`
    each event carries its `message` and `campaign`, which conditions need that ask for message.* or campaign.*
    inside `did`.
    """
    history: dict[int, list[Mapping[str, Any]]] = {contact_id: [] for contact_id in contact_ids}
    if not types or not contact_ids:
        return history
    names = [kind.value for kind in types]
    rows = [dict(row) for row in await connection.fetch(_HISTORY, list(history), names, since, until_id)]
    around = await load_surroundings(connection, rows) if surroundings else None
    for row in rows:
        event = event_facts(row)
        if around is not None:
            event["message"] = around[0].get(row["message_id"])
            event["campaign"] = around[1].get(row["campaign_id"])
        history[row["person_id"]].append(event)
    return history


def event_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event's row (of the table, with `verdict`) as predicates read it: its data among its columns."""
    event: dict[str, Any] = dict(row["data"]) if row["data"] else {}
    event.update(row)
    event.pop("data", None)
    event.pop("person_id", None)
    return event


async def load_surroundings(
    connection: Connection | Pool, events: Collection[Mapping[str, Any]]
) -> tuple[dict[int, Mapping[str, Any]], dict[int, Mapping[str, Any]]]:
    """The messages and the campaigns that events belong to, by id, in the form of Facts."""
    message_ids = {event["message_id"] for event in events} - {None}
    campaign_ids = {event["campaign_id"] for event in events} - {None}
    messages = await connection.fetch(_MESSAGES, list(message_ids)) if message_ids else []
    campaigns = await connection.fetch(_CAMPAIGNS, list(campaign_ids)) if campaign_ids else []
    return {row["id"]: dict(row) for row in messages}, {row["id"]: dict(row) for row in campaigns}


async def load_consents(
    connection: Connection | Pool, contact_ids: Collection[int]
) -> dict[int, frozenset[str]]:
    """The purposes that stand granted, for each contact (ids of today)."""
    granted = {
        row["contact_id"]: row["purposes"] for row in await connection.fetch(_CONSENTS, list(contact_ids))
    }
    return {contact_id: frozenset(granted.get(contact_id, ())) for contact_id in contact_ids}

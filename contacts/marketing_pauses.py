"""Pauses of marketing: whether one holds for a contact, why, until when; and lifting it by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain.errors import NotFound
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Connection, Pool

#: $1 the contact, $2 the business time. A pause holds while its time lasts, or its conversation or case is open.
_HOLDING: Final = """
SELECT p.id, p.contact_id, p.rule, p.conversation_id, p.case_id, p.until, p.created_at
FROM marketing_pauses p
WHERE p.contact_id = $1 AND p.lifted_at IS NULL
  AND (p.until > $2
       OR EXISTS (SELECT FROM conversations v WHERE v.id = p.conversation_id AND v.state <> 'closed')
       OR EXISTS (SELECT FROM cases k WHERE k.id = p.case_id AND k.state <> 'closed'))
ORDER BY p.id
"""
_LIFT: Final = """
UPDATE marketing_pauses SET lifted_at = $2, lifted_by = $3 WHERE contact_id = $1 AND lifted_at IS NULL RETURNING id
"""


async def list_pauses(pool: Pool | Connection, contact_id: int, now: datetime) -> list[Any]:
    """The pauses that hold for a contact, at a business time."""
    return list(await pool.fetch(_HOLDING, contact_id, now))


async def lift_pauses(connection: Connection, contact_id: int, *, actor_id: int, now: datetime) -> int:
    """End every pause of a contact, in the caller's transaction; gives how many. Its timeline tells who did it.

    Raises NotFound when none holds.
    """
    holding = await list_pauses(connection, contact_id, now)
    if not holding:
        raise NotFound(f"Marketing is not paused for contact {contact_id}.")
    rows = await connection.fetch(_LIFT, contact_id, now, actor_id)
    await record(
        connection,
        [
            NewEvent(
                EventType.CHANGED,
                now,
                contact_id=contact_id,
                actor_id=actor_id,
                data={"field": "marketing_pause", "old": "paused", "new": None},
            )
        ],
    )
    return len(rows)

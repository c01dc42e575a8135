"""Who may be told of what an errand is about, and where messages of rules come from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from channels.mail.parsed import Mailbox
from storage.pool import Connection

#: of these users those who may see the conversation and the case of an errand
_MAY_KNOW: Final = """
SELECT u.id FROM users u
WHERE u.active AND u.id = ANY ($1::bigint[])
  AND NOT EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id
                  WHERE v.id = $2 AND q.confidential AND v.assignee_id IS DISTINCT FROM u.id
                    AND NOT EXISTS (SELECT FROM team_members m WHERE m.team_id = q.team_id AND m.user_id = u.id))
  AND NOT EXISTS (SELECT FROM cases k WHERE k.id = $3 AND k.confidential AND k.owner_id IS DISTINCT FROM u.id)
ORDER BY u.id
"""
_HIDDEN: Final = """
SELECT EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = $1 AND q.confidential)
    OR EXISTS (SELECT FROM cases k WHERE k.id = $2 AND k.confidential)
"""
_QUEUE: Final = """
SELECT id, name, from_name, from_address, signature FROM queues
WHERE CASE WHEN $1::text IS NOT NULL THEN name = $1
           ELSE id = (SELECT queue_id FROM conversations WHERE id = $2) END
"""
_ANY_QUEUE: Final = """
SELECT from_name, name, from_address FROM queues WHERE from_address IS NOT NULL AND NOT confidential ORDER BY id LIMIT 1
"""
_ANY_NUMBER: Final = "SELECT address FROM queue_addresses WHERE address LIKE '+%' ORDER BY address LIMIT 1"
_PAUSED: Final = """
SELECT EXISTS (
    SELECT FROM marketing_pauses p
    WHERE p.contact_id = $1 AND p.lifted_at IS NULL
      AND (p.until > $2
           OR EXISTS (SELECT FROM conversations v WHERE v.id = p.conversation_id AND v.state <> 'closed')
           OR EXISTS (SELECT FROM cases k WHERE k.id = p.case_id AND k.state <> 'closed')))
"""


async def who_may_know(
    connection: Connection, people: Collection[int], conversation_id: int | None, case_id: int | None
) -> list[int]:
    """Those of these users who are active and may see what it is about."""
    rows = await connection.fetch(_MAY_KNOW, list(people), conversation_id, case_id)
    return [row["id"] for row in rows]


async def is_hidden(connection: Connection, conversation_id: int | None, case_id: int | None) -> bool:
    """Whether it is about something confidential."""
    return bool(await connection.fetchval(_HIDDEN, conversation_id, case_id))


async def is_paused(connection: Connection, contact_id: int, now: datetime) -> bool:
    """Whether marketing is paused for a contact, at a business time."""
    return bool(await connection.fetchval(_PAUSED, contact_id, now))


async def find_queue(connection: Connection, name: str | None, conversation_id: int | None) -> Any | None:
    """The queue of this name; without one, that of the conversation."""
    return await connection.fetchrow(_QUEUE, name, conversation_id)


async def house_address(connection: Connection) -> Mailbox | None:
    """Where mail to people who work here comes from: the first queue that has an address and is not confidential."""
    row = await connection.fetchrow(_ANY_QUEUE)
    return None if row is None else Mailbox(row["from_name"] or row["name"], row["from_address"])


async def house_number(connection: Connection) -> str | None:
    """The number that an SMS to people who work here comes from: the first of ours."""
    number: str | None = await connection.fetchval(_ANY_NUMBER)
    return number

"""The original author of a forwarded mail: offered as the contact, taken when a person says so."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain.errors import Conflict, NotFound
from domain.events import EventType, NewEvent
from inbox.desk.conversations import lock_conversation
from inbox.mails.arrived import address_of
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

_FIND: Final = """
SELECT m.id, m.contact_id, m.conversation_id, f.forwarded FROM messages m JOIN mail_facts f ON f.message_id = m.id
WHERE m.id = $1 FOR UPDATE OF m
"""
_OWNER: Final = "SELECT contact_id FROM identities WHERE kind = 'mail' AND address = $1"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7301))"
_MAKE: Final = """
WITH person AS (INSERT INTO contacts (name) VALUES ($1) RETURNING id)
INSERT INTO identities (contact_id, kind, address, given) SELECT id, 'mail', $2, $3 FROM person RETURNING contact_id
"""
_MESSAGE: Final = "UPDATE messages SET contact_id = $2 WHERE id = $1"
_CONVERSATION: Final = """
UPDATE conversations SET contact_id = $2, version = version + 1, updated_at = now() WHERE id = $1
"""
_TAKE_PART: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""


async def take_original_author(work: UnitOfWork, message_id: int, *, actor_id: int, now: datetime) -> int:
    """Make the original author of a forwarded mail the contact of its conversation; gives the contact.

    The author takes part from then on; the timeline tells who decided that. Raises NotFound for a message without
    an original author, and Conflict for one that names no address that could be written to.
    """
    connection = work.connection
    row = await connection.fetchrow(_FIND, message_id)
    if row is None or not row["forwarded"].get("address"):
        raise NotFound(f"Message {message_id} names no original author.")
    address = address_of(row["forwarded"]["address"])
    if not address:
        raise Conflict("The original author's address is not one that can be written to.")
    contact_id = await _find_or_make(connection, address, row["forwarded"])
    data: dict[str, Any] = {"field": "contact", "old": row["contact_id"], "new": contact_id}
    await connection.execute(_MESSAGE, message_id, contact_id)
    if row["conversation_id"] is not None:
        await lock_conversation(connection, row["conversation_id"])
        await connection.execute(_CONVERSATION, row["conversation_id"], contact_id)
        await connection.execute(_TAKE_PART, row["conversation_id"], address, contact_id)
    work.tell(
        NewEvent(
            EventType.PLACED,
            now,
            contact_id=contact_id,
            message_id=message_id,
            conversation_id=row["conversation_id"],
            actor_id=actor_id,
            data=data,
        )
    )
    return contact_id


async def _find_or_make(connection: Connection, address: str, author: dict[str, Any]) -> int:
    await connection.execute(_LOCK, address)  # as the reading does, so that one person is made once
    owner: int | None = await connection.fetchval(_OWNER, address)
    if owner is not None:
        return owner
    name = " ".join(author.get("name", "").split()) or address
    made: int = await connection.fetchval(_MAKE, name, address, author["address"])
    return made

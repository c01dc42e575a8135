"""A person says that a conversation was taken for junk by mistake: it becomes an ordinary one, and rules hear of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain.events import EventType, NewEvent
from inbox.mails.arrived import address_of
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

_FILTERED: Final = """
SELECT m.id, m.contact_id, m.case_id, m.created_at, f.mailbox, f.automatic, f.authentication, q.name AS queue,
       p.address, p.name,
       (SELECT count(*) FROM attachments a WHERE a.message_id = m.id) AS attachments
FROM messages m JOIN mail_facts f ON f.message_id = m.id
  JOIN conversations v ON v.id = m.conversation_id LEFT JOIN queues q ON q.id = v.queue_id
  LEFT JOIN message_parties p ON p.message_id = m.id AND p.part = 'from' AND p.no = 0
WHERE m.conversation_id = $1 AND m.direction = 'in' AND (f.junk IS NOT NULL OR f.virus IS NOT NULL)
ORDER BY m.id
"""
_CLEAR: Final = "UPDATE mail_facts SET junk = NULL WHERE message_id = ANY($1::bigint[])"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7301))"
_OWNER: Final = "SELECT contact_id FROM identities WHERE kind = 'mail' AND address = $1"
_MAKE: Final = """
WITH person AS (INSERT INTO contacts (name) VALUES ($1) RETURNING id)
INSERT INTO identities (contact_id, kind, address, given) SELECT id, 'mail', $2, $2 FROM person RETURNING contact_id
"""
_OWN: Final = """
WITH said AS (UPDATE messages SET contact_id = $2 WHERE id = ANY($3::bigint[])),
     parties AS (UPDATE conversation_parties SET contact_id = $2 WHERE conversation_id = $1 AND address = $4)
UPDATE conversations SET contact_id = coalesce(contact_id, $2) WHERE id = $1
"""


async def tell_received(
    work: UnitOfWork, conversation_id: int, *, actor_id: int | None, now: datetime
) -> int:
    """Tell as Received what was Filtered, with the contact that junk never makes; gives how many messages that were.

    For the caller that judges a conversation not to be junk (inbox/desk/conversations.py), in its transaction. A virus that
    was found stays noted.
    """
    connection = work.connection
    rows = await connection.fetch(_FILTERED, conversation_id)
    if not rows:
        return 0
    for row in rows:
        contact_id = row["contact_id"] or await _contact_of(connection, row)
        if contact_id is not None:
            await connection.execute(
                _OWN, conversation_id, contact_id, [row["id"]], address_of(row["address"])
            )
        work.tell(
            NewEvent(
                EventType.RECEIVED,
                now,
                contact_id=contact_id,
                message_id=row["id"],
                conversation_id=conversation_id,
                case_id=row["case_id"],
                actor_id=actor_id,
                data=_facts(row),
                key=f"not-junk:{row['id']}",
            )
        )
    await connection.execute(_CLEAR, [row["id"] for row in rows])
    return len(rows)


async def _contact_of(connection: Connection, row: Any) -> int | None:
    address = address_of(row["address"] or "")
    if not address or row["automatic"]:
        return None
    await connection.execute(_LOCK, address)  # as the reading does, so that one person is made once
    owner: int | None = await connection.fetchval(_OWNER, address)
    if owner is None:
        owner = await connection.fetchval(_MAKE, " ".join(row["name"].split()) or address, address)
    return owner


def _facts(row: Any) -> dict[str, Any]:
    told = {name: row[name] for name in ("mailbox", "queue", "automatic") if row[name]}
    told |= {
        name: row["authentication"][name]
        for name in ("spf", "dkim", "dmarc")
        if row["authentication"].get(name)
    }
    return told | {"attachments": row["attachments"], "cleared": True}

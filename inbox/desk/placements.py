"""Messages that may belong to another conversation: a person says whether they join it or stay apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from domain.conversations import ConversationMove, ConversationMover, next_conversation_state
from domain.errors import Conflict, NotFound
from domain.events import EventType
from inbox.desk.conversations import (
    Conversation,
    Desk,
    lock_conversation,
    unanswered_since,
    write_conversation,
)
from storage.pool import Connection
from storage.unit_of_work import unit_of_work

_FIND: Final = """
SELECT p.conversation_id, p.decided_at, m.conversation_id AS own_id, m.contact_id, m.created_at, q.address
FROM placements p JOIN messages m ON m.id = p.message_id
LEFT JOIN message_parties q ON q.message_id = p.message_id AND q.part = 'from' AND q.no = 0
WHERE p.message_id = $1 FOR UPDATE OF p
"""
_DECIDE: Final = """
UPDATE placements SET decided_at = now(), decided_by = $2, joined = $3 WHERE message_id = $1
"""
_JOIN: Final = "UPDATE messages SET conversation_id = $2 WHERE id = $1"
_PARTY: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_BEGIN: Final = """
INSERT INTO conversations (contact_id, queue_id, subject, waiting_since, last_message_at)
SELECT $2, (SELECT queue_id FROM conversations WHERE id = $3),
       coalesce((SELECT subject FROM message_contents WHERE message_id = $1), ''), $4, $4
RETURNING id
"""
#: a conversation that holds nothing any more
_SWEEP: Final = """
WITH gone AS (
    DELETE FROM conversations v WHERE v.id = $1
      AND NOT EXISTS (SELECT FROM messages m WHERE m.conversation_id = v.id)
      AND NOT EXISTS (SELECT FROM events e WHERE e.conversation_id = v.id AND e.type = 'Noted')
    RETURNING v.id
), parties AS (
    DELETE FROM conversation_parties p USING gone WHERE p.conversation_id = gone.id
)
DELETE FROM conversation_drafts d USING gone WHERE d.conversation_id = gone.id
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the message is now."""

    conversation_id: int


async def decide_placement(desk: Desk, message_id: int, join: bool) -> Placed:
    """Let a message join the suggested conversation, its sender with it, or keep it in one of its own.

    Raises NotFound, and Conflict when somebody decided already.
    """
    async with unit_of_work(desk.pool, desk.announcer) as work:
        row = await work.connection.fetchrow(_FIND, message_id)
        if row is None:
            raise NotFound(f"Nobody asks where message {message_id} belongs.")
        if row["decided_at"] is not None:
            raise Conflict("Somebody decided already where this message belongs.")
        found = await lock_conversation(work.connection, row["conversation_id"])
        await work.connection.execute(_DECIDE, message_id, desk.actor_id, join)
        if join:
            await _join(desk, work.connection, message_id, row, found)
            here = found.id
        else:
            here = row["own_id"] or await _keep_apart(work.connection, message_id, row)
        data = {"joined": join, "from": row["own_id"], "to": here}
        told = replace(found, id=here).tell(EventType.PLACED, desk.clock.now(), desk.actor_id, data)
        work.tell(replace(told, contact_id=row["contact_id"], message_id=message_id))
    return Placed(here)


async def _join(desk: Desk, connection: Connection, message_id: int, row: Any, found: Conversation) -> None:
    await connection.execute(_JOIN, message_id, found.id)
    if row["address"]:
        await connection.execute(_PARTY, found.id, row["address"], row["contact_id"])
    state = next_conversation_state(found.state, ConversationMove.RECEIVE, ConversationMover.CONTACT)
    since = await unanswered_since(connection, found.id)
    await write_conversation(
        connection,
        replace(
            found,
            state=state,
            closed_at=None,
            waiting_since=since or desk.clock.now(),
            last_message_at=max(filter(None, (found.last_message_at, row["created_at"]))),
        ),
    )
    if row["own_id"] not in (None, found.id):
        await connection.execute(_SWEEP, row["own_id"])


async def _keep_apart(connection: Connection, message_id: int, row: Any) -> int:
    """A conversation of its own for a message that waited outside of all."""
    number: int = await connection.fetchval(
        _BEGIN, message_id, row["contact_id"], row["conversation_id"], row["created_at"]
    )
    await connection.execute(_JOIN, message_id, number)
    if row["address"]:
        await connection.execute(_PARTY, number, row["address"], row["contact_id"])
    return number

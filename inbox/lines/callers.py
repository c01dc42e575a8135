"""Who calls, and the conversation that the call belongs to.

A call joins the open conversation of the two numbers; else it begins one, which stays closed until somebody has to act:
a message was left, or the call was missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contacts.consent import hold_contacts
from storage.pool import Connection

_OWNERS: Final = "SELECT DISTINCT contact_id FROM identities WHERE kind = 'phone' AND address = $1 ORDER BY 1"
_GOES_ON: Final = """
SELECT v.id, v.contact_id, v.case_id, v.queue_id FROM conversations v
WHERE v.id = (
    SELECT o.id FROM calls c JOIN messages m ON m.id = c.message_id JOIN conversations o ON o.id = m.conversation_id
    LEFT JOIN queues q ON q.id = o.queue_id
    WHERE c.theirs = $1 AND c.ours = $2 AND c.message_id <> $3 AND o.state <> 'closed' AND NOT o.junk AND o.channel = 'voice'
      AND ($4::text IS NULL OR q.name = $4)
    ORDER BY c.message_id DESC LIMIT 1)
FOR UPDATE OF v
"""
_CONTACT: Final = """
WITH person AS (INSERT INTO contacts (name) VALUES ($1) RETURNING id)
INSERT INTO identities (contact_id, kind, address, given) SELECT id, 'phone', $2, $2 FROM person RETURNING contact_id
"""
_QUEUE: Final = """
INSERT INTO queues (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
"""
_BEGIN: Final = """
INSERT INTO conversations (contact_id, queue_id, channel, state, subject, last_message_at, created_at, closed_at)
VALUES ($1, $2, 'voice', 'closed', $3, $4, $4, $4) RETURNING id
"""
_PARTY: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_KNOWN: Final = """
UPDATE conversations SET contact_id = coalesce(contact_id, $2), last_message_at = greatest(last_message_at, $3),
       updated_at = now()
WHERE id = $1
"""
_IS_IN: Final = """
SELECT q.name, m.conversation_id, m.contact_id, m.created_at,
       NOT EXISTS (SELECT FROM messages o WHERE o.conversation_id = v.id AND o.id <> m.id)
       AND NOT EXISTS (SELECT FROM events e WHERE e.conversation_id = v.id AND e.type = 'Noted') AS alone
FROM messages m JOIN conversations v ON v.id = m.conversation_id LEFT JOIN queues q ON q.id = v.queue_id WHERE m.id = $1
"""
_MOVE: Final = (
    "UPDATE conversations SET queue_id = $2, updated_at = now(), version = version + 1 WHERE id = $1"
)
_PUT: Final = """
UPDATE messages SET conversation_id = $2, case_id = (SELECT case_id FROM conversations WHERE id = $2) WHERE id = $1
"""
_REOPEN: Final = """
UPDATE conversations SET state = 'open', closed_at = NULL, last_message_at = greatest(last_message_at, $2),
       waiting_since = CASE WHEN state = 'open' THEN coalesce(waiting_since, $2) ELSE $2 END,
       version = version + CASE WHEN state = 'open' THEN 0 ELSE 1 END, updated_at = now()
WHERE id = $1
"""
#: an open conversation of another channel; what only a team may see is not pointed at
_BESIDE: Final = """
SELECT v.id FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id LEFT JOIN cases k ON k.id = v.case_id
WHERE v.contact_id = $1 AND v.state <> 'closed' AND NOT v.junk AND v.channel <> 'voice' AND v.id <> $2
  AND NOT coalesce(q.confidential, false) AND NOT coalesce(k.confidential, false)
ORDER BY v.last_message_at DESC NULLS LAST, v.id DESC LIMIT 1
"""
_PLACEMENT: Final = """
INSERT INTO placements (message_id, conversation_id, reason) VALUES ($1, $2, 'other_channel') ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is: `contact_id` is None for a hidden number, and when nobody knows who of several calls."""

    contact_id: int | None
    conversation_id: int
    case_id: int | None
    sharers: int  #: people who have this number


async def find_caller(
    connection: Connection,
    theirs: str,
    ours: str,
    queue: str,
    subject: str,
    at: datetime,
    *,
    is_number: bool,
    name: str,
) -> Caller:
    """The contact and the conversation of a call that comes in; an unknown number becomes a contact.

    `theirs` is empty for a hidden number, which joins nothing. `name`: what the network calls them.
    """
    owners: list[int] = []
    found: Any = None
    if is_number:
        owners = [row["contact_id"] for row in await connection.fetch(_OWNERS, theirs)]
        await hold_contacts(connection, set(owners))
        found = await connection.fetchrow(_GOES_ON, theirs, ours, 0, None)
    contact = _choose(owners, found)
    if contact is None and not owners and is_number:
        contact = await connection.fetchval(_CONTACT, name or theirs, theirs)
    if found is not None:
        await connection.execute(_KNOWN, found["id"], contact, at)
        number, case = found["id"], found["case_id"]
    else:
        queue_id = await connection.fetchval(_QUEUE, queue)
        number, case = await connection.fetchval(_BEGIN, contact, queue_id, subject, at), None
    if theirs:
        await connection.execute(_PARTY, number, theirs, contact)
    return Caller(contact, number, case, len(owners))


def _choose(owners: list[int], found: Any) -> int | None:
    """Of several people with one number, the one whom the conversation is with."""
    if len(owners) == 1:
        return owners[0]
    if found is not None and (not owners or found["contact_id"] in owners):
        chosen: int | None = found["contact_id"]
        return chosen
    return None


async def move_to_queue(connection: Connection, call: Any, queue: str, subject: str) -> None:
    """The caller chose another queue: the call goes on in a conversation there.

    A conversation that holds nothing but this call moves; else the call joins the open one of both numbers in that
    queue, or begins one.
    """
    row = await connection.fetchrow(_IS_IN, call["message_id"])
    if row is None or row["name"] == queue:
        return
    found = None
    if call["theirs"]:
        found = await connection.fetchrow(_GOES_ON, call["theirs"], call["ours"], call["message_id"], queue)
    queue_id = await connection.fetchval(_QUEUE, queue)
    if found is None and row["alone"]:
        await connection.execute(_MOVE, row["conversation_id"], queue_id)
        return
    number = found["id"] if found is not None else None
    if number is None:
        number = await connection.fetchval(_BEGIN, row["contact_id"], queue_id, subject, row["created_at"])
    await connection.execute(_PUT, call["message_id"], number)
    if call["theirs"]:
        await connection.execute(_PARTY, number, call["theirs"], row["contact_id"])


async def ask_for_answer(connection: Connection, conversation_id: int, at: datetime) -> None:
    """Somebody of us has to act: the conversation is open from now on."""
    await connection.execute(_REOPEN, conversation_id, at)


async def offer_other_channel(connection: Connection, call: Any) -> bool:
    """Ask whether a message that was left belongs to an open conversation of another channel; false when there is none."""
    if call["contact_id"] is None:
        return False
    beside = await connection.fetchval(_BESIDE, call["contact_id"], call["conversation_id"])
    if beside is None:
        return False
    await connection.execute(_PLACEMENT, call["message_id"], beside)
    return True

"""Where a short message belongs, and storing it: contact, conversation, text, parties, files to fetch, the event.

A conversation is of one number of theirs and one of ours. It is never closed by what a machine obeys (STOP, START), nor
opened by it: nobody waits for an answer to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from channels.sms.inbound import InboundSms
from channels.sms.keywords import Command
from channels.sms.numbers import is_e164
from contacts.consent import hold_contacts
from domain.events import EventType, NewEvent
from domain.languages import detect_language
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

#: an answer to a campaign is told as one for so long
_ANSWERS: Final = timedelta(days=7)

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7302))"
_STORED: Final = "SELECT message_id FROM sms_facts WHERE provider_id = $1 AND raw_id IS NOT NULL LIMIT 1"
_OWNERS: Final = "SELECT DISTINCT contact_id FROM identities WHERE kind = 'phone' AND address = $1 ORDER BY 1"
#: $3 whose number it is now: the talk with somebody who had it before does not go on
_GOES_ON: Final = """
SELECT v.id, v.contact_id, v.case_id, v.queue_id, v.state, q.name AS queue
FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id
WHERE v.id = (
    SELECT o.id FROM sms_facts f JOIN messages m ON m.id = f.message_id JOIN conversations o ON o.id = m.conversation_id
    WHERE f.theirs = $1 AND f.ours = ANY ($2::text[]) AND o.state <> 'closed' AND NOT o.junk
      AND (o.contact_id IS NULL OR cardinality($3::bigint[]) = 0 OR o.contact_id = ANY ($3::bigint[]))
    ORDER BY f.message_id DESC LIMIT 1)
FOR UPDATE OF v
"""
_ANSWERED: Final = """
SELECT m.campaign_id FROM sms_facts f JOIN messages m ON m.id = f.message_id
WHERE f.theirs = $1 AND m.direction = 'out' AND m.created_at > $2 ORDER BY m.id DESC LIMIT 1
"""
#: an open conversation of another channel; what only a team may see is not pointed at
_BESIDE: Final = """
SELECT v.id FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id LEFT JOIN cases k ON k.id = v.case_id
WHERE v.contact_id = $1 AND v.state <> 'closed' AND NOT v.junk AND v.channel <> 'sms'
  AND NOT coalesce(q.confidential, false) AND NOT coalesce(k.confidential, false)
ORDER BY v.last_message_at DESC NULLS LAST, v.id DESC LIMIT 1
"""
_QUEUE: Final = """
SELECT q.id, q.name FROM queue_addresses a JOIN queues q ON q.id = a.queue_id
WHERE a.address = ANY ($1::text[]) ORDER BY a.address LIKE '+%' DESC, a.address LIMIT 1
"""
_DEFAULT_QUEUE: Final = """
INSERT INTO queues (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, name
"""
_CONTACT: Final = """
WITH person AS (INSERT INTO contacts (name) VALUES ($1) RETURNING id)
INSERT INTO identities (contact_id, kind, address, given) SELECT id, 'phone', $1, $1 FROM person RETURNING contact_id
"""
_BEGIN: Final = """
INSERT INTO conversations (contact_id, queue_id, channel, state, waiting_since, last_message_at, created_at, closed_at)
VALUES ($1, $2, 'sms', CASE WHEN $4 THEN 'closed' ELSE 'open' END, CASE WHEN NOT $4 THEN $3::timestamptz END, $3, $3,
        CASE WHEN $4 THEN $3::timestamptz END)
RETURNING id
"""
_GO_ON: Final = """
UPDATE conversations SET contact_id = coalesce(contact_id, $2), last_message_at = greatest(last_message_at, $3),
       updated_at = now(),
       waiting_since = CASE WHEN $4 THEN waiting_since WHEN state = 'open' THEN coalesce(waiting_since, $3) ELSE $3 END,
       version = version + CASE WHEN $4 OR state = 'open' THEN 0 ELSE 1 END,
       state = CASE WHEN $4 THEN state ELSE 'open' END
WHERE id = $1
"""
_MESSAGE: Final = """
INSERT INTO messages (direction, channel, contact_id, conversation_id, case_id, created_at)
VALUES ('in', 'sms', $1, $2, $3, $4) RETURNING id
"""
_CONTENT: Final = """
WITH said AS (
    INSERT INTO message_contents (message_id, subject, body, new_text, language) VALUES ($1, '', $2, $2, $11)
), taking_part AS (
    INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($5, $3, $6) ON CONFLICT DO NOTHING
), facts AS (
    INSERT INTO sms_facts (message_id, provider_id, status, ours, theirs, segments, raw_id, command, reported_at)
    VALUES ($1, $7, 'received', $4, $3, $8, $9, $10, now())
)
INSERT INTO message_parties (message_id, part, no, name, address) VALUES ($1, 'from', 0, '', $3), ($1, 'to', 0, '', $4)
"""
_MEDIA: Final = """
INSERT INTO sms_media (message_id, no, url, content_type, fetch_at)
SELECT $1, no, url, content_type, now()
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS m(url, content_type, no)
"""
_PLACEMENT: Final = (
    "INSERT INTO placements (message_id, conversation_id, reason) VALUES ($1, $2, 'other_channel')"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes. `contact_id` is None when nobody knows which of several people wrote, or for a sender that
    is no number; `beside`: a conversation of another channel that it may belong to."""

    conversation_id: int
    contact_id: int | None
    case_id: int | None
    queue: str | None
    campaign_id: int | None
    beside: int | None
    sharers: int  #: people who have this number


async def hold_number(connection: Connection, number: str) -> None:
    """Nobody else stores messages from this number until the transaction ends."""
    await connection.execute(_LOCK, number)


async def was_stored(connection: Connection, provider_id: str) -> int | None:
    """The message that this one became before: providers repeat themselves."""
    found: int | None = await connection.fetchval(_STORED, provider_id)
    return found


async def find_place(
    connection: Connection, message: InboundSms, at: datetime, default_queue: str, *, is_quiet: bool
) -> Place:
    """The conversation of these two numbers, or a new one in the queue of ours; makes a contact of an unknown number.

    `is_quiet`: nobody has to answer the message, and nobody is made a contact by it.
    """
    reached = [one for one in (message.recipient, message.service) if one]
    owners = [row["contact_id"] for row in await connection.fetch(_OWNERS, message.sender)]
    await hold_contacts(connection, set(owners))
    found = await connection.fetchrow(_GOES_ON, message.sender, reached, owners)
    contact = _choose(owners, found)
    if contact is None and not owners and not is_quiet and is_e164(message.sender):
        contact = await connection.fetchval(_CONTACT, message.sender)
    campaign = await connection.fetchval(_ANSWERED, message.sender, at - _ANSWERS)
    if found is not None:
        await connection.execute(_GO_ON, found["id"], contact, at, is_quiet)
        return Place(
            found["id"], contact, found["case_id"], found["queue"], campaign or None, None, len(owners)
        )
    queue = await connection.fetchrow(_QUEUE, reached) or await connection.fetchrow(
        _DEFAULT_QUEUE, default_queue
    )
    assert queue is not None
    number = await connection.fetchval(_BEGIN, contact, queue["id"], at, is_quiet)
    beside = None
    if contact is not None and not is_quiet:
        beside = await connection.fetchval(_BESIDE, contact)
    return Place(number, contact, None, queue["name"], campaign or None, beside, len(owners))


def _choose(owners: list[int], found: Any) -> int | None:
    """Whose message it is: of several people with one number, the one whom the conversation is with."""
    if len(owners) == 1:
        return owners[0]
    if found is not None and (not owners or found["contact_id"] in owners):
        chosen: int | None = found["contact_id"]
        return chosen
    return None


async def store_message(
    work: UnitOfWork, raw_id: int, message: InboundSms, place: Place, at: datetime, command: Command | None
) -> int:
    """Store it at its place, and tell of it; gives its number."""
    connection = work.connection
    number: int = await connection.fetchval(
        _MESSAGE, place.contact_id, place.conversation_id, place.case_id, at
    )
    await connection.execute(
        _CONTENT,
        number,
        message.body,
        message.sender,
        message.recipient,
        place.conversation_id,
        place.contact_id,
        message.provider_id,
        message.segments,
        raw_id,
        command.value if command else None,
        detect_language(message.body),
    )
    if message.media:
        urls, types = [one.url for one in message.media], [one.content_type for one in message.media]
        await connection.execute(_MEDIA, number, urls, types)
    if place.beside is not None:
        await connection.execute(_PLACEMENT, number, place.beside)
    facts: dict[str, Any] = {
        "channel": "sms",
        "mailbox": message.recipient,
        "queue": place.queue,
        "command": command.value if command else None,
        "asked": place.beside is not None or None,
        "sharers": place.sharers if place.sharers > 1 else None,
    }
    work.tell(
        NewEvent(
            EventType.RECEIVED,
            at,
            place.contact_id,
            number,
            place.campaign_id,
            place.conversation_id,
            place.case_id,
            data={name: value for name, value in facts.items() if value}
            | {"attachments": len(message.media)},
            key=message.key,
        )
    )
    return number

"""A short message that we begin with: to a contact, in the talk between both numbers that goes on, or in a new one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from channels.sms.lookalikes import replace_lookalikes
from channels.sms.numbers import read_number
from domain.errors import InvalidInput
from inbox.desk.answers import Sent, load_files
from inbox.desk.conversations import Desk, lock_conversation
from inbox.desk.preparation import Agent
from inbox.texts.answers import SmsAnswer, TextPost, prepare_first_sms, send_in, tidy
from inbox.texts.writing import hold_number
from storage.pool import Connection
from storage.unit_of_work import unit_of_work

_GOES_ON: Final = """
SELECT o.id FROM sms_facts f JOIN messages m ON m.id = f.message_id JOIN conversations o ON o.id = m.conversation_id
WHERE f.theirs = $1 AND f.ours = $2 AND o.state <> 'closed' AND NOT o.junk AND o.contact_id = $3
ORDER BY f.message_id DESC LIMIT 1
"""
_BEGIN: Final = """
INSERT INTO conversations (contact_id, queue_id, channel, state, assignee_id, created_at)
VALUES ($1, $2, 'sms', 'open', $3, $4) RETURNING id
"""
#: The same words of the same person to the same number, a moment ago: a button that was pressed twice.
_JUST_SENT: Final = """
SELECT m.id, m.conversation_id, coalesce(d.not_before, now()) AS undo_until
FROM sms_facts f JOIN messages m ON m.id = f.message_id JOIN message_contents x ON x.message_id = m.id
  JOIN deliveries d ON d.message_id = m.id
WHERE f.theirs = $1 AND f.ours = $2 AND m.direction = 'out' AND m.contact_id = $3 AND x.author_id = $4 AND x.body = $5
  AND m.created_at > now() - interval '1 minute' AND d.state <> 'cancelled'
  AND NOT EXISTS (SELECT FROM attachments a WHERE a.message_id = m.id)
ORDER BY m.id DESC LIMIT 1
"""
_QUEUE: Final = "SELECT queue_id FROM queue_addresses WHERE address = $1"
_DEFAULT_QUEUE: Final = """
INSERT INTO queues (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Started:
    """Where the message is, and until when it can be called back."""

    conversation_id: int
    sent: Sent


async def find_talk(desk: Desk, contact_id: int, to: str, sender: str) -> int | None:
    """The conversation between these two numbers that goes on; None when there is none."""
    found: int | None = await desk.pool.fetchval(_GOES_ON, to, sender, contact_id)
    return found


async def start_sms(
    desk: Desk,
    agent: Agent,
    contact_id: int,
    answer: SmsAnswer,
    post: TextPost,
    *,
    default_queue: str,
    go_on: int | None = None,
) -> Started:
    """Write to a contact: in the conversation to `go_on` with, else in a new one in the queue of the sender's number.

    The same text of the same person to the same number, without files, goes once in a minute; the one that is on its way
    is given then. Raises InvalidInput that names the field.
    """
    prepared = await prepare_first_sms(desk.pool, contact_id)
    to = answer.to.strip() or prepared.to
    if not to:
        raise InvalidInput("to", "no mobile number of this person is known.", "Give the number.")
    number, sender = read_number(to, None, "to").e164, answer.sender.strip()
    if not sender:
        raise InvalidInput("sender", "no number of ours is known here.", "Choose one to send from.")
    answer = replace(answer, to=number, sender=sender)
    files, undo_until = await load_files(post.uploads, answer.files), post.undo_until()
    async with unit_of_work(desk.pool, desk.announcer) as work:
        connection = work.connection
        await hold_number(connection, number)
        if not files and (twin := await _just_sent(connection, contact_id, agent, answer)) is not None:
            return twin
        conversation_id = go_on
        if conversation_id is None:
            queue = await connection.fetchval(_QUEUE, sender)
            if queue is None:
                queue = await connection.fetchval(_DEFAULT_QUEUE, default_queue)
            conversation_id = await connection.fetchval(
                _BEGIN, contact_id, queue, desk.actor_id, desk.clock.now()
            )
        assert conversation_id is not None  # RETURNING gives one
        found = await lock_conversation(connection, conversation_id)
        message_id = await send_in(work, desk, found, agent, answer, files, post.blobs, undo_until)
    return Started(conversation_id, Sent(message_id, undo_until))


async def _just_sent(
    connection: Connection, contact_id: int, agent: Agent, answer: SmsAnswer
) -> Started | None:
    text = tidy(answer.text)
    if answer.lookalikes:
        text = replace_lookalikes(text).text
    row = await connection.fetchrow(_JUST_SENT, answer.to, answer.sender, contact_id, agent.id, text)
    return None if row is None else Started(row["conversation_id"], Sent(row["id"], row["undo_until"]))

"""An automatic answer that a rule asks for, to a short message: seldom the same number, never one of ours or a closed one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from channels.sms.numbers import is_e164
from inbox.mails.auto_answers import KEEP, LOCK, RECENT, THIS_HOUR
from inbox.reading_settings import AutoAnswerSettings
from inbox.texts.automatic import CLOSED
from outbox.letters.letter import LetterKind
from outbox.letters.writing import Stationery
from outbox.texts.letters import SmsLetter, write_sms
from storage.pool import Connection

_FACTS: Final = """
SELECT m.contact_id, m.conversation_id, m.case_id, m.created_at, f.ours, f.theirs, f.command
FROM messages m JOIN sms_facts f ON f.message_id = m.id
WHERE m.id = $1 AND m.direction = 'in' AND m.channel = 'sms'
"""


async def answer_text(
    connection: Connection, message_id: int, text: str, stationery: Stationery, settings: AutoAnswerSettings
) -> str | None:
    """Answer a short message by machine, in the caller's transaction; gives why that may not be, None when it was done."""
    row = await connection.fetchrow(_FACTS, message_id)
    if row is None:
        return "the event has no message of theirs"
    now = stationery.clock.now()
    if row["command"]:
        return "It is a word that means stop, start or help."
    if not is_e164(row["theirs"]):
        return "Its sender takes no answers."
    if now - row["created_at"] > timedelta(hours=settings.latest):
        return "It came too long ago."
    if await connection.fetchval(CLOSED, row["theirs"]):
        return "Nothing may be sent to this number."
    await connection.execute(LOCK)
    recent = await connection.fetch(RECENT, row["theirs"], now - timedelta(hours=settings.hours))
    if len(recent) >= settings.per_correspondent:
        return "The sender got enough automatic answers for now."
    if await connection.fetchval(THIS_HOUR, now - timedelta(hours=1)) >= settings.per_hour:
        return "Enough automatic answers went out in this hour."
    letter = SmsLetter(
        LetterKind.AUTO_ANSWER,
        row["ours"],
        row["theirs"],
        text,
        lookalikes=True,
        contact_id=row["contact_id"],
        conversation_id=row["conversation_id"],
        case_id=row["case_id"],
    )
    number = await write_sms(connection, letter, stationery.clock)
    await connection.execute(KEEP, row["theirs"], row["conversation_id"], number, now)
    return None

"""Answers by SMS that a person writes in a conversation: prepared, sent with some seconds to undo it.

An answer goes to the number that wrote last, from the number of ours that it wrote to. It is undone as mail is
(`inbox.desk.answers.undo_answer`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.sms.lookalikes import Replaced, replace_lookalikes
from channels.sms.segments import Segments, count
from domain.conversations import ConversationMove, next_conversation_state
from domain.errors import InvalidInput
from domain.events import EventType
from inbox.desk.answers import NewsCameIn, Sent
from inbox.desk.conversations import Conversation, Desk, lock_conversation, write_conversation
from inbox.desk.drafts import Draft, newest_message, store_draft
from inbox.desk.preparation import Agent
from outbox.letters.letter import LetterKind
from outbox.texts.letters import SmsLetter, write_sms
from storage.pool import Connection, Pool
from storage.unit_of_work import UnitOfWork, unit_of_work

_NUMBERS: Final = """
SELECT f.ours, f.theirs, m.contact_id FROM messages AS m JOIN sms_facts AS f ON f.message_id = m.id
WHERE m.conversation_id = $1 AND f.ours <> '' AND f.theirs <> ''
ORDER BY m.direction = 'in' DESC, m.id DESC LIMIT 1
"""
_SUPPRESSED: Final = "SELECT reason FROM suppressions WHERE kind = 'phone' AND address = $1"
_ADD_PARTY: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class SmsAnswer:
    """What is to be sent. `to` and `sender`: other numbers than those of the last message that came in. `media`:
    addresses of pictures and files. `lookalikes`: see SmsLetter. `seen`: the newest message that its author has seen."""

    text: str
    to: str = ""
    sender: str = ""
    media: tuple[str, ...] = ()
    lookalikes: bool = False
    seen: int = 0
    close: bool = False


@dataclass(frozen=True, slots=True)
class SmsPrepared:
    """An answer before anything was written: to whom and from which number; empty where nobody knows."""

    to: str
    sender: str
    contact_id: int | None


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a text takes as it stands, and with look-alikes replaced."""

    segments: Segments
    replaced: Replaced
    replaced_segments: Segments


def weigh(text: str) -> Weighed:
    """Parts of a text, for the page on which it is written."""
    replaced = replace_lookalikes(text)
    return Weighed(count(text), replaced, count(replaced.text))


async def prepare_sms_answer(connection: Connection | Pool, conversation_id: int) -> SmsPrepared:
    """The numbers that an answer in this conversation goes between."""
    row = await connection.fetchrow(_NUMBERS, conversation_id)
    return SmsPrepared(row["theirs"], row["ours"], row["contact_id"]) if row else SmsPrepared("", "", None)


async def send_sms_answer(
    desk: Desk, conversation_id: int, agent: Agent, answer: SmsAnswer, *, undo_seconds: float
) -> Sent:
    """Write an answer into the outbox; it leaves after `undo_seconds`. The conversation waits (or is closed) then.

    Raises NotFound, InvalidInput that names the field, and NewsCameIn when there is a message that its author has
    not seen.
    """
    undo_until = datetime.now(UTC) + timedelta(seconds=undo_seconds)
    async with unit_of_work(desk.pool, desk.announcer) as work:
        connection = work.connection
        found = await lock_conversation(connection, conversation_id)
        newest = await newest_message(connection, conversation_id)
        if newest > answer.seen:
            raise NewsCameIn("A message came in while you were writing. Read it, then send your answer.")
        prepared = await prepare_sms_answer(connection, conversation_id)
        to, sender = answer.to.strip() or prepared.to, answer.sender.strip() or prepared.sender
        if not to:
            raise InvalidInput("to", "nobody wrote from a phone here.", "Give the number.")
        if not sender:
            raise InvalidInput("sender", "no number of ours is known here.", "Choose one to send from.")
        message_id = await write_sms(
            connection,
            SmsLetter(
                kind=LetterKind.ANSWER,
                sender=sender,
                to=to,
                text=answer.text.strip(),
                media=answer.media,
                lookalikes=answer.lookalikes,
                contact_id=prepared.contact_id if to == prepared.to else None,
                conversation_id=found.id,
                case_id=found.case_id,
                author_id=agent.id,
                not_before=undo_until,
            ),
            desk.clock,
        )
        await _join(connection, found.id, message_id)
        version = await _wait(desk, work, found, close=answer.close)
        await store_draft(connection, found.id, agent.id, _kept(answer, found, newest, message_id, version))
    return Sent(message_id, undo_until)


async def _join(connection: Connection, conversation_id: int, message_id: int) -> None:
    """The number takes part from now on. Raises InvalidInput when nothing may be sent to it."""
    row = await connection.fetchrow(
        "SELECT address, contact_id FROM deliveries WHERE message_id = $1", message_id
    )
    assert row is not None  # it was written in this transaction
    reason = await connection.fetchval(_SUPPRESSED, row["address"])
    if reason == "opted_out":
        raise InvalidInput("to", "this person answered STOP.", "They can open the way again by START.")
    if reason:
        raise InvalidInput(
            "to",
            f"nothing would reach {row['address']}: it is on the do-not-contact list.",
            "Take it off the list, or use another number.",
        )
    await connection.execute(_ADD_PARTY, conversation_id, row["address"], row["contact_id"])


async def _wait(desk: Desk, work: UnitOfWork, found: Conversation, *, close: bool) -> int:
    """The contact owes the next word, or nobody does; gives the conversation's new version."""
    now = desk.clock.now()
    state = next_conversation_state(found.state, ConversationMove.ANSWER)
    if close:
        state = next_conversation_state(state, ConversationMove.CLOSE)
        work.tell(found.tell(EventType.CONVERSATION_CLOSED, now, desk.actor_id))
    changed = replace(
        found,
        state=state,
        waiting_since=None,
        closed_at=now if close else None,
        last_message_at=now,
        assignee_id=found.assignee_id or desk.actor_id,
    )
    return await write_conversation(work.connection, changed)


def _kept(answer: SmsAnswer, found: Conversation, newest: int, message_id: int, version: int) -> Draft:
    """What undoing it needs (inbox.desk.answers.undo_answer)."""
    before = {
        "state": found.state.value,
        "assignee_id": found.assignee_id,
        "version": version,
        **{
            name: moment and moment.isoformat()
            for name in ("waiting_since", "closed_at", "last_message_at")
            for moment in [getattr(found, name)]
        },
    }
    return Draft(text=answer.text, to=answer.to, seen=newest, sent=message_id, before=before)

"""Answers by SMS that a person writes in a conversation: prepared, sent with some seconds to undo it.

An answer goes to the number that wrote last, from the number of ours that it wrote to. It is undone as mail is
(`inbox.desk.answers.undo_answer`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.sms.content import LONGEST
from channels.sms.lookalikes import Replaced, replace_lookalikes
from channels.sms.numbers import takes_texts
from channels.sms.segments import Segments, count
from domain.conversations import ConversationMove, next_conversation_state
from domain.errors import InvalidInput
from domain.events import EventType
from domain.messages import ChannelKind
from inbox.desk.answers import NewsCameIn, Sent, load_files
from inbox.desk.conversations import Conversation, Desk, lock_conversation, write_conversation
from inbox.desk.drafts import Draft, DraftFile, newest_message, store_draft
from inbox.desk.files import AnswerFiles
from inbox.desk.preparation import Agent
from outbox.letters.letter import LetterFile, LetterKind
from outbox.texts.letters import SmsLetter, write_sms
from storage.blobs import BlobStore
from storage.pool import Connection, Pool
from storage.unit_of_work import UnitOfWork, unit_of_work

#: of the messages, else of the calls: whoever rang from a mobile can be written to
_NUMBERS: Final = """
SELECT coalesce(f.ours, c.ours) AS ours, coalesce(f.theirs, c.theirs) AS theirs, m.contact_id, f.message_id IS NULL AS rang
FROM messages AS m LEFT JOIN sms_facts AS f ON f.message_id = m.id AND f.ours <> '' AND f.theirs <> ''
  LEFT JOIN calls AS c ON c.message_id = m.id AND c.ours <> '' AND c.theirs <> ''
WHERE m.conversation_id = $1 AND (f.message_id IS NOT NULL OR c.message_id IS NOT NULL)
ORDER BY f.message_id IS NULL, m.direction = 'in' DESC, m.id DESC LIMIT 1
"""
#: the numbers of a contact, and one that wrote; why nothing may be sent to each
_PHONES: Final = """
SELECT n.number, coalesce(s.reason, '') AS reason
FROM (SELECT i.address AS number, i.id FROM identities AS i WHERE i.kind = 'phone' AND i.contact_id = $1
      UNION SELECT $2, 0 WHERE $2 <> '' AND NOT EXISTS (
          SELECT FROM identities WHERE kind = 'phone' AND contact_id = $1 AND address = $2)) AS n
  LEFT JOIN suppressions AS s ON s.kind = 'phone' AND s.address = n.number
ORDER BY n.number = $2 DESC, n.id
"""
_CONTACT: Final = "SELECT contact_id FROM conversations WHERE id = $1"
_SUPPRESSED: Final = "SELECT reason FROM suppressions WHERE kind = 'phone' AND address = $1"
_ADD_PARTY: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class SmsAnswer:
    """What is to be sent. `to` and `sender`: other numbers than those of the last message that came in. `files` lie among
    the uploads; `lookalikes`: see SmsLetter. `seen`: the newest message that its author has seen."""

    text: str
    to: str = ""
    sender: str = ""
    files: tuple[DraftFile, ...] = ()
    lookalikes: bool = False
    seen: int = 0
    close: bool = False


@dataclass(frozen=True, slots=True)
class TextPost:
    """What sending takes beside the message: where its files were uploaded, where they are kept, seconds to undo it."""

    uploads: AnswerFiles
    blobs: BlobStore
    undo_seconds: float

    def undo_until(self) -> datetime:
        """Until when (machine time) a message that is written now can be called back."""
        return datetime.now(UTC) + timedelta(seconds=self.undo_seconds)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that could be written to; `reason`: why it is on the do-not-contact list, empty when it is not."""

    number: str
    reason: str


@dataclass(frozen=True, slots=True)
class SmsPrepared:
    """An answer before anything was written: to whom and from which number; empty where nobody knows. `phones`: the
    numbers of the contact that take texts, the one that wrote first."""

    to: str
    sender: str
    contact_id: int | None
    phones: tuple[Phone, ...] = ()

    @property
    def blocked(self) -> str:
        """Why nothing may be sent to `to`; empty when something may."""
        return next((phone.reason for phone in self.phones if phone.number == self.to), "")

    @property
    def open_phones(self) -> tuple[Phone, ...]:
        """Those that may be written to."""
        return tuple(phone for phone in self.phones if not phone.reason)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a text takes as it stands, and with look-alikes replaced."""

    segments: Segments
    replaced: Replaced
    replaced_segments: Segments

    @property
    def saves(self) -> int:
        """Parts that replacing look-alikes saves."""
        return self.segments.segments - self.replaced_segments.segments


def tidy(text: str) -> str:
    """A text as it will be sent: its ends of lines are one character, whatever a browser makes of them."""
    return text.replace("\r\n", "\n").strip()


def weigh(text: str) -> Weighed:
    """Parts of a text, for the page on which it is written."""
    text = tidy(text)
    replaced = replace_lookalikes(text)
    return Weighed(count(text), replaced, count(replaced.text))


async def prepare_sms_answer(connection: Connection | Pool, conversation_id: int) -> SmsPrepared:
    """The numbers that an answer in this conversation goes between: those of the last message or call, else the contact's."""
    row = await connection.fetchrow(_NUMBERS, conversation_id)
    contact_id = await connection.fetchval(_CONTACT, conversation_id)
    if row is None or (row["rang"] and not takes_texts(row["theirs"])):
        return await prepare_first_sms(connection, contact_id)
    known = await _phones_of(connection, row["contact_id"] or contact_id, row["theirs"])
    return SmsPrepared(row["theirs"], row["ours"], row["contact_id"] or contact_id, known)


async def prepare_first_sms(connection: Connection | Pool, contact_id: int | None) -> SmsPrepared:
    """The number that a first message to a contact goes to: the oldest that takes texts and may be written to."""
    phones = await _phones_of(connection, contact_id)
    to = next((phone.number for phone in phones if not phone.reason), phones[0].number if phones else "")
    return SmsPrepared(to, "", contact_id, phones)


async def _phones_of(
    connection: Connection | Pool, contact_id: int | None, wrote: str = ""
) -> tuple[Phone, ...]:
    rows = await connection.fetch(_PHONES, contact_id, wrote)
    return tuple(
        Phone(row["number"], row["reason"])
        for row in rows
        if row["number"] == wrote or takes_texts(row["number"])
    )


async def send_sms_answer(
    desk: Desk, conversation_id: int, agent: Agent, answer: SmsAnswer, post: TextPost
) -> Sent:
    """Write an answer into the outbox; it leaves after the seconds to undo it. The conversation waits (or is closed) then.

    Raises NotFound, InvalidInput that names the field, and NewsCameIn when there is a message that its author has
    not seen.
    """
    files = await load_files(post.uploads, answer.files)
    undo_until = post.undo_until()
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id)
        newest = await newest_message(work.connection, conversation_id)
        if newest > answer.seen:
            raise NewsCameIn("A message came in while you were writing. Read it, then send your answer.")
        message_id = await send_in(work, desk, found, agent, answer, files, post.blobs, undo_until)
    return Sent(message_id, undo_until)


async def send_in(
    work: UnitOfWork,
    desk: Desk,
    found: Conversation,
    agent: Agent,
    answer: SmsAnswer,
    files: tuple[LetterFile, ...],
    blobs: BlobStore,
    undo_until: datetime,
) -> int:
    """Write an answer in a conversation that is held, in the caller's transaction; gives its message id. `files` are
    those of the answer, loaded.

    Raises InvalidInput that names the field.
    """
    connection = work.connection
    text = tidy(answer.text)
    if not text and not files:
        raise InvalidInput("text", "the message is empty.", "Write something first.")
    if len(text) > LONGEST:
        raise InvalidInput("text", f"the text is longer than {LONGEST} characters.", "Shorten it.")
    newest = await newest_message(connection, found.id)
    prepared = await prepare_sms_answer(connection, found.id)
    to, sender = answer.to.strip() or prepared.to, answer.sender.strip() or prepared.sender
    if not to:
        raise InvalidInput("to", "no number of this person is known.", "Give the number.")
    if not sender:
        raise InvalidInput("sender", "no number of ours is known here.", "Choose one to send from.")
    message_id = await write_sms(
        connection,
        SmsLetter(
            kind=LetterKind.ANSWER,
            sender=sender,
            to=to,
            text=text,
            files=files,
            lookalikes=answer.lookalikes,
            contact_id=prepared.contact_id if to in [one.number for one in prepared.phones] else None,
            conversation_id=found.id,
            case_id=found.case_id,
            author_id=agent.id,
            not_before=undo_until,
        ),
        desk.clock,
        blobs,
    )
    await _join(connection, found.id, message_id)
    version = await _wait(desk, work, found, close=answer.close)
    await store_draft(connection, found.id, agent.id, _kept(answer, found, newest, message_id, version))
    return message_id


async def _join(connection: Connection, conversation_id: int, message_id: int) -> None:
    """The number takes part from now on. Raises InvalidInput when nothing may be sent to it."""
    row = await connection.fetchrow(
        "SELECT address, contact_id FROM deliveries WHERE message_id = $1", message_id
    )
    assert row is not None  # it was written in this transaction
    reason = await connection.fetchval(_SUPPRESSED, row["address"])
    if reason == "opted_out":
        raise InvalidInput(
            "to",
            "this person answered STOP, so nothing may be sent to this number.",
            "They can open the way again by START.",
        )
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
    return Draft(
        text=answer.text,
        to=answer.to,
        files=answer.files,
        seen=newest,
        sent=message_id,
        before=before,
        channel=ChannelKind.SMS,
        sender=answer.sender,
    )

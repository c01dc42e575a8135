"""Answers that a person writes in a conversation: prepared, sent with some seconds to undo it, undone.

An answer is a letter of the outbox. Once it is written the contact owes the next word, so the conversation waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from channels.mail.parsed import Mailbox
from contacts.addresses import read_mail_address
from domain.conversations import ConversationMove, ConversationState, next_conversation_state
from domain.errors import Conflict, InvalidInput, NotFound
from domain.events import EventType
from inbox.desk.conversations import Conversation, Desk, lock_conversation, write_conversation
from inbox.desk.drafts import Draft, DraftFile, load_sent_draft, newest_message, store_draft
from inbox.desk.files import AnswerFiles
from inbox.desk.preparation import Agent, prepare_answer, read_mailboxes
from inbox.desk.quoting import compose
from outbox.letters.writing import Letter, LetterFile, LetterKind, Stationery, cancel_letter, write_letter
from storage.blobs import BlobStore
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork, unit_of_work

_SUPPRESSED: Final = """
SELECT address FROM suppressions WHERE kind = 'mail' AND address = ANY ($1::text[]) ORDER BY 1 LIMIT 1
"""
_ADD_PARTIES: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id)
SELECT $1, a, (SELECT contact_id FROM identities WHERE kind = 'mail' AND address = a) FROM unnest($2::text[]) AS a
ON CONFLICT DO NOTHING
"""
_AUTHOR: Final = """
SELECT x.author_id, x.new_text, x.subject FROM messages m JOIN message_contents x ON x.message_id = m.id
WHERE m.id = $1 AND m.conversation_id = $2 AND m.direction = 'out'
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be sent. Addresses as people write them; `seen`: the newest message that its author has seen."""

    text: str
    to: str
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    quote: bool = True
    files: tuple[DraftFile, ...] = ()
    seen: int = 0
    close: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer in the outbox. Until `undo_until` (machine time) it can be called back."""

    message_id: int
    undo_until: datetime


class NewsCameIn(Conflict):
    """Something came into the conversation while the answer was written; nothing was sent."""


async def send_answer(
    desk: Desk,
    conversation_id: int,
    agent: Agent,
    answer: Answer,
    stationery: Stationery,
    *,
    undo_seconds: float,
    uploads: AnswerFiles | None = None,
) -> Sent:
    """Write an answer into the outbox; it leaves after `undo_seconds`. The conversation waits (or is closed) then.

    Its files lie among the `uploads`, or else in the blob store.

    Raises NotFound, InvalidInput that names the field, and NewsCameIn when there is a message that its author has
    not seen.
    """
    text = answer.text.replace("\r\n", "\n").replace("\0", "")
    if not text.strip():
        raise InvalidInput("text", "the answer is empty.", "Write something first.")
    to, cc, bcc = (read_mailboxes(getattr(answer, part), part) for part in ("to", "cc", "bcc"))
    if not to:
        raise InvalidInput("to", "nobody is named.", "Give at least one address.")
    files = await load_files(uploads or stationery.blobs, answer.files)
    undo_until = datetime.now(UTC) + timedelta(seconds=undo_seconds)
    async with unit_of_work(desk.pool, desk.announcer) as work:
        connection = work.connection
        found = await lock_conversation(connection, conversation_id)
        newest = await newest_message(connection, conversation_id)
        if newest > answer.seen:
            raise NewsCameIn("A message came in while you were writing. Read it, then send your answer.")
        await _refuse_suppressed(connection, [one.address for one in (*to, *cc, *bcc)])
        prepared = await prepare_answer(connection, conversation_id, agent)
        if prepared.from_ is None:
            raise InvalidInput(
                "from", "this queue has no address to send from.", "Give it one on the page of queues."
            )
        letter = Letter(
            kind=LetterKind.ANSWER,
            from_=prepared.from_,
            to=to,
            cc=cc,
            bcc=bcc,
            subject=" ".join(answer.subject.split()) or prepared.subject,
            text=compose(text, prepared.signature, prepared.quotation if answer.quote else ""),
            new_text=text.strip(),
            attachments=files,
            in_reply_to=prepared.in_reply_to,
            references=prepared.references,
            contact_id=await _contact_of(connection, found, to),
            conversation_id=found.id,
            case_id=found.case_id,
            author_id=agent.id,
            not_before=undo_until,
        )
        message_id = await write_letter(connection, letter, stationery)
        await connection.execute(
            _ADD_PARTIES, found.id, [read_mail_address(one.address) for one in (*to, *cc)]
        )
        version = await _wait(desk, connection, found, answer.close, work)
        before = {
            "state": found.state.value,
            "waiting_since": found.waiting_since and found.waiting_since.isoformat(),
            "closed_at": found.closed_at and found.closed_at.isoformat(),
            "last_message_at": found.last_message_at and found.last_message_at.isoformat(),
            "assignee_id": found.assignee_id,
            "version": version,
        }
        kept = Draft(
            text,
            answer.to,
            answer.cc,
            answer.bcc,
            answer.subject,
            answer.quote,
            answer.files,
            newest,
            message_id,
            before,
        )
        await store_draft(connection, found.id, agent.id, kept)
    return Sent(message_id, undo_until)


async def _wait(
    desk: Desk, connection: Connection, found: Conversation, close: bool, work: UnitOfWork
) -> int:
    """The contact owes the next word, or nobody does."""
    now = desk.clock.now()
    state = next_conversation_state(found.state, ConversationMove.ANSWER)
    if close:
        state = next_conversation_state(state, ConversationMove.CLOSE)
        work.tell(found.tell(EventType.CONVERSATION_CLOSED, now, desk.actor_id))
    return await write_conversation(
        connection,
        replace(
            found,
            state=state,
            waiting_since=None,
            closed_at=now if close else None,
            last_message_at=now,
            assignee_id=found.assignee_id or desk.actor_id,
        ),
    )


async def load_files(store: AnswerFiles | BlobStore, files: Sequence[DraftFile]) -> tuple[LetterFile, ...]:
    """The files of an answer from where they were uploaded. Raises InvalidInput for one that is gone."""
    found = []
    for file in files:
        try:
            content = await asyncio.to_thread(store.path(file.blob).read_bytes)
        except (NotFound, FileNotFoundError) as error:
            raise InvalidInput(
                "file", f"the file {file.name} is not here any more.", "Remove it, and attach it again."
            ) from error
        found.append(LetterFile(file.name, file.media_type, content))
    return tuple(found)


async def _refuse_suppressed(connection: Connection, addresses: Sequence[str]) -> None:
    address = await connection.fetchval(_SUPPRESSED, [read_mail_address(one) for one in addresses])
    if address:
        raise InvalidInput(
            "to",
            f"nothing would reach {address}: it is on the do-not-contact list.",
            "Leave it out, or take it off the list.",
        )


async def _contact_of(connection: Connection, found: Conversation, to: Sequence[Mailbox]) -> int | None:
    """The conversation's contact when one of its addresses is written to, else whoever the first address belongs to."""
    row = await connection.fetchrow(
        "SELECT contact_id FROM identities WHERE kind = 'mail' AND address = ANY ($1::text[])"
        " ORDER BY contact_id <> coalesce($2::bigint, 0), id LIMIT 1",
        [read_mail_address(one.address) for one in to],
        found.contact_id,
    )
    return row["contact_id"] if row else None


async def undo_answer(desk: Desk, conversation_id: int, message_id: int, agent: Agent) -> Draft:
    """Call an answer back; its text is a draft again, and the conversation stands as before.

    Raises NotFound when it is no answer of this agent, and Conflict when it is on its way already.
    """
    async with unit_of_work(desk.pool, desk.announcer) as work:
        connection = work.connection
        found = await lock_conversation(connection, conversation_id)
        row = await connection.fetchrow(_AUTHOR, message_id, conversation_id)
        if row is None or row["author_id"] != agent.id:
            raise NotFound(f"You wrote no answer {message_id} in this conversation.")
        if not await cancel_letter(connection, message_id):
            raise Conflict("Too late: the answer is on its way already.")
        kept = await load_sent_draft(connection, conversation_id, agent.id, message_id)
        before = dict(kept.before) if kept else {}
        draft = (
            replace(kept, sent=None, before={}, seen=await newest_message(connection, conversation_id))
            if kept
            else Draft(text=row["new_text"], subject=row["subject"], seen=message_id)
        )
        await store_draft(connection, conversation_id, agent.id, draft)
        if before.get("version") == found.version:
            await write_conversation(connection, _as_before(found, before))
    return draft


def _as_before(found: Conversation, before: dict[str, Any]) -> Conversation:
    def moment(name: str) -> datetime | None:
        text = before.get(name)
        return datetime.fromisoformat(text) if text else None

    return replace(
        found,
        state=ConversationState(before["state"]),
        waiting_since=moment("waiting_since"),
        closed_at=moment("closed_at"),
        last_message_at=moment("last_message_at"),
        assignee_id=before.get("assignee_id"),
    )

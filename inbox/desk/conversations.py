"""What people do with conversations: assign, move, close, open again, judge, note, say who takes part.

Each move is one transaction: the row is locked, the version that the person saw is compared, the table of
domain/conversations.py decides, and an event tells. Who may see a conversation is the caller's to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from contacts.addresses import read_mail_address
from domain.clock import Clock
from domain.conversations import (
    CONVERSATION_EVENTS,
    ConversationMove,
    ConversationMover,
    ConversationState,
    next_conversation_state,
)
from domain.errors import Conflict, InvalidInput, NotFound
from domain.events import EventType, NewEvent
from inbox.desk.not_junk import tell_received
from inbox.desk.sealing import seal
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Connection, Pool
from storage.unit_of_work import UnitOfWork, unit_of_work

LONGEST_NOTE: Final = 20_000  #: characters

_LOCK: Final = """
SELECT id, contact_id, case_id, queue_id, state, subject, assignee_id, junk, version, waiting_since, last_message_at,
       closed_at
FROM conversations WHERE id = $1 FOR UPDATE
"""
_WRITE: Final = """
UPDATE conversations SET state = $2, assignee_id = $3, queue_id = $4, junk = $5, waiting_since = $6, closed_at = $7,
       last_message_at = $8, contact_id = $9, version = version + 1, updated_at = now()
WHERE id = $1 RETURNING version
"""
#: since when the contact waits: the oldest message of theirs after our last one; what we said by ourselves, or a rule
#: or a program wrote, and what was called back, is no answer
_UNANSWERED: Final = """
SELECT min(created_at) FROM messages
WHERE conversation_id = $1 AND direction = 'in'
  AND id > coalesce((SELECT max(m.id) FROM messages m WHERE m.conversation_id = $1 AND m.direction = 'out'
      AND NOT EXISTS (SELECT FROM letters l WHERE l.message_id = m.id AND l.kind IN ('auto_answer', 'transactional'))
      AND NOT EXISTS (SELECT FROM deliveries d WHERE d.message_id = m.id AND d.state = 'cancelled')), 0)
"""
_ADD_PARTY: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id)
SELECT $1, $2, (SELECT contact_id FROM identities WHERE kind = 'mail' AND address = $2)
ON CONFLICT DO NOTHING RETURNING true
"""
_DROP_PARTY: Final = (
    "DELETE FROM conversation_parties WHERE conversation_id = $1 AND address = $2 RETURNING true"
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of the table `conversations`, locked."""

    id: int
    contact_id: int | None
    case_id: int | None
    queue_id: int | None
    state: ConversationState
    subject: str
    assignee_id: int | None
    junk: bool
    version: int
    waiting_since: datetime | None
    last_message_at: datetime | None
    closed_at: datetime | None

    def tell(
        self, kind: EventType, now: datetime, actor_id: int | None, data: Mapping[str, Any] | None = None
    ) -> NewEvent:
        """An event about this conversation."""
        return NewEvent(
            kind,
            now,
            self.contact_id,
            conversation_id=self.id,
            case_id=self.case_id,
            actor_id=actor_id,
            data=data or {},
        )


async def lock_conversation(
    connection: Connection, conversation_id: int, version: int | None = None
) -> Conversation:
    """The conversation, held until the end of the transaction. Raises NotFound.

    Raises Conflict when `version` is given and somebody changed the conversation since.
    """
    row = await connection.fetchrow(_LOCK, conversation_id)
    if row is None:
        raise NotFound(f"There is no conversation {conversation_id}.")
    if version is not None and row["version"] != version:
        raise Conflict("Somebody changed this conversation meanwhile.")
    return Conversation(**{**dict(row), "state": ConversationState(row["state"])})


async def write_conversation(connection: Connection, changed: Conversation) -> int:
    """Keep a changed conversation; gives its new version."""
    version: int = await connection.fetchval(
        _WRITE,
        changed.id,
        changed.state.value,
        changed.assignee_id,
        changed.queue_id,
        changed.junk,
        changed.waiting_since,
        changed.closed_at,
        changed.last_message_at,
        changed.contact_id,
    )
    return version


@dataclass(frozen=True, slots=True)
class Desk:
    """What every move takes: the house's database, its clock, who is told, and who acts (None: a rule)."""

    pool: Pool
    clock: Clock
    announcer: Announcer | None
    actor_id: int | None

    @property
    def mover(self) -> ConversationMover:
        """Who moves."""
        return ConversationMover.RULE if self.actor_id is None else ConversationMover.PERSON


async def assign(
    desk: Desk, conversation_id: int, assignee_id: int | None, version: int | None = None
) -> None:
    """Give it to an active user, or to nobody. Raises NotFound, Conflict, InvalidInput."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id, version)
        if assignee_id is not None and not await work.connection.fetchval(
            "SELECT true FROM users WHERE id = $1 AND active", assignee_id
        ):
            raise InvalidInput("assignee_id", "nobody active has this number.", "Choose another person.")
        await _make(
            desk,
            work,
            found,
            ConversationMove.ASSIGN,
            replace(found, assignee_id=assignee_id),
            {"old": found.assignee_id, "new": assignee_id},
        )


async def move_to_queue(desk: Desk, conversation_id: int, queue_id: int, version: int | None = None) -> None:
    """Move it to another queue; nobody there has taken it yet, so its assignee leaves it.

    Raises NotFound, Conflict, InvalidInput.
    """
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id, version)
        if not await work.connection.fetchval("SELECT true FROM queues WHERE id = $1", queue_id):
            raise InvalidInput("queue_id", "there is no such queue.", "Choose one from the list.")
        if queue_id == found.queue_id:
            return
        changed = replace(found, queue_id=queue_id, assignee_id=None)
        data = {"old": found.queue_id, "new": queue_id}
        await _make(desk, work, found, ConversationMove.MOVE, changed, data)
        await seal(work.connection, [found.id], desk.clock.now())


async def close(desk: Desk, conversation_id: int, version: int | None = None) -> None:
    """Nobody owes anything any more. Raises NotFound, Conflict."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id, version)
        changed = replace(found, waiting_since=None, closed_at=desk.clock.now())
        await _make(desk, work, found, ConversationMove.CLOSE, changed, {})


async def reopen(desk: Desk, conversation_id: int, version: int | None = None) -> None:
    """We owe an answer after all. Raises NotFound, Conflict."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id, version)
        since = await unanswered_since(work.connection, conversation_id) or desk.clock.now()
        changed = replace(found, waiting_since=since, closed_at=None)
        await _make(desk, work, found, ConversationMove.REOPEN, changed, {})


async def wait(desk: Desk, conversation_id: int, version: int | None = None) -> None:
    """The contact owes the next word, though we wrote none here: they were called, say. Raises NotFound, Conflict."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id, version)
        changed = replace(found, waiting_since=None, closed_at=None)
        await _make(desk, work, found, ConversationMove.WAIT, changed, {})


async def judge_junk(desk: Desk, conversation_id: int, junk: bool, version: int | None = None) -> None:
    """Say that it is junk (it is closed), or that it is not (it waits for an answer). Raises NotFound, Conflict."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id, version)
        if junk:
            changed = replace(found, junk=True, waiting_since=None, closed_at=desk.clock.now())
        else:
            since = await unanswered_since(work.connection, conversation_id) or desk.clock.now()
            await tell_received(work, found.id, actor_id=desk.actor_id, now=desk.clock.now())
            found = await lock_conversation(work.connection, conversation_id)  # it may have a contact now
            changed = replace(found, junk=False, waiting_since=since, closed_at=None)
        move = ConversationMove.JUNK if junk else ConversationMove.CLEAR
        await _make(desk, work, found, move, changed, {"junk": junk})
        if not junk:
            await tell_received(work, conversation_id, actor_id=desk.actor_id, now=desk.clock.now())


async def _make(
    desk: Desk,
    work: UnitOfWork,
    found: Conversation,
    move: ConversationMove,
    changed: Conversation,
    data: Mapping[str, Any],
) -> None:
    state = next_conversation_state(found.state, move, desk.mover)
    await write_conversation(work.connection, replace(changed, state=state))
    work.tell(found.tell(CONVERSATION_EVENTS[move], desk.clock.now(), desk.actor_id, data))


async def unanswered_since(connection: Connection, conversation_id: int) -> datetime | None:
    """When the oldest message of theirs arrived that has no answer; None when the last word is ours."""
    since: datetime | None = await connection.fetchval(_UNANSWERED, conversation_id)
    return since


async def note(desk: Desk, conversation_id: int, body: str) -> int:
    """Put an internal note into it, which no contact ever sees; gives the event's id. Raises NotFound, InvalidInput."""
    body = body.strip().replace("\0", "")
    if not body:
        raise InvalidInput("text", "the note is empty.", "Write what the others should know.")
    if len(body) > LONGEST_NOTE:
        raise InvalidInput("text", f"longer than {LONGEST_NOTE} characters.", "Keep what matters.")
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id)
        event = found.tell(EventType.NOTED, desk.clock.now(), desk.actor_id, {"kind": "note"})
        (number,) = await record(work.connection, [event])
        assert number is not None
        await work.connection.execute(
            "INSERT INTO event_texts (event_id, body) VALUES ($1, $2)", number, body
        )
    return number


async def set_contact(desk: Desk, conversation_id: int, contact_id: int, address: str) -> None:
    """Say whose conversation it is; the address of theirs takes part from then on. Raises NotFound."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id)
        await write_conversation(work.connection, replace(found, contact_id=contact_id))
        await work.connection.fetchval(_ADD_PARTY, found.id, address)
        data = {"field": "conversation.contact", "old": found.contact_id, "new": contact_id}
        told = found.tell(EventType.CHANGED, desk.clock.now(), desk.actor_id, data)
        work.tell(replace(told, contact_id=contact_id))


async def add_party(desk: Desk, conversation_id: int, address: str) -> None:
    """Let an address take part: its mails join without asking. Raises NotFound, InvalidInput."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id)
        await work.connection.fetchval(_ADD_PARTY, found.id, read_mail_address(address.strip(), "address"))


async def remove_party(desk: Desk, conversation_id: int, address: str) -> None:
    """Let an address take part no more: its mails wait for a person again. Raises NotFound."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await lock_conversation(work.connection, conversation_id)
        if not await work.connection.fetchval(_DROP_PARTY, found.id, address):
            raise NotFound(f"{address} takes no part in conversation {conversation_id}.")

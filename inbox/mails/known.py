"""What the house knows that matters for a batch of mails: contacts, earlier messages, conversations, queues.

Loaded in a few statements for the whole batch, inside the transaction that stores it. Conversations and contacts of
the batch are held meanwhile, and what one mail changes is seen by the next (inbox/mails/deciding.py writes it back here).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from inbox.mails.arrived import address_of
from storage.pool import Connection

#: Two workers may not decide about mails of the same thread or sender at a time. Sorted, so that nobody waits in a ring.
_LOCK: Final = """
SELECT pg_advisory_xact_lock(key)
FROM (SELECT DISTINCT hashtextextended(word, 7301) AS key FROM unnest($1::text[]) AS word ORDER BY 1) AS keys
"""
_EARLIER: Final = """
SELECT f.header_id, f.digest, m.id, m.direction, m.contact_id, m.campaign_id, m.conversation_id, m.channel
FROM mail_facts f JOIN messages m ON m.id = f.message_id
WHERE f.header_id = ANY($1::text[]) AND f.header_id <> '' ORDER BY m.id
"""
_MESSAGES: Final = """
SELECT m.id, m.direction, m.contact_id, nullif(m.campaign_id, 0) AS campaign_id, d.address, d.state,
       coalesce(m.conversation_id, (SELECT o.conversation_id FROM letters l JOIN messages o ON o.id = l.copy_of
                                    WHERE l.message_id = m.id)) AS conversation_id
FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id WHERE m.id = ANY($1::bigint[])
"""
#: Answers that were read before what they answer, of people whom that was sent to. $1 Message-IDs, $2 addresses,
#: $3 the earliest arrival
_ANSWERS: Final = """
SELECT f.reference_ids, m.conversation_id
FROM identities i
JOIN messages m ON m.contact_id = i.contact_id AND m.direction = 'in' AND m.conversation_id IS NOT NULL
JOIN mail_facts f ON f.message_id = m.id
WHERE i.kind = 'mail' AND i.address = ANY($2::text[]) AND m.created_at >= $3
  AND f.reference_ids && $1::text[] AND f.junk IS NULL AND f.automatic IS NULL
ORDER BY m.id
"""
_CONVERSATIONS: Final = """
SELECT id, contact_id, case_id, queue_id, state, subject, assignee_id, junk, waiting_since, last_message_at, created_at
FROM conversations WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""
_PARTIES: Final = """
SELECT p.conversation_id, p.address, coalesce(a.contact_id, p.contact_id) AS contact_id
FROM conversation_parties p LEFT JOIN contact_aliases a ON a.old_id = p.contact_id
WHERE p.conversation_id = ANY($1::bigint[])
"""
_IDENTITIES: Final = (
    "SELECT address, contact_id FROM identities WHERE kind = 'mail' AND address = ANY($1::text[])"
)
_HOLD: Final = "SELECT id FROM contacts WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE"
_ALIASES: Final = "SELECT old_id, contact_id FROM contact_aliases WHERE old_id = ANY($1::bigint[])"
_QUEUES: Final = """
SELECT q.id, q.name, q.language, q.from_name, q.from_address, q.signature, q.auto_answer, q.confidential
FROM queues q ORDER BY q.id
"""
_QUEUE_ADDRESSES: Final = "SELECT address, queue_id FROM queue_addresses WHERE address = ANY($1::text[])"
_USERS: Final = "SELECT id, email, active FROM users WHERE email = ANY($1::text[]) OR id = ANY($2::bigint[])"
_MAKE_QUEUE: Final = """
INSERT INTO queues (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
"""


@dataclass(slots=True)
class Earlier:
    """A message that was stored before. `address`: whom we sent it to."""

    id: int
    direction: str
    contact_id: int | None
    campaign_id: int | None
    conversation_id: int | None
    address: str | None = None
    digest: str = ""
    state: str | None = None  #: of its delivery


@dataclass(slots=True)
class Thread:
    """A conversation, with the addresses and contacts that take part."""

    id: int
    contact_id: int | None
    case_id: int | None
    queue_id: int | None
    state: str
    subject: str
    assignee_id: int | None
    junk: bool
    waiting_since: datetime | None
    last_message_at: datetime | None
    created_at: datetime
    parties: dict[str, int | None] = field(default_factory=dict)
    fresh: bool = False  #: begun by a mail of this batch, not stored yet
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a conversation waits, and what it answers by itself."""

    id: int
    name: str
    language: str
    from_name: str
    from_address: str | None
    signature: str
    auto_answer: str | None
    confidential: bool


@dataclass(slots=True)
class Known:
    """See the first lines of this file. Addresses are in their one form (contacts/addresses.py)."""

    by_header: dict[str, list[Earlier]] = field(default_factory=dict)
    messages: dict[int, Earlier] = field(default_factory=dict)
    threads: dict[int, Thread] = field(default_factory=dict)
    contacts: dict[str, int] = field(default_factory=dict)
    queues: dict[int, Queue] = field(default_factory=dict)
    queue_addresses: dict[str, int] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)  #: addresses of users
    default_queue: int | None = None
    answers: dict[str, int] = field(
        default_factory=dict
    )  #: conversations that began with an answer, by what it answers

    def remember(self, header_id: str, message: Earlier) -> None:
        """A message that this batch stores."""
        self.messages[message.id] = message
        if header_id:
            self.by_header.setdefault(header_id, []).append(message)


@dataclass(slots=True)
class Asked:
    """What a batch asks about."""

    locks: set[str] = field(default_factory=set)
    header_ids: set[str] = field(default_factory=set)
    message_ids: set[int] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    user_ids: set[int] = field(default_factory=set)
    sent_ids: set[str] = field(default_factory=set)  #: of mails that were sent outside of the hub
    sent_to: set[str] = field(default_factory=set)
    sent_since: datetime | None = None  #: when the first answer to one of them may have come


async def load_known(connection: Connection, asked: Asked, default_queue: str) -> Known:
    """Wait for whoever stores mails of the same threads or senders, then load what is known."""
    known = Known()
    addresses = list(asked.addresses)
    await connection.execute(_LOCK, list(asked.locks))
    await _load_messages(connection, known, asked)
    for row in await connection.fetch(_IDENTITIES, addresses):
        known.contacts[row["address"]] = row["contact_id"]
    await _hold(connection, known)  # before conversations, as a merge takes the same order
    if asked.sent_ids:
        await _load_answers(connection, known, asked)
    ids = {one.conversation_id for one in known.messages.values() if one.conversation_id}
    await _load_threads(connection, known, ids | set(known.answers.values()))
    for row in await connection.fetch(_QUEUES):
        known.queues[row["id"]] = Queue(**row)
    for queue in known.queues.values():
        if queue.from_address:
            known.queue_addresses.setdefault(address_of(queue.from_address), queue.id)
    for row in await connection.fetch(_QUEUE_ADDRESSES, addresses):
        known.queue_addresses[row["address"]] = row["queue_id"]
    for row in await connection.fetch(_USERS, addresses, list(asked.user_ids)):
        if row["active"]:
            known.users[row["id"]] = row["email"]
        known.ours.add(row["email"])
    known.default_queue = next((one.id for one in known.queues.values() if one.name == default_queue), None)
    if known.default_queue is None:
        await _make_default_queue(connection, known, default_queue)
    return known


async def _load_messages(connection: Connection, known: Known, asked: Asked) -> None:
    rows = await connection.fetch(_EARLIER, list(asked.header_ids)) if asked.header_ids else []
    ids = asked.message_ids | {row["id"] for row in rows}
    for row in await connection.fetch(_MESSAGES, list(ids)) if ids else []:
        known.messages[row["id"]] = Earlier(
            row["id"],
            row["direction"],
            row["contact_id"],
            row["campaign_id"],
            row["conversation_id"],
            row["address"],
            state=row["state"],
        )
    for row in rows:
        message = known.messages[row["id"]]
        message.digest = row["digest"]
        known.by_header.setdefault(row["header_id"], []).append(message)


async def _load_answers(connection: Connection, known: Known, asked: Asked) -> None:
    sent = list(asked.sent_ids), list(asked.sent_to), asked.sent_since
    for row in await connection.fetch(_ANSWERS, *sent):
        for header_id in asked.sent_ids.intersection(row["reference_ids"]):
            known.answers.setdefault(header_id, row["conversation_id"])


async def _load_threads(connection: Connection, known: Known, ids: Collection[int]) -> None:
    if not ids:
        return
    for row in await connection.fetch(_CONVERSATIONS, list(ids)):
        known.threads[row["id"]] = Thread(**row)
    for row in await connection.fetch(_PARTIES, list(known.threads)):
        known.threads[row["conversation_id"]].parties[row["address"]] = row["contact_id"]


async def _hold(connection: Connection, known: Known) -> None:
    """Let nobody merge these contacts until the mails are stored; ids of merged contacts become those of today."""
    ids = {*known.contacts.values(), *(one.contact_id for one in known.messages.values())} - {None}
    if not ids:
        return
    await connection.execute(_HOLD, list(ids))
    merged = {row["old_id"]: row["contact_id"] for row in await connection.fetch(_ALIASES, list(ids))}
    if not merged:
        return
    await connection.execute(_HOLD, list(set(merged.values())))
    known.contacts = {address: merged.get(contact, contact) for address, contact in known.contacts.items()}
    for message in known.messages.values():
        if message.contact_id is not None:
            message.contact_id = merged.get(message.contact_id, message.contact_id)


async def _make_default_queue(connection: Connection, known: Known, name: str) -> None:
    number: int = await connection.fetchval(_MAKE_QUEUE, name)
    known.default_queue = number
    known.queues[number] = Queue(number, name, "en", "", None, "", None, False)

"""What a conversation consists of: its messages with their parties and files, its notes, and what was done to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from inbox.texts.media import INFECTED
from storage.pool import Pool
from web.access.people import Person
from web.queries.calls import CallView, calls_of_conversation
from web.queries.conversations import VISIBLE, who

_MESSAGES: Final = """
SELECT m.id, m.direction, m.channel, m.contact_id, m.conversation_id,
       CASE WHEN x.author_id IS NULL THEN m.created_at ELSE coalesce(x.written_at, m.created_at) END AS created_at, x.subject, x.body, x.new_text,
       x.html IS NOT NULL AND x.html <> '' AS has_html, x.written_at, x.author_id, u.name AS author_name,
       f.header_id, f.mailbox, f.automatic, f.back_on, f.junk, f.virus, f.authentication, f.forwarded, f.defects,
       f.raw_id, l.kind AS letter_kind, g.status AS sms_status, g.reason AS sms_reason, g.encoding, g.segments,
       g.price, g.currency, g.ours, g.theirs, g.command
FROM messages m
JOIN message_contents x ON x.message_id = m.id  -- copies of a letter for its other recipients have none
LEFT JOIN users u ON u.id = x.author_id
LEFT JOIN mail_facts f ON f.message_id = m.id
LEFT JOIN letters l ON l.message_id = m.id
LEFT JOIN sms_facts g ON g.message_id = m.id
WHERE m.conversation_id = $1 AND ($2::bigint IS NULL OR m.id = $2)
ORDER BY m.id
"""
_DELIVERIES: Final = """
SELECT coalesce(l.copy_of, l.message_id) AS letter_id, d.message_id, d.address, d.state, d.not_before, d.reason, d.reply,
       d.relay, d.attempt, d.settled_at
FROM letters l JOIN deliveries d ON d.message_id = l.message_id
WHERE l.message_id = ANY ($1::bigint[]) OR l.copy_of = ANY ($1::bigint[]) ORDER BY d.message_id
"""
_PARTIES: Final = """
SELECT message_id, part, name, address FROM message_parties WHERE message_id = ANY ($1::bigint[])
ORDER BY message_id, part, no
"""
_FILES: Final = """
SELECT message_id, no, name, media_type, size, blob, content_id, inline FROM attachments
WHERE message_id = ANY ($1::bigint[]) ORDER BY message_id, no
"""
_EVENTS: Final = """
SELECT e.id, e.type, e.occurred_at, e.recorded_at, e.data, e.actor_id, a.name AS actor_name, t.body
FROM events e LEFT JOIN users a ON a.id = e.actor_id LEFT JOIN event_texts t ON t.event_id = e.id
WHERE e.conversation_id = $1 AND (e.type LIKE 'Conversation%' OR e.type IN ('Noted', 'Placed'))
ORDER BY e.id
"""
_CONVERSATION_PARTIES: Final = """
SELECT p.address, p.contact_id, c.name FROM conversation_parties p LEFT JOIN contacts c ON c.id = p.contact_id
WHERE p.conversation_id = $1 ORDER BY p.since, p.address
"""
#: what a person has to decide: about messages of this conversation, and about messages that may belong to it
_PLACEMENTS: Final = f"""
SELECT s.message_id, s.conversation_id AS suggested_id, s.reason, m.conversation_id AS own_id, x.subject,
       left(x.new_text, 300) AS preview, p.name AS from_name, p.address AS from_address, c.name AS contact_name,
       (SELECT v.subject FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id
        WHERE v.id = s.conversation_id AND {VISIBLE}) AS suggested_subject
FROM placements s JOIN messages m ON m.id = s.message_id
LEFT JOIN message_contents x ON x.message_id = s.message_id
LEFT JOIN message_parties p ON p.message_id = s.message_id AND p.part = 'from' AND p.no = 0
LEFT JOIN contacts c ON c.id = m.contact_id
WHERE s.decided_at IS NULL AND (m.conversation_id = $4 OR (s.conversation_id = $4 AND (
    m.conversation_id IS NULL OR EXISTS (SELECT FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id
                                         WHERE v.id = m.conversation_id AND {VISIBLE}))))
ORDER BY s.message_id
"""
#: files of a mail with a virus are handed out to nobody; the mail as a whole is, to whoever asks for its bytes
_FILE: Final = """
SELECT name, media_type, size, blob, inline FROM attachments
WHERE message_id = $1 AND no = $2
  AND NOT EXISTS (SELECT FROM mail_facts f WHERE f.message_id = $1 AND f.virus IS NOT NULL)
"""
#: pictures and files of short messages that are not here (yet)
_AWAITED: Final = """
SELECT message_id, no, trouble, fetch_at IS NULL AS is_over FROM sms_media
WHERE message_id = ANY ($1::bigint[]) ORDER BY message_id, no
"""
_HTML: Final = "SELECT html FROM message_contents WHERE message_id = $1"
_CONVERSATION_OF: Final = "SELECT conversation_id FROM messages WHERE id = $1"


@dataclass(frozen=True, slots=True)
class AwaitedFile:
    """A picture or file of a short message that was not fetched: why not, the virus that was found in it, and whether
    nobody tries any more."""

    no: int
    trouble: str
    virus: str
    is_over: bool


@dataclass(slots=True)
class MessageView:
    """One message of a thread with what belongs to it."""

    row: Any
    parties: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    files: Sequence[Any] = ()
    deliveries: Sequence[Any] = ()
    awaited: Sequence[AwaitedFile] = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.row[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def is_ours(self) -> bool:
        """Whether we wrote it."""
        return bool(self.row["direction"] == "out")

    @property
    def is_text(self) -> bool:
        """Whether it is a short message, which has no subject and no HTML."""
        return bool(self.row["channel"] == "sms")

    @property
    def text_state(self) -> str:
        """What became of a short message of ours, in one word: the carrier's, else that of its delivery."""
        if self.row["sms_status"] in ("delivered", "read", "undelivered", "failed", "canceled"):
            return "delivered" if self.row["sms_status"] == "read" else str(self.row["sms_status"])
        worst = self.worst_delivery
        return str(worst["state"]) if worst is not None else ""

    @property
    def sender(self) -> Any | None:
        """Who it is from."""
        return next(iter(self.parties.get("from", ())), None)

    @property
    def quoted(self) -> str:
        """What its new text leaves out; empty when that is nothing."""
        new, body = (self.row["new_text"] or "").strip(), (self.row["body"] or "").strip()
        if not new or new == body:
            return ""
        rest = body.removeprefix(new).strip()
        return rest if rest != body else body

    @property
    def text(self) -> str:
        """What to show first."""
        return (self.row["new_text"] or self.row["body"] or "").strip()

    @property
    def is_withdrawn(self) -> bool:
        """Whether sending it was undone."""
        return bool(self.deliveries) and all(one["state"] == "cancelled" for one in self.deliveries)

    @property
    def may_be_undone(self) -> bool:
        """Whether nothing of it has begun to leave."""
        waiting = ("queued", "claimed", "deferred")
        return bool(self.deliveries) and all(one["state"] in waiting for one in self.deliveries)

    @property
    def leaves_at(self) -> datetime | None:
        """When it leaves, while it waits for that."""
        moments = [one["not_before"] for one in self.deliveries if one["state"] in ("queued", "claimed")]
        return max(filter(None, moments), default=None)

    @property
    def worst_delivery(self) -> Any | None:
        """The delivery that a person should look at first."""
        order = {"rejected": 0, "uncertain": 1, "deferred": 2, "queued": 3, "claimed": 3, "sending": 4}
        return min(self.deliveries, key=lambda one: order.get(one["state"], 9), default=None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a thread: a message, a note, something that was done, or a call."""

    at: datetime
    message: MessageView | None = None
    event: Any | None = None
    call: CallView | None = None


async def read_messages(pool: Pool, conversation_id: int, message_id: int | None = None) -> list[MessageView]:
    """The messages of a conversation, oldest first (or only one of them)."""
    rows = await pool.fetch(_MESSAGES, conversation_id, message_id)
    ids = [row["id"] for row in rows]
    parties: dict[int, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for party in await pool.fetch(_PARTIES, ids):
        parties[party["message_id"]][party["part"]].append(party)
    files: dict[int, list[Any]] = defaultdict(list)
    for file in await pool.fetch(_FILES, ids):
        files[file["message_id"]].append(file)
    deliveries: dict[int, list[Any]] = defaultdict(list)
    for delivery in await pool.fetch(_DELIVERIES, ids):
        deliveries[delivery["letter_id"]].append(delivery)
    awaited = await _read_awaited(pool, [row["id"] for row in rows if row["channel"] == "sms"])
    return [
        MessageView(row, parties[row["id"]], files[row["id"]], deliveries[row["id"]], awaited[row["id"]])
        for row in rows
    ]


async def _read_awaited(pool: Pool, ids: Sequence[int]) -> Mapping[int, Sequence[AwaitedFile]]:
    found: dict[int, list[AwaitedFile]] = defaultdict(list)
    for row in await pool.fetch(_AWAITED, ids) if ids else ():
        words = row["trouble"] or ""
        virus = words.removeprefix(INFECTED) if words.startswith(INFECTED) else ""
        found[row["message_id"]].append(AwaitedFile(row["no"], words, virus, row["is_over"]))
    return found


async def read_thread(pool: Pool, person: Person, conversation_id: int) -> list[Entry]:
    """Messages, notes, calls and moves in the order they came; what was withdrawn before it was sent is left out."""
    messages = [
        Entry(message.created_at, message=message)
        for message in await read_messages(pool, conversation_id)
        if not message.is_withdrawn and message.channel != "voice"
    ]
    events = [Entry(row["occurred_at"], event=row) for row in await pool.fetch(_EVENTS, conversation_id)]
    calls = [
        Entry(call.placed_at or call.created_at, call=call)
        for call in await calls_of_conversation(pool, person, conversation_id)
    ]
    return sorted([*messages, *events, *calls], key=lambda entry: entry.at)


async def read_parties(pool: Pool, conversation_id: int) -> list[Any]:
    """Who takes part: address, contact, name."""
    return list(await pool.fetch(_CONVERSATION_PARTIES, conversation_id))


async def read_placements(pool: Pool, person: Person, conversation_id: int) -> list[Any]:
    """Questions that wait for a person; `suggested_subject` is null for a conversation this person may not see."""
    return list(await pool.fetch(_PLACEMENTS, *who(person), conversation_id))


async def find_file(pool: Pool, message_id: int, number: int) -> Any | None:
    """One attachment."""
    return await pool.fetchrow(_FILE, message_id, number)


async def read_html(pool: Pool, message_id: int) -> str:
    """A message's HTML as it came; empty when it has none."""
    return await pool.fetchval(_HTML, message_id) or ""


async def conversation_of(pool: Pool, message_id: int) -> int | None:
    """The conversation that a message belongs to."""
    number: int | None = await pool.fetchval(_CONVERSATION_OF, message_id)
    return number

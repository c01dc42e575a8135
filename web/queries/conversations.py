"""Conversations as a person sees them: the lists, and who may see what. Confidential queues stay with their people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from domain.errors import Unavailable
from storage.confidential import hides
from storage.pool import Connection, Pool
from web.access.people import Person
from web.access.permissions import Permission
from web.i18n import N_

PAGE: Final = 40
_SEARCH_SECONDS: Final = 2.0

#: $1 the person, $2 the person's teams, $3 may supervise; `v` the conversation, `q` its queue
VISIBLE: Final = f"""
(v.assignee_id = $1 OR q.team_id = ANY ($2::bigint[])
 OR (NOT coalesce(q.confidential, false) AND (q.team_id IS NULL OR $3)))
AND NOT {hides("v.case_id", "$1")}
"""
_BASE: Final = "FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id"

_COLUMNS: Final = """
v.id, v.contact_id, v.case_id, v.queue_id, v.channel, v.state, v.subject, v.assignee_id, v.junk, v.version, v.created_at,
v.waiting_since, v.last_message_at, v.closed_at, v.answer_due, v.resolve_due, v.breached_at, v.sort_at,
q.name AS queue_name, a.name AS assignee_name, c.name AS contact_name, c.organisation,
m.id AS message_id, m.direction, x.subject AS message_subject,
left(coalesce(nullif(x.new_text, ''), x.body, ''), 220) AS preview,
p.name AS from_name, p.address AS from_address, f.automatic, f.back_on,
(SELECT r.seconds FROM recordings r WHERE r.message_id = m.id AND r.kind = 'voicemail'
 AND coalesce(r.transcript, '') = '' LIMIT 1) AS unwritten_seconds,
(SELECT count(*) FROM attachments t JOIN messages n ON n.id = t.message_id
 WHERE n.conversation_id = v.id AND NOT t.inline) AS files,
EXISTS (SELECT FROM conversation_drafts d WHERE d.conversation_id = v.id AND d.user_id = $1 AND NOT d.draft ? 'sent')
  AS drafted,
EXISTS (SELECT FROM placements e LEFT JOIN messages n ON n.id = e.message_id
        WHERE e.decided_at IS NULL AND (e.conversation_id = v.id OR n.conversation_id = v.id)) AS undecided
"""
#: the newest message of the other side says what it is about; when there is none, the newest of ours
_JOINS: Final = """
LEFT JOIN queues q ON q.id = v.queue_id
LEFT JOIN users a ON a.id = v.assignee_id
LEFT JOIN contacts c ON c.id = v.contact_id
LEFT JOIN LATERAL (SELECT n.id, n.direction FROM messages n JOIN message_contents o ON o.message_id = n.id
                   WHERE n.conversation_id = v.id ORDER BY n.direction = 'in' DESC, n.id DESC LIMIT 1) m ON true
LEFT JOIN message_contents x ON x.message_id = m.id
LEFT JOIN mail_facts f ON f.message_id = m.id
LEFT JOIN LATERAL (SELECT name, address FROM message_parties WHERE message_id = m.id
                   AND part = CASE m.direction WHEN 'in' THEN 'from' ELSE 'to' END ORDER BY no LIMIT 1) p ON true
"""


class Box(StrEnum):
    """Which conversations a list shows."""

    MINE = "mine"  #: assigned to me, and we owe an answer
    UNASSIGNED = "unassigned"  #: nobody has taken it
    OPEN = "open"  #: we owe an answer, whoever does
    WAITING = "waiting"  #: the contact owes an answer
    CLOSED = "closed"
    JUNK = "junk"


#: what is open waits since the oldest unanswered mail; oldest first
_SINCE: Final = "coalesce(v.waiting_since, v.last_message_at, v.created_at)"
_LAST: Final = "coalesce(v.last_message_at, v.created_at)"
#: box → condition, what it is sorted by, whether the oldest comes first
_BOXES: Final = {
    Box.MINE: ("v.state = 'open' AND NOT v.junk AND v.assignee_id = $1", _SINCE, True),
    Box.UNASSIGNED: ("v.state = 'open' AND NOT v.junk AND v.assignee_id IS NULL", _SINCE, True),
    Box.OPEN: ("v.state = 'open' AND NOT v.junk", _SINCE, True),
    Box.WAITING: ("v.state = 'waiting' AND NOT v.junk", _LAST, True),
    Box.CLOSED: ("v.state = 'closed' AND NOT v.junk", "v.closed_at", False),
    Box.JUNK: ("v.junk", _LAST, False),
}


def _list_of(condition: str, sort: str, oldest_first: bool) -> str:
    order, after = ("ASC", ">") if oldest_first else ("DESC", "<")
    return f"""
SELECT {_COLUMNS} FROM (
    SELECT v.*, {sort} AS sort_at {_BASE}
    WHERE {condition} AND {VISIBLE} AND ($4::bigint IS NULL OR v.queue_id = $4)
      AND ($6::timestamptz IS NULL OR ({sort}, v.id) {after} ($6, $7::bigint))
    ORDER BY {sort} {order}, v.id {order} LIMIT $5
) v {_JOINS} ORDER BY v.sort_at {order}, v.id {order}
"""


_LISTS: Final = {box: _list_of(*parts) for box, parts in _BOXES.items()}
_BY_ADDRESS: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT v.*, {_LAST} AS sort_at {_BASE}
    WHERE {VISIBLE} AND v.id IN (SELECT conversation_id FROM conversation_parties WHERE address = $4)
    ORDER BY {_LAST} DESC, v.id DESC LIMIT $5
) v {_JOINS} ORDER BY v.sort_at DESC, v.id DESC
"""
_SEARCH: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT v.*, {_LAST} AS sort_at {_BASE} LEFT JOIN contacts c ON c.id = v.contact_id
    WHERE {VISIBLE} AND (v.subject ILIKE $4 OR c.name ILIKE $4
          OR EXISTS (SELECT FROM conversation_parties p WHERE p.conversation_id = v.id AND p.address ILIKE $4))
    ORDER BY {_LAST} DESC, v.id DESC LIMIT $5
) v {_JOINS} ORDER BY v.sort_at DESC, v.id DESC
"""
_OF_CONTACT: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT v.*, {_LAST} AS sort_at {_BASE} WHERE {VISIBLE} AND v.contact_id = $4
    ORDER BY {_LAST} DESC, v.id DESC LIMIT $5
) v {_JOINS} ORDER BY v.sort_at DESC, v.id DESC
"""
_ONE: Final = f"""
SELECT {_COLUMNS}, q.confidential, q.from_name AS queue_from_name, q.from_address AS queue_from_address, q.signature,
       q.language AS queue_language
FROM (SELECT v.*, {_LAST} AS sort_at {_BASE} WHERE {VISIBLE} AND v.id = $4) v {_JOINS}
"""
_COUNTS: Final = f"""
SELECT v.queue_id, count(*) FILTER (WHERE v.state = 'open' AND v.assignee_id = $1) AS mine,
       count(*) FILTER (WHERE v.state = 'open' AND v.assignee_id IS NULL) AS unassigned,
       count(*) FILTER (WHERE v.state = 'open') AS open, count(*) FILTER (WHERE v.state = 'waiting') AS waiting
{_BASE} WHERE v.state <> 'closed' AND NOT v.junk AND {VISIBLE} GROUP BY v.queue_id
"""
_QUEUES: Final = """
SELECT q.id, q.name, q.confidential FROM queues q
WHERE q.team_id = ANY ($2::bigint[]) OR (NOT q.confidential AND (q.team_id IS NULL OR $3))
   OR EXISTS (SELECT FROM conversations v WHERE v.queue_id = q.id AND v.assignee_id = $1 AND v.state <> 'closed')
ORDER BY lower(q.name), q.id
"""
#: every queue may be moved to: who may not see it hands the conversation over
_ALL_QUEUES: Final = "SELECT id, name, confidential FROM queues ORDER BY lower(name), id"


def who(person: Person) -> tuple[int, list[int], bool]:
    """$1 to $3 of VISIBLE."""
    return person.id, list(person.teams), person.may(Permission.CONVERSATIONS_SUPERVISE)


async def list_conversations(
    pool: Pool,
    person: Person,
    box: Box,
    *,
    queue_id: int | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int = PAGE,
) -> list[Any]:
    """The conversations of a box that the person may see; `after`: sort_at and id of the last of the page before."""
    return list(await pool.fetch(_LISTS[box], *who(person), queue_id, limit, *(after or (None, None))))


async def search_conversations(pool: Pool, person: Person, words: str, limit: int = PAGE) -> list[Any]:
    """Conversations in which this address takes part; else those whose subject, contact or address holds `words`.

    Latest first. Raises Unavailable when that takes too long, among very many conversations.
    """
    needle = words.replace("\0", "").strip().lower()
    if "@" in needle:
        found = list(await pool.fetch(_BY_ADDRESS, *who(person), needle, limit))
        if found:
            return found
    escaped = needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    try:
        return list(await pool.fetch(_SEARCH, *who(person), f"%{escaped}%", limit, timeout=_SEARCH_SECONDS))
    except TimeoutError as error:
        raise Unavailable(
            N_("This search takes too long. Write the whole e-mail address, or a rarer word.")
        ) from error


async def list_conversations_of_contact(
    pool: Pool, person: Person, contact_id: int, limit: int = 8
) -> list[Any]:
    """The contact's conversations, latest first."""
    return list(await pool.fetch(_OF_CONTACT, *who(person), contact_id, limit))


async def find_conversation(
    connection: Pool | Connection, person: Person, conversation_id: int
) -> Any | None:
    """One conversation; None when there is none or this person may not see it."""
    return await connection.fetchrow(_ONE, *who(person), conversation_id)


async def count_conversations(pool: Pool, person: Person) -> tuple[dict[str, int], dict[int | None, int]]:
    """How many are in each box, and how many are open in each queue."""
    rows = await pool.fetch(_COUNTS, *who(person))
    boxes = {name: sum(row[name] for row in rows) for name in ("mine", "unassigned", "open", "waiting")}
    return boxes, {row["queue_id"]: row["open"] for row in rows}


async def list_visible_queues(pool: Pool, person: Person) -> Sequence[Any]:
    """The queues whose conversations the person may see."""
    return list(await pool.fetch(_QUEUES, *who(person)))


async def list_queue_names(pool: Pool) -> Sequence[Any]:
    """Every queue, to move a conversation to."""
    return list(await pool.fetch(_ALL_QUEUES))

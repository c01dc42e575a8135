"""Calls as a person sees them: the list, one call with its legs and recordings, what rings or talks right now.

Who placed a call or talked in it sees it. So do those who see its task and its conversation; a call without a
conversation belongs to the queue of its line, or to the teams of who placed it. Whom it only rang sees it too, but not
when the queue is confidential: then nothing stays of it for others (promise 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from domain.calls import CallResult, CallState
from storage.confidential import has_part, hides
from storage.pool import Pool
from web.access.people import Person
from web.access.permissions import Permission
from web.queries.conversations import VISIBLE

PAGE: Final = 40
#: how long an ended call asks for its outcome on every page
ASKS_FOR: Final = timedelta(minutes=3)

_LIVE: Final = "c.state NOT IN ('ended', 'unconfirmed')"
#: $1 the person: placed it, is rung by it now, or talked in it
_TOOK_PART: Final = f"""
((c.user_id = $1 AND (m.direction = 'out' OR c.answered_at IS NOT NULL OR {_LIVE}))
 OR EXISTS (SELECT FROM call_legs g WHERE g.message_id = c.message_id AND g.user_id = $1
            AND (g.answered_at IS NOT NULL OR (g.ended_at IS NULL AND {_LIVE}))))
"""
_RUNG: Final = """
EXISTS (SELECT FROM call_legs g WHERE g.message_id = c.message_id AND g.user_id = $1)
"""
#: $2 the person's teams, $3 supervises conversations, $4 supervises tasks, $5 works on conversations
_OPEN: Final = f"""
((c.task_id IS NULL OR EXISTS (
    SELECT FROM tasks t WHERE t.id = c.task_id
    AND (t.assignee_id = $1 OR t.requester_id = $1 OR {has_part("t.case_id", "$1")}
         OR ((t.team_id = ANY ($2::bigint[]) OR $4) AND NOT {hides("t.case_id", "$1")}))))
 AND NOT {hides("m.case_id", "$1")}
 AND CASE
    WHEN m.conversation_id IS NOT NULL THEN $5 AND EXISTS (
        SELECT FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id WHERE v.id = m.conversation_id AND {VISIBLE})
    WHEN m.direction = 'in' THEN $5 AND (
        q.team_id = ANY ($2::bigint[]) OR (NOT coalesce(q.confidential, false) AND (q.team_id IS NULL OR $3)))
    ELSE $3 OR EXISTS (SELECT FROM team_members b WHERE b.user_id = c.user_id AND b.team_id = ANY ($2::bigint[])) END)
"""
_CONFIDENTIAL: Final = """
(coalesce(q.confidential, false) OR EXISTS (
    SELECT FROM conversations v JOIN queues o ON o.id = v.queue_id WHERE v.id = m.conversation_id AND o.confidential))
"""
#: may see that it was, and with whom
_SEEN: Final = f"({_TOOK_PART} OR {_OPEN} OR ({_RUNG} AND NOT {_CONFIDENTIAL}))"
#: may hear what was said
_HEARD: Final = f"({_TOOK_PART} OR {_OPEN})"

_FROM: Final = """
FROM calls c JOIN messages m ON m.id = c.message_id
LEFT JOIN phone_lines l ON l.id = c.line_id
LEFT JOIN queues q ON q.id = l.queue_id
"""
_COLUMNS: Final = """
c.message_id AS id, c.state, c.result, c.ours, c.theirs, c.line_id, c.user_id, c.task_id, c.trouble, c.placed_at,
c.answered_at, c.ended_at, c.seconds, c.price, c.currency, c.announced, c.version, m.direction, m.contact_id,
m.conversation_id, m.created_at, l.name AS line_name, q.name AS queue_name
"""
_NAMES: Final = """
k.name AS contact_name, k.organisation, k.country, u.name AS user_name, t.title AS task_title, t.state AS task_state,
t.assignee_id AS task_assignee_id,
EXISTS (SELECT FROM recordings r WHERE r.message_id = c.id AND r.state <> 'deleted') AS recorded,
EXISTS (SELECT FROM calls r WHERE r.theirs = c.theirs AND c.theirs <> '' AND r.message_id > c.id
        AND r.answered_at IS NOT NULL) AS returned
"""
_JOINED: Final = """
LEFT JOIN contacts k ON k.id = c.contact_id
LEFT JOIN users u ON u.id = c.user_id
LEFT JOIN tasks t ON t.id = c.task_id
"""
_MISSED: Final = "m.direction = 'in' AND c.result IN ('missed', 'voicemail', 'abandoned')"
_LIST: Final = f"""
SELECT c.*, {_NAMES} FROM (
    SELECT {_COLUMNS} {_FROM}
    WHERE {{scope}} AND ($6::bigint IS NULL OR c.message_id < $6) AND ($8::bigint IS NULL OR m.contact_id = $8)
    ORDER BY c.message_id DESC LIMIT $7
) c {_JOINED} ORDER BY c.id DESC
"""
_ONE: Final = f"""
SELECT c.*, {_NAMES} FROM (
    SELECT {_COLUMNS}, {_HEARD} AS heard {_FROM} WHERE {_SEEN} AND c.message_id = ANY ($6::bigint[])
) c {_JOINED}
"""
_OF_CONVERSATION: Final = """
SELECT m.id FROM messages m JOIN calls c ON c.message_id = m.id WHERE m.conversation_id = $1
"""
_LEGS: Final = """
SELECT g.provider_id, g.part, g.user_id, g.number, g.status, g.answered_at, g.ended_at, g.seconds, g.price, g.currency,
       u.name AS user_name
FROM call_legs g LEFT JOIN users u ON u.id = g.user_id WHERE g.message_id = $1
ORDER BY g.part = 'them', g.answered_at NULLS LAST, g.provider_id
"""
_RECORDINGS: Final = """
SELECT id, message_id, kind, state, seconds, media_type, size, transcript, delete_after, blob, trouble, created_at
FROM recordings WHERE message_id = ANY ($1::bigint[]) ORDER BY id
"""
#: what rings or talks with this person, what they have just ended, and what nobody knows of
_NOW: Final = f"""
SELECT c.*, {_NAMES} FROM (
    SELECT {_COLUMNS},
           EXISTS (SELECT FROM call_legs g WHERE g.message_id = c.message_id AND g.user_id = $1
                   AND g.answered_at IS NULL AND g.ended_at IS NULL) AS rings_here
    {_FROM} WHERE c.state <> 'ended' AND {_TOOK_PART}
    UNION ALL
    SELECT {_COLUMNS}, false {_FROM}
    WHERE c.state = 'ended' AND c.ended_at > $2 AND c.user_id = $1 AND c.changed_at > now() - interval '1 day'
      AND (m.direction = 'out' OR c.answered_at IS NOT NULL)
) c {_JOINED} ORDER BY c.id
"""


class CallScope(StrEnum):
    """Which calls a list shows."""

    MINE = "mine"  #: placed by me, or rang or talked with me
    MISSED = "missed"  #: nobody of us took it
    ALL = "all"


_SCOPES: Final = {
    CallScope.MINE: f"""c.message_id IN (SELECT message_id FROM calls WHERE user_id = $1
        UNION SELECT message_id FROM call_legs WHERE user_id = $1) AND ({_TOOK_PART} OR {_RUNG}) AND {_SEEN}""",
    CallScope.MISSED: f"{_MISSED} AND {_SEEN}",
    CallScope.ALL: _SEEN,
}


@dataclass(slots=True)
class CallView:
    """One call with what a row shows."""

    row: Any

    def __getattr__(self, name: str) -> Any:
        try:
            return self.row[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def is_ours(self) -> bool:
        """Whether we called."""
        return bool(self.row["direction"] == "out")

    @property
    def is_live(self) -> bool:
        """Whether it goes on."""
        return self.row["state"] not in (CallState.ENDED, CallState.UNCONFIRMED)

    @property
    def is_missed(self) -> bool:
        """Whether they called and nobody of us took it."""
        missed = (CallResult.MISSED, CallResult.VOICEMAIL, CallResult.ABANDONED)
        return not self.is_ours and self.row["result"] in missed

    @property
    def tone(self) -> str:
        """Style of its badge."""
        if self.is_live:
            return "info"
        if self.row["result"] == CallResult.ANSWERED:
            return "good"
        if self.row["state"] == CallState.UNCONFIRMED or self.row["result"] == CallResult.VOICEMAIL:
            return "sun"
        return "bad" if self.is_missed or self.row["result"] == CallResult.FAILED else ""


def _who(person: Person) -> tuple[int, list[int], bool, bool, bool]:
    return (
        person.id,
        list(person.teams),
        person.may(Permission.CONVERSATIONS_SUPERVISE),
        person.may(Permission.TASKS_SUPERVISE),
        person.may(Permission.CONVERSATIONS_WORK),
    )


async def list_calls(
    pool: Pool,
    person: Person,
    scope: CallScope,
    *,
    before: int | None = None,
    limit: int = PAGE,
    contact_id: int | None = None,
) -> list[CallView]:
    """Calls that this person may see, newest first, older than the call `before`."""
    rows = await pool.fetch(_LIST.format(scope=_SCOPES[scope]), *_who(person), before, limit, contact_id)
    return [CallView(row) for row in rows]


async def find_calls(pool: Pool, person: Person, ids: Sequence[int]) -> dict[int, CallView]:
    """Those of these calls that this person may see, by id; `heard`: may also hear what was said."""
    rows = await pool.fetch(_ONE, *_who(person), list(ids)) if ids else []
    return {row["id"]: CallView(row) for row in rows}


async def calls_of_conversation(pool: Pool, person: Person, conversation_id: int) -> list[CallView]:
    """The calls of a conversation, as far as this person may see them; oldest first."""
    ids = [row[0] for row in await pool.fetch(_OF_CONVERSATION, conversation_id)]
    return sorted((await find_calls(pool, person, ids)).values(), key=lambda call: call.id)


async def find_call(pool: Pool, person: Person, call_id: int) -> CallView | None:
    """One call; None when there is none, or this person may not see it."""
    return (await find_calls(pool, person, [call_id])).get(call_id)


async def read_legs(pool: Pool, call_id: int) -> list[Any]:
    """Every phone that took part: ours first."""
    return list(await pool.fetch(_LEGS, call_id))


async def read_recordings(pool: Pool, ids: Sequence[int]) -> dict[int, list[Any]]:
    """The recordings of these calls, by call."""
    found: dict[int, list[Any]] = {}
    for row in await pool.fetch(_RECORDINGS, list(ids)) if ids else ():
        found.setdefault(row["message_id"], []).append(row)
    return found


async def list_calls_now(pool: Pool, person: Person, now: datetime) -> list[CallView]:
    """What rings or talks with this person, and what they have just ended; oldest first.

    `rings_here`: their phone rings, and nobody has taken it.
    """
    return [CallView(row) for row in await pool.fetch(_NOW, person.id, now - ASKS_FOR)]

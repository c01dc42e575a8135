"""What changed between the rendering of a page and the moment its stream is heard: nobody was told of that.

A page carries a cursor: the newest event, and the oldest transaction that was still open when it began to be made. Rows
that a transaction from there on has written are news to it. Whatever ran at the same time may be told once too often.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.pool import Pool
from web.live.reader import Change, ids_of, read_change, select_events

#: asked before anything of a page is read: `event-transaction`
CURSOR: Final = """
SELECT coalesce(max(id), 0) || '-' || pg_snapshot_xmin(pg_current_snapshot()) FROM events
"""
_SHAPE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
#: ids before the newest one whose transactions may have committed late
_BACK_IDS: Final = 500
#: a page that was left for so many events is fetched as a whole
_MOST: Final = 5000


def _newer(row: str) -> str:
    """Whether a transaction from $1 on wrote the row. xmin has 32 bits and goes round."""
    return f"((({row}.xmin::text::bigint - $1::bigint) & 4294967295) < 2147483648)"


_EVENTS: Final = select_events(f"id > $2 AND {_newer('events')} AND (task_id IS NOT NULL OR conversation_id IS NOT NULL"
                               " OR case_id IS NOT NULL OR contact_id = ANY ($3::bigint[]))", "$4")  # fmt: skip
#: kind of topic → its ids of which something else is news
_ROWS: Final = {
    "import": f"SELECT r.id FROM imports r WHERE r.id = ANY ($2::bigint[]) AND {_newer('r')}",
    "campaign": f"""
SELECT r.id FROM campaigns r WHERE r.id = ANY ($2::bigint[])
   AND ({_newer("r")} OR EXISTS (SELECT FROM events e WHERE e.id > $3 AND e.campaign_id = r.id))""",
    "conversation": f"""
SELECT v.id FROM conversations v WHERE v.id = ANY ($2::bigint[]) AND ({_newer("v")}
    OR EXISTS (SELECT FROM conversation_parties p WHERE p.conversation_id = v.id AND {_newer("p")})
    OR EXISTS (SELECT FROM conversation_drafts d WHERE d.conversation_id = v.id AND {_newer("d")})
    OR EXISTS (SELECT FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id
               LEFT JOIN calls c ON c.message_id = m.id
               WHERE m.conversation_id = v.id AND ({_newer("m")} OR {_newer("d")} OR {_newer("c")})))""",
    "call": f"SELECT r.message_id AS id FROM calls r WHERE r.message_id = ANY ($2::bigint[]) AND {_newer('r')}",
    "ringing": f"""
SELECT u.id FROM unnest($2::bigint[]) AS u(id) WHERE EXISTS (
    SELECT FROM calls c WHERE c.changed_at > now() - interval '1 hour' AND {_newer("c")}
    AND (c.user_id = u.id
         OR EXISTS (SELECT FROM call_legs g WHERE g.message_id = c.message_id AND g.user_id = u.id)))""",
}
#: these are told at once: they are few, and what they show has no rows to ask
_ALWAYS: Final = frozenset({"phones", "mailbox", "quarantine", "calls"})


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a page knew when it was made."""

    event: int
    transaction: int


def read_cursor(text: str) -> Cursor | None:
    """The cursor of a page; None for anything else."""
    found = _SHAPE.fullmatch(text)
    return Cursor(int(found[1]), int(found[2])) if found else None


async def read_gap(pool: Pool, cursor: Cursor, topics: frozenset[str]) -> Sequence[Change]:
    """The changes of `topics` that a page of this cursor does not show yet."""
    since = cursor.transaction
    low = cursor.event - _BACK_IDS
    rows: Sequence[Any] = await pool.fetch(_EVENTS, since, low, ids_of("contact", topics), _MOST)
    if len(rows) == _MOST:
        return [Change(topics)]
    changed = set(topics & _ALWAYS)
    for kind, question in _ROWS.items():
        if ids := ids_of(kind, topics):
            more = (cursor.event,) if kind == "campaign" else ()
            changed |= {f"{kind}:{row['id']}" for row in await pool.fetch(question, since, ids, *more)}
    return [*(read_change(row) for row in rows), Change(frozenset(changed))]

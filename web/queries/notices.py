"""What rules tell a person who works here: the notices that they have not seen, as far as they still may know."""

from __future__ import annotations

from typing import Any, Final

from storage.pool import Pool
from web.access.people import Person

MOST: Final = 50
#: $1 the person, $2 their teams; what became confidential after it was told is told no more
_UNSEEN: Final = """
SELECT n.id, n.words, n.rule, n.contact_id, n.conversation_id, n.case_id, n.task_id, n.created_at
FROM notices n
WHERE n.user_id = $1 AND n.seen_at IS NULL AND ($3::bigint IS NULL OR n.id < $3)
  AND NOT EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id
                  WHERE v.id = n.conversation_id AND q.confidential AND v.assignee_id IS DISTINCT FROM $1
                    AND NOT coalesce(q.team_id = ANY ($2::bigint[]), false))
  AND NOT EXISTS (SELECT FROM cases k WHERE k.id = n.case_id AND k.confidential AND k.owner_id IS DISTINCT FROM $1)
ORDER BY n.id DESC LIMIT $4
"""
_SEEN: Final = "UPDATE notices SET seen_at = now() WHERE user_id = $1 AND id <= $2 AND seen_at IS NULL"
_PATHS: Final = (
    ("conversation_id", "conversations"),
    ("task_id", "tasks"),
    ("case_id", "cases"),
    ("contact_id", "contacts"),
)


async def list_notices(
    pool: Pool, person: Person, *, before: int | None = None, limit: int = MOST
) -> list[Any]:
    """What they have not seen, latest first."""
    return list(await pool.fetch(_UNSEEN, person.id, list(person.teams), before, limit))


async def mark_seen(pool: Pool, person: Person, up_to: int) -> None:
    """They have seen the notice with this number, and those before it."""
    await pool.execute(_SEEN, person.id, up_to)


def path_of(notice: Any) -> str:
    """Where a notice leads; empty when it is about nothing in particular. Pure."""
    for column, path in _PATHS:
        if notice[column] is not None:
            return f"/{path}/{notice[column]}"
    return ""

"""Actions of rules that failed for good: the list, trying one again, giving one up. The run log follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.errors import NotFound
from router.actions.work import UNDER_WAY
from router.deeds import tell_run
from storage.announce import Announcer
from storage.pool import Connection, Pool

GIVEN_UP: Final = "given up"

#: whoever may not see the conversation or the case does not see what failed about it: $1 the person, $2 their teams
_VISIBLE: Final = """
NOT EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id
            WHERE v.id = d.conversation_id AND q.confidential AND NOT coalesce(q.team_id = ANY ($2::bigint[]), false)
              AND v.assignee_id IS DISTINCT FROM $1)
AND NOT EXISTS (SELECT FROM cases k WHERE k.id = d.case_id AND k.confidential AND k.owner_id IS DISTINCT FROM $1)
"""
_LIST: Final = f"""
SELECT d.id, d.action, d.trouble, d.attempts, d.created_at, d.settled_at, d.rule_id, r.name AS rule, r.version,
       d.event_id, e.type AS event_type, d.contact_id, c.name AS contact, d.conversation_id, d.case_id
FROM rule_deeds d
  LEFT JOIN rules r ON r.id = d.rule_id
  LEFT JOIN events e ON e.id = d.event_id AND e.recorded_at = d.event_recorded_at
  LEFT JOIN contact_aliases a ON a.old_id = d.contact_id
  LEFT JOIN contacts c ON c.id = coalesce(a.contact_id, d.contact_id)
WHERE d.state = 'failed' AND ($3::bigint IS NULL OR d.id < $3) AND {_VISIBLE}
ORDER BY d.id DESC LIMIT $4
"""
_LOCK: Final = f"""
SELECT d.id, d.rule_id, d.event_id, d.number FROM rule_deeds d
WHERE d.id = $3 AND d.state = 'failed' AND {_VISIBLE} FOR UPDATE OF d
"""
_AGAIN: Final = (
    "UPDATE rule_deeds SET state = 'due', attempts = 0, due_at = now(), settled_at = NULL WHERE id = $1"
)
_GIVE_UP: Final = "UPDATE rule_deeds SET state = 'given_up', settled_at = now(), payload = '{\"settled\": true}' WHERE id = $1"


async def list_failures(
    pool: Pool, person_id: int, teams: Sequence[int], *, before: int | None = None, limit: int = 50
) -> list[Any]:
    """What failed for good and that this person may see, latest first."""
    return list(await pool.fetch(_LIST, person_id, list(teams), before, limit))


async def try_again(
    pool: Pool, announcer: Announcer, person_id: int, teams: Sequence[int], number: int
) -> None:
    """Have a failed action tried again at once, with all its attempts. Raises NotFound when it does not stand as failed."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _lock(connection, person_id, teams, number)
        await connection.execute(_AGAIN, number)
        await tell_run(connection, row["event_id"], row["rule_id"], row["number"], state=UNDER_WAY)
    announcer.touch()


async def give_up(pool: Pool, person_id: int, teams: Sequence[int], number: int, name: str) -> None:
    """Take a failed action off the list for good; `name`: who says so. Raises NotFound, as above."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _lock(connection, person_id, teams, number)
        await connection.execute(_GIVE_UP, number)
        await tell_run(
            connection, row["event_id"], row["rule_id"], row["number"], state=GIVEN_UP, reason=f"by {name}"
        )


async def _lock(connection: Connection, person_id: int, teams: Sequence[int], number: int) -> Any:
    row = await connection.fetchrow(_LOCK, person_id, list(teams), number)
    if row is None:
        raise NotFound(f"There is no failed action {number}; somebody may have tried it again.")
    return row

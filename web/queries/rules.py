"""Rules and what they did."""

from __future__ import annotations

from typing import Any, Final

from storage.confidential import has_part, hides
from storage.pool import Pool
from web.access.people import Person

_LIST: Final = """
SELECT r.id, r.name, r.version, r.definition, r.active, r.created_at,
       (SELECT count(*) FROM tasks t WHERE t.rule_id = r.id) AS acted,
       (SELECT created_at FROM rule_runs u WHERE u.rule_id = r.id ORDER BY u.id DESC LIMIT 1) AS last_run
FROM rules r WHERE r.active ORDER BY lower(r.name)
"""
_ONE: Final = "SELECT id, name, version, definition, active, created_at FROM rules WHERE id = $1"
#: runs about mail of a confidential queue, or whose task is an interview or belongs to a confidential case, are shown
#: to its people only: who made a rule act is what these are confidential for. $4 the person, $5 the person's teams
_RUNS: Final = f"""
SELECT u.id, u.created_at, u.result, u.contact_id, u.task_id, u.event_id, u.matched, c.name AS contact_name
FROM (SELECT r.* FROM rule_runs r WHERE rule_id = $1 AND ($2::bigint IS NULL OR id < $2)
      AND NOT EXISTS (
        SELECT FROM events e JOIN conversations v ON v.id = e.conversation_id JOIN queues q ON q.id = v.queue_id
        WHERE e.id = r.event_id AND q.confidential AND NOT coalesce(q.team_id = ANY ($5::bigint[]), false)
          AND v.assignee_id IS DISTINCT FROM $4)
      AND NOT EXISTS (
        SELECT FROM tasks t
        WHERE t.id = r.task_id AND $4::bigint IS DISTINCT FROM t.assignee_id AND $4 IS DISTINCT FROM t.requester_id
          AND ({hides("t.case_id", "$4")} OR (t.kind = 'interview' AND NOT {has_part("t.case_id", "$4")}
                                              AND NOT coalesce(t.team_id = ANY ($5::bigint[]), false))))
      AND NOT EXISTS (
        SELECT FROM events e LEFT JOIN conversations v ON v.id = e.conversation_id LEFT JOIN tasks t ON t.id = e.task_id
        LEFT JOIN messages m ON m.id = e.message_id
        WHERE e.id = r.event_id AND ({hides("e.case_id", "$4")} OR {hides("v.case_id", "$4")}
                                     OR {hides("t.case_id", "$4")} OR {hides("m.case_id", "$4")}))
      AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(r.deeds) deed WHERE {hides("(deed ->> 'case_id')::bigint", "$4")})
      ORDER BY id DESC LIMIT $3) u
LEFT JOIN contacts c ON c.id = u.contact_id ORDER BY u.id DESC
"""


async def list_rules(pool: Pool) -> list[Any]:
    """The active rules by name."""
    return list(await pool.fetch(_LIST))


async def find_rule(pool: Pool, number: int) -> Any | None:
    """One version of a rule."""
    return await pool.fetchrow(_ONE, number)


async def list_runs(
    pool: Pool, person: Person, number: int, before: int | None = None, limit: int = 30
) -> list[Any]:
    """What a rule did, latest first, as far as this person may know whom it was about."""
    return list(await pool.fetch(_RUNS, number, before, limit, person.id, list(person.teams)))

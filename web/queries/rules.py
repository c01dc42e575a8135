"""Rules and what they did."""

from __future__ import annotations

from typing import Any, Final

from storage.pool import Pool

_LIST: Final = """
SELECT r.id, r.name, r.version, r.definition, r.active, r.created_at,
       (SELECT count(*) FROM tasks t WHERE t.rule_id = r.id) AS acted,
       (SELECT created_at FROM rule_runs u WHERE u.rule_id = r.id ORDER BY u.id DESC LIMIT 1) AS last_run
FROM rules r WHERE r.active ORDER BY lower(r.name)
"""
_ONE: Final = "SELECT id, name, version, definition, active, created_at FROM rules WHERE id = $1"
_RUNS: Final = """
SELECT u.id, u.created_at, u.result, u.contact_id, u.task_id, u.event_id, u.matched, c.name AS contact_name
FROM (SELECT * FROM rule_runs WHERE rule_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3) u
LEFT JOIN contacts c ON c.id = u.contact_id ORDER BY u.id DESC
"""


async def list_rules(pool: Pool) -> list[Any]:
    """The active rules by name."""
    return list(await pool.fetch(_LIST))


async def find_rule(pool: Pool, number: int) -> Any | None:
    """One version of a rule."""
    return await pool.fetchrow(_ONE, number)


async def list_runs(pool: Pool, number: int, before: int | None = None, limit: int = 30) -> list[Any]:
    """What a rule did, latest first."""
    return list(await pool.fetch(_RUNS, number, before, limit))

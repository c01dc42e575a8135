"""Why a task exists: the runs of the rule that made it, and the verdict on the hit it came from."""

from __future__ import annotations

from typing import Any, Final

from storage.pool import Pool

_RUNS: Final = """
SELECT u.id, u.created_at, u.result, u.matched, r.name AS rule_name FROM rule_runs u JOIN rules r ON r.id = u.rule_id
WHERE u.task_id = $1 ORDER BY u.id LIMIT 10
"""
_VERDICT: Final = "SELECT verdict, reasons, judged_at FROM hits WHERE event_id = $1 LIMIT 1"


async def read_runs(pool: Pool, task_id: int) -> list[Any]:
    """The log of the rule runs that led to the task."""
    return list(await pool.fetch(_RUNS, task_id))


async def read_verdict(pool: Pool, event_id: int | None) -> Any | None:
    """The verdict on a hit, with its reasons; None for an event that is no hit."""
    return await pool.fetchrow(_VERDICT, event_id) if event_id is not None else None

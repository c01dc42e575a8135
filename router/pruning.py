"""What is forgotten of what rules did: episodes that can keep no rule from acting any more, and errands that are done.

An episode of a rule that acts once for ever is kept for ever, also while the rule is switched off. Of a rule that acts
once within some time, and of one that acts once per event, old ones are only weight.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from router.rules import Once
from router.settings import RouterSettings
from storage.pool import Pool

#: Episodes that are forgotten in one statement.
_AT_ONCE: Final = 5_000

_LATEST: Final = """
SELECT DISTINCT ON (name) name, definition -> 'once' AS once FROM rules ORDER BY name, version DESC
"""
#: $1 names of rules, $2 when each one's episodes must have begun at the latest, $3 how many. A key begins with the name of its rule.
_FORGET: Final = """
WITH old AS (
    SELECT e.key FROM rule_episodes AS e JOIN unnest($1::text[], $2::timestamptz[]) AS r(name, latest)
      ON split_part(e.key, ':', 1) = r.name
    WHERE e.started_at < r.latest LIMIT $3 FOR UPDATE OF e SKIP LOCKED
)
DELETE FROM rule_episodes AS e USING old WHERE e.key = old.key RETURNING 1
"""


#: What failed stays until somebody tries it again or gives it up.
_FORGET_DEEDS: Final = """
WITH old AS (
    SELECT id FROM rule_deeds WHERE state IN ('done', 'given_up') AND settled_at < now() - $1::interval
    LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM rule_deeds AS d USING old WHERE d.id = old.id RETURNING 1
"""


async def prune(pool: Pool, now: datetime, settings: RouterSettings) -> bool:
    """Forget what is old at business time `now`; true when there may be more."""
    more = False
    if settings.episodes_kept:
        more = await forget_episodes(pool, now, timedelta(days=settings.episodes_kept)) == _AT_ONCE
    deeds = await pool.fetch(_FORGET_DEEDS, timedelta(days=settings.deeds_kept), _AT_ONCE)
    return len(deeds) == _AT_ONCE or more


async def forget_episodes(pool: Pool, now: datetime, kept: timedelta) -> int:
    """Forget episodes that began longer ago than `kept`, and than their rule counts, some at a time; gives how many."""
    rules: dict[str, datetime] = {}
    for row in await pool.fetch(_LATEST):
        lasts = lasting(row["once"])
        if lasts is not None:
            rules[row["name"]] = now - max(kept, lasts)
    rows = await pool.fetch(_FORGET, list(rules), list(rules.values()), _AT_ONCE)
    return len(rows)


def lasting(once: object) -> timedelta | None:
    """How long an episode of a rule with this `once` (as stored) can matter; None for ever, nothing once per event."""
    if once is None:
        return timedelta()
    return Once.model_validate({"per": once} if isinstance(once, str) else once).within

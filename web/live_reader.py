"""What changed since the last look: reads the event log once for all clients of the process.

A cursor over ids alone would miss rows whose transaction committed late, so each look goes back over the ids of the
last seconds and leaves out what it has told. It fetches only what somebody watches, so a flood of hits costs a scan
of the newest ids and nothing more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from storage.pool import Pool

#: how far back a look goes: so many seconds, and at least so many ids
_BACK_SECONDS: Final = 3.0
_BACK_IDS: Final = 500
_LIMIT: Final = 5000

_END: Final = "SELECT coalesce(max(id), 0) FROM events"
_NEW: Final = """
SELECT e.id, e.contact_id, e.task_id, t.assignee_id, t.team_id, e.actor_id
FROM (SELECT id, contact_id, task_id, actor_id FROM events
      WHERE id > $1 AND id <= $2 AND (task_id IS NOT NULL OR contact_id = ANY ($3::bigint[]))
        AND id <> ALL ($4::bigint[]) ORDER BY id DESC LIMIT $5) e
LEFT JOIN tasks t ON t.id = e.task_id
ORDER BY e.id
"""
_NEW_OF_CAMPAIGNS: Final = """
SELECT campaign_id AS id, max(id) AS newest FROM events
WHERE id > $1 AND id <= $2 AND campaign_id = ANY ($3::int[]) GROUP BY 1
"""
_IMPORTS: Final = "SELECT id, state, line, rejected FROM imports WHERE id = ANY ($1::bigint[])"
_CAMPAIGNS: Final = "SELECT id, state, recipients FROM campaigns WHERE id = ANY ($1::int[])"
_MAILS: Final = "SELECT coalesce(max(id), 0) FROM sandbox_mails"


@dataclass(frozen=True, slots=True)
class Change:
    """Topics that changed; for `tasks` it also says whose."""

    topics: frozenset[str]
    people: frozenset[int] = frozenset()
    teams: frozenset[int] = frozenset()


def ids_of(kind: str, watched: frozenset[str]) -> list[int]:
    """The ids of the topics `kind:ID` among the watched ones."""
    return [int(topic.partition(":")[2]) for topic in watched if topic.startswith(f"{kind}:")]


@dataclass(slots=True)
class ChangeReader:
    """Keeps the place in the event log, and the last looks at rows that change without an event."""

    pool: Pool
    position: int = 0
    _ends: deque[tuple[float, int]] = field(default_factory=deque)
    _told: set[int] = field(default_factory=set)
    _looks: dict[str, Any] = field(default_factory=dict)

    def forget(self) -> None:
        """Nobody listens any more: start from the end of the log next time."""
        self._ends.clear()
        self._told.clear()
        self._looks.clear()

    async def read(self, watched: frozenset[str]) -> Sequence[Change]:
        """The changes since the last call."""
        first = not self._ends
        low, high = self._window(await self.pool.fetchval(_END))
        rows = await self.pool.fetch(_NEW, low, high, ids_of("contact", watched), list(self._told), _LIMIT)
        self._told = {number for number in self._told if number > low} | {row["id"] for row in rows}
        self.position = high
        topics = await self._look_at_rows(watched, low, high)
        if first:
            return []
        changes = [_read_change(row) for row in rows]
        return [*changes, Change(topics)] if topics else changes

    def _window(self, end: int) -> tuple[int, int]:
        now = time.monotonic()
        self._ends.append((now, end))
        while len(self._ends) > 1 and self._ends[1][0] < now - _BACK_SECONDS:
            self._ends.popleft()
        return min(self._ends[0][1], end - _BACK_IDS), end

    async def _look_at_rows(self, watched: frozenset[str], low: int, high: int) -> frozenset[str]:
        changed: set[str] = set()
        campaigns, imports = ids_of("campaign", watched), ids_of("import", watched)
        for row in await self.pool.fetch(_IMPORTS, imports) if imports else ():
            changed |= self._look(f"import:{row['id']}", tuple(row))
        if campaigns:
            for row in await self.pool.fetch(_NEW_OF_CAMPAIGNS, low, high, campaigns):
                changed |= self._look(f"campaign:{row['id']}", row["newest"], "event")
            for row in await self.pool.fetch(_CAMPAIGNS, campaigns):
                changed |= self._look(f"campaign:{row['id']}", tuple(row))
                if row["state"] == "running":
                    changed.add(f"campaign:{row['id']}")
        if "mailbox" in watched:
            changed |= self._look("mailbox", await self.pool.fetchval(_MAILS))
        return frozenset(changed)

    def _look(self, topic: str, value: Any, aspect: str = "") -> set[str]:
        known = topic + aspect in self._looks
        before = self._looks.get(topic + aspect)
        self._looks[topic + aspect] = value
        if aspect:
            return {topic} if before != value else set()
        return {topic} if known and before != value else set()


def _read_change(row: Any) -> Change:
    topics = {f"contact:{row['contact_id']}"} if row["contact_id"] is not None else set()
    if row["task_id"] is None:
        return Change(frozenset(topics))
    people = frozenset(number for number in (row["assignee_id"], row["actor_id"]) if number is not None)
    teams = frozenset([row["team_id"]] if row["team_id"] is not None else [])
    return Change(frozenset({*topics, "tasks", f"task:{row['task_id']}"}), people, teams)

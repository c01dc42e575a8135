"""What changed since the last look: reads the event log once for all clients of the process.

A cursor over ids alone would miss rows whose transaction committed late, so each look goes back over the ids of the
last seconds and leaves out what it has told. It fetches only what somebody watches, so a flood of hits costs a scan
of the newest ids and nothing more. A look that breaks changes nothing here: the next one sees the same again.
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


def select_events(condition: str, limit: str) -> str:
    """The newest events for which it holds, oldest first, with whom they concern."""
    return f"""
SELECT e.id, e.contact_id, e.task_id, t.assignee_id, t.team_id, e.actor_id, e.conversation_id,
       v.assignee_id AS reader_id, q.team_id AS readers_team, coalesce(q.confidential, false) AS confidential,
       o.team_id AS old_team, k.id AS case_id, coalesce(k.confidential, false) AND NOT e.joins AS secret,
       CASE WHEN k.confidential THEN array(
         SELECT k.owner_id UNION SELECT b.user_id FROM case_members b WHERE b.case_id = k.id
         UNION SELECT b.user_id FROM team_members b WHERE b.team_id = k.team_id) END AS case_people
FROM (SELECT id, contact_id, task_id, actor_id, conversation_id, case_id, message_id,
             type IN ('CaseJoined', 'CaseLeft') AS joins,
             CASE WHEN type = 'ConversationMoved' AND NOT data ? 'arriving' THEN data END AS moved
      FROM events WHERE {condition} ORDER BY id DESC LIMIT {limit}) e
LEFT JOIN tasks t ON t.id = e.task_id
LEFT JOIN conversations v ON v.id = e.conversation_id
LEFT JOIN queues q ON q.id = v.queue_id
LEFT JOIN queues o ON o.id = (e.moved ->> 'old')::bigint
LEFT JOIN cases k ON k.id = coalesce(e.case_id, v.case_id, t.case_id,
                                     (SELECT m.case_id FROM messages m WHERE m.id = e.message_id))
ORDER BY e.id
"""


_NEW: Final = select_events(
    """id > $1 AND id <= $2
        AND (task_id IS NOT NULL OR conversation_id IS NOT NULL OR case_id IS NOT NULL OR contact_id = ANY ($3::bigint[]))
        AND id <> ALL ($4::bigint[])""",
    "$5",
)
_NEW_OF_CAMPAIGNS: Final = """
SELECT campaign_id AS id, max(id) AS newest FROM events
WHERE id > $1 AND id <= $2 AND campaign_id = ANY ($3::int[]) GROUP BY 1
"""
_IMPORTS: Final = "SELECT id, state, line, rejected FROM imports WHERE id = ANY ($1::bigint[])"
_CAMPAIGNS: Final = "SELECT id, state, recipients FROM campaigns WHERE id = ANY ($1::int[])"
#: what changes without an event: who is writing, answers that leave or come back
_CONVERSATIONS: Final = """
SELECT v.id, v.version, v.state, v.assignee_id,
       (SELECT count(*) FROM conversation_parties p WHERE p.conversation_id = v.id) AS parties,
       array(SELECT d.user_id FROM conversation_drafts d WHERE d.conversation_id = v.id AND NOT d.draft ? 'sent'
             AND d.touched_at > now() - interval '60 seconds' ORDER BY 1) AS writers,
       array(SELECT m.id || coalesce(d.state, '') || coalesce('v' || c.version, '')
             FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id LEFT JOIN calls c ON c.message_id = m.id
             WHERE m.conversation_id = v.id ORDER BY m.id DESC LIMIT 20) AS messages
FROM conversations v WHERE v.id = ANY ($1::bigint[])
"""
_UNREADABLE: Final = """
SELECT (SELECT count(*) FROM raw_mails WHERE state = 'quarantined'),
       (SELECT max(id) FROM raw_mails WHERE state = 'quarantined')
"""
_CALLS: Final = "SELECT message_id AS id, version FROM calls WHERE message_id = ANY ($1::bigint[])"
#: the calls that ring somebody or that they are in, and those of the last minutes, by person
_LIVE_CALLS: Final = """
WITH recent AS MATERIALIZED (
    SELECT message_id, version, user_id FROM calls WHERE changed_at > now() - interval '5 minutes'
    UNION
    SELECT message_id, version, user_id FROM calls WHERE state <> 'ended' AND changed_at > now() - interval '1 day'
)
SELECT u.id, array(
    SELECT c.message_id || ':' || c.version FROM recent c
    WHERE c.user_id = u.id
       OR EXISTS (SELECT FROM call_legs g WHERE g.message_id = c.message_id AND g.user_id = u.id)
    ORDER BY 1) AS calls
FROM unnest($1::bigint[]) AS u(id)
"""
#: who may hear of a call that changed lately: as in web/queries/calls.py, as far as rows tell it
_RECENT_CALLS: Final = """
SELECT c.message_id AS id, c.version, v.assignee_id AS reader_id,
       array(SELECT c.user_id WHERE c.user_id IS NOT NULL
             UNION SELECT g.user_id FROM call_legs g WHERE g.message_id = c.message_id AND g.user_id IS NOT NULL) AS people,
       array(SELECT coalesce(q.team_id, l.team_id)
             UNION SELECT b.team_id FROM team_members b WHERE b.user_id = c.user_id AND m.direction = 'out'
                          AND m.conversation_id IS NULL) AS teams,
       coalesce(q.confidential, l.confidential, false) AS confidential,
       EXISTS (SELECT FROM cases k WHERE k.id = coalesce(m.case_id, v.case_id) AND k.confidential) AS hidden,
       m.direction = 'in' AND coalesce(q.team_id, l.team_id) IS NULL AS open
FROM calls c JOIN messages m ON m.id = c.message_id
LEFT JOIN conversations v ON v.id = m.conversation_id
LEFT JOIN queues q ON q.id = v.queue_id
LEFT JOIN phone_lines p ON p.id = c.line_id
LEFT JOIN queues l ON l.id = p.queue_id AND m.conversation_id IS NULL
WHERE c.changed_at > now() - interval '5 minutes' ORDER BY c.message_id DESC LIMIT 1000
"""
_MAILS: Final = "SELECT coalesce(max(id), 0) FROM sandbox_mails"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may hear of a conversation: as VISIBLE in web/queries/conversations.py says; the mover and the old team, too."""

    people: frozenset[int]
    teams: frozenset[int]
    open: bool  #: to everybody
    supervised: bool  #: to whoever supervises

    def has(self, person_id: int, teams: frozenset[int], supervises: bool) -> bool:
        """Whether this person belongs to it."""
        return (
            self.open
            or (self.supervised and supervises)
            or person_id in self.people
            or not self.teams.isdisjoint(teams)
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Topics that changed; for `tasks` it also says whose. `heard` are topics for the audience of a conversation only."""

    topics: frozenset[str]
    people: frozenset[int] = frozenset()
    teams: frozenset[int] = frozenset()
    heard: frozenset[str] = frozenset()
    audience: Audience | None = None


def ids_of(kind: str, watched: frozenset[str]) -> list[int]:
    """The ids of the topics `kind:ID` among the watched ones."""
    return [int(topic.partition(":")[2]) for topic in watched if topic.startswith(f"{kind}:")]


@dataclass(frozen=True, slots=True)
class _Looks:
    """What rows looked like, by topic and aspect."""

    seen: dict[str, Any]

    def at(self, topic: str, value: Any, aspect: str = "") -> set[str]:
        """The topic, when its value is another one than before."""
        known = topic + aspect in self.seen
        before = self.seen.get(topic + aspect)
        self.seen[topic + aspect] = value
        if aspect:
            return {topic} if before != value else set()
        return {topic} if known and before != value else set()


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
        """The changes since the last call that came back."""
        first = not self._ends
        ends = self._ends_with(await self.pool.fetchval(_END))
        high = ends[-1][1]
        low = min(ends[0][1], high - _BACK_IDS)
        rows = await self.pool.fetch(_NEW, low, high, ids_of("contact", watched), list(self._told), _LIMIT)
        looks = _Looks(dict(self._looks))
        topics = await self._look_at_rows(looks, watched, low, high)
        changes = [read_change(row) for row in rows]
        if "calls" in watched:
            changes += await self._look_at_calls(looks)
        self._told = {number for number in self._told if number > low} | {row["id"] for row in rows}
        self._looks, self._ends, self.position = looks.seen, ends, high
        if first:
            return []
        return [*changes, Change(topics)] if topics else changes

    def _ends_with(self, end: int) -> deque[tuple[float, int]]:
        now = time.monotonic()
        ends = deque([*self._ends, (now, end)])
        while len(ends) > 1 and ends[1][0] < now - _BACK_SECONDS:
            ends.popleft()
        return ends

    async def _look_at_calls(self, looks: _Looks) -> list[Change]:
        """A call in the lists: told to those who may see it."""
        return [
            Change(
                frozenset(),
                heard=frozenset({"calls"}),
                audience=Audience(
                    _numbers(row["reader_id"], *row["people"]),
                    frozenset() if row["hidden"] else _numbers(*row["teams"]),
                    open=row["open"] and not row["confidential"] and not row["hidden"],
                    supervised=not row["confidential"] and not row["hidden"],
                ),
            )
            for row in await self.pool.fetch(_RECENT_CALLS)
            if looks.at(f"listed:{row['id']}", row["version"], "call")
        ]

    async def _look_at_rows(
        self, looks: _Looks, watched: frozenset[str], low: int, high: int
    ) -> frozenset[str]:
        changed: set[str] = set()
        campaigns, imports = ids_of("campaign", watched), ids_of("import", watched)
        for row in await self.pool.fetch(_IMPORTS, imports) if imports else ():
            changed |= looks.at(f"import:{row['id']}", tuple(row))
        if campaigns:
            for row in await self.pool.fetch(_NEW_OF_CAMPAIGNS, low, high, campaigns):
                changed |= looks.at(f"campaign:{row['id']}", row["newest"], "event")
            for row in await self.pool.fetch(_CAMPAIGNS, campaigns):
                changed |= looks.at(f"campaign:{row['id']}", tuple(row))
                if row["state"] == "running":
                    changed.add(f"campaign:{row['id']}")
        if conversations := ids_of("conversation", watched):
            for row in await self.pool.fetch(_CONVERSATIONS, conversations):
                changed |= looks.at(f"conversation:{row['id']}", repr(tuple(row)))
        if calls := ids_of("call", watched):
            for row in await self.pool.fetch(_CALLS, calls):
                changed |= looks.at(f"call:{row['id']}", row["version"])
        if people := ids_of("ringing", watched):
            for row in await self.pool.fetch(_LIVE_CALLS, people):
                changed |= looks.at(f"ringing:{row['id']}", tuple(row["calls"]))
        if "quarantine" in watched:
            changed |= looks.at("quarantine", repr(await self.pool.fetchrow(_UNREADABLE)))
        if "mailbox" in watched:
            changed |= looks.at("mailbox", await self.pool.fetchval(_MAILS))
        return frozenset(changed)


def read_change(row: Any) -> Change:
    """What an event of select_events changed, and for whom."""
    topics = {f"contact:{row['contact_id']}"} if row["contact_id"] is not None else set()
    heard: set[str] = set()
    audience = None
    if row["conversation_id"] is not None:
        heard, topics = {*topics, "conversations", f"conversation:{row['conversation_id']}"}, set()
        audience = Audience(
            _numbers(row["reader_id"], row["actor_id"]),
            _numbers(row["readers_team"], row["old_team"]),
            open=row["readers_team"] is None and not row["confidential"],
            supervised=not row["confidential"],
        )
    people, teams = frozenset[int](), frozenset[int]()
    if row["task_id"] is not None:
        topics |= {"tasks", f"task:{row['task_id']}"}
        people, teams = _numbers(row["assignee_id"], row["actor_id"]), _numbers(row["team_id"])
    if row["case_id"] is not None:
        about = {"cases", f"case:{row['case_id']}"}
        if row["secret"]:  # to its people only, whatever else they may see
            mine = _numbers(*row["case_people"], row["assignee_id"], row["actor_id"])
            return Change(
                frozenset(),
                heard=frozenset(topics | heard | about),
                audience=Audience(mine, frozenset(), open=False, supervised=False),
            )
        topics |= about
    return Change(frozenset(topics), people, teams, frozenset(heard), audience)


def _numbers(*ids: int | None) -> frozenset[int]:
    return frozenset(number for number in ids if number is not None)

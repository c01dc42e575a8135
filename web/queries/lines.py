"""Who stands behind the queues, teams and mail addresses that a phone line names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from inbox.lines.menus import Line
from storage.pool import Pool

_QUEUES: Final = """
SELECT q.name AS queue, u.name, u.takes_calls AND coalesce(u.phone, '') <> '' AS rings
FROM queues q JOIN team_members m ON m.team_id = q.team_id JOIN users u ON u.id = m.user_id
WHERE q.name = ANY ($1::text[]) AND u.active ORDER BY q.name, u.name
"""
_PEOPLE: Final = """
SELECT lower(email) AS email, name, takes_calls AND coalesce(phone, '') <> '' AS rings FROM users
WHERE lower(email) = ANY ($1::text[]) AND active
"""
_TEAM: Final = """
SELECT name, timezone, hours FROM teams t
WHERE t.name = $1::text OR ($1::text IS NULL AND t.id = (SELECT team_id FROM queues WHERE name = $2))
"""


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody whose phone may ring; `rings`: they have one, and take calls."""

    name: str
    rings: bool


@dataclass(frozen=True, slots=True)
class LineStaff:
    """The people of each queue and of each mail address that a line names, and the team whose working time counts."""

    queues: Mapping[str, Sequence[Colleague]] = field(default_factory=dict)
    people: Mapping[str, Colleague] = field(default_factory=dict)
    team: str = ""  #: empty when the queue has none: the line is always open
    hours: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    timezone: str = ""


async def read_staff(pool: Pool, line: Line, usual_hours: Mapping[str, Sequence[Sequence[str]]]) -> LineStaff:
    """The people of a line as they are now; `usual_hours`: of teams that have none of their own."""
    queues: dict[str, list[Colleague]] = {}
    for row in await pool.fetch(_QUEUES, list(line.queues)):
        queues.setdefault(row["queue"], []).append(Colleague(row["name"], row["rings"]))
    mails = [mail.lower() for mail in line.people]
    people = {row["email"]: Colleague(row["name"], row["rings"]) for row in await pool.fetch(_PEOPLE, mails)}
    team: Any = await pool.fetchrow(_TEAM, line.team, line.queue)
    if team is None:
        return LineStaff(queues, people)
    return LineStaff(queues, people, team["name"], team["hours"] or usual_hours, team["timezone"])

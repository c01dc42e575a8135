"""Who may get a task: owners who are still active, teams with their members, hours and supervisors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from domain.errors import InvalidInput, NotFound
from router.settings import RouterSettings
from router.then.tasks import Assign
from router.working_time import WorkingCalendar, is_working, read_calendar
from storage.pool import Connection

_TEAMS: Final = "SELECT id, name, country, timezone, hours FROM teams WHERE name = ANY ($1::text[]) OR id = ANY ($2::bigint[])"
_ACTIVE: Final = "SELECT id FROM users WHERE active AND id = ANY ($1::bigint[])"
_SUPERVISORS: Final = """
SELECT m.team_id, u.id, u.role FROM users u LEFT JOIN team_members m ON m.user_id = u.id
WHERE u.active AND u.role IN ('manager', 'administrator') ORDER BY u.id
"""


@dataclass(frozen=True, slots=True)
class Team:
    """A team that can be given work."""

    id: int
    name: str
    calendar: WorkingCalendar

    def works(self, moment: datetime) -> bool:
        """Whether it is the team's working time; never, for one whose calendar leaves none."""
        try:
            return is_working(moment, self.calendar)
        except InvalidInput:
            return False


@dataclass(slots=True)
class Staff:
    """The teams and owners that a batch of tasks may go to."""

    teams: Mapping[str, Team] = field(default_factory=dict)
    active: frozenset[int] = frozenset()

    def assign(self, assign: Assign, owner_id: int | None) -> tuple[int | None, Team]:
        """The person, if there is one, and the team that answers. Raises NotFound for a team that is gone."""
        team = self.teams.get(assign.team_name)
        if team is None:
            raise NotFound(f"There is no team {assign.team_name!r} any more; name another one in the rule.")
        owner = owner_id if assign.owner and owner_id in self.active else None
        return owner, team


async def load_staff(
    connection: Connection,
    settings: RouterSettings,
    *,
    names: Iterable[str] = (),
    ids: Iterable[int] = (),
    owners: Iterable[int] = (),
) -> Staff:
    """The teams with these names or ids, and those of these users who are active."""
    rows = await connection.fetch(_TEAMS, list(names), list(ids))
    teams = {row["name"]: Team(row["id"], row["name"], calendar_of(row, settings)) for row in rows}
    wanted = list(set(owners))
    active = await connection.fetch(_ACTIVE, wanted) if wanted else []
    return Staff(teams, frozenset(row["id"] for row in active))


def calendar_of(team: Any, settings: RouterSettings) -> WorkingCalendar:
    """The working time of a team's row; a team without hours works those of the settings.

    A team whose own hours cannot be read works those of the settings too, in UTC: a wrong setting of one team must
    not keep tasks from being opened.
    """
    hours = team["hours"] or settings.hours
    try:
        return _calendar(json.dumps(hours, sort_keys=True), team["timezone"], team["country"])
    except InvalidInput:
        return _calendar(json.dumps(settings.hours, sort_keys=True, default=dict), "UTC", "")


@lru_cache(maxsize=1024)
def _calendar(hours: str, timezone: str, country: str) -> WorkingCalendar:
    return read_calendar(json.loads(hours), timezone, country or None)


async def find_supervisors(connection: Connection, teams: Sequence[int | None]) -> dict[int | None, int]:
    """Who answers for a team when its own people do not: its manager, else any manager, else an administrator."""
    rows = await connection.fetch(_SUPERVISORS)
    managers: dict[int | None, int] = {}
    for row in rows:
        if row["role"] == "manager":
            managers.setdefault(row["team_id"], row["id"])
    anyone = next((row["id"] for row in rows if row["role"] == "manager"), None) or next(
        (row["id"] for row in rows), None
    )
    found = {team: managers.get(team, anyone) if team is not None else anyone for team in teams}
    return {team: person for team, person in found.items() if person is not None}

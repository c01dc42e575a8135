"""Who may get a task: teams with their working time, the people whom steps ask, supervisors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.consent import ConsentState
from domain.errors import InvalidInput, NotFound
from router.assignment.offering import Rota
from router.assignment.rota import find_people, load_rota
from router.assignment.steps import Step, Who, end_with_a_person
from router.calendars import CALENDAR_COLUMNS, calendar_of, usual_calendar
from router.settings import RouterSettings
from router.then.tasks import Assign
from router.working_time import WorkingCalendar, is_working
from storage.pool import Connection

_TEAMS: Final = f"""
SELECT t.id, t.name, {CALENDAR_COLUMNS} FROM teams t WHERE t.name = ANY ($1::text[]) OR t.id = ANY ($2::bigint[])
"""
_KEEPERS: Final = """
SELECT q.team_id, (SELECT min(u.id) FROM team_members m JOIN users u ON u.id = m.user_id
                   WHERE m.team_id = q.team_id AND u.active) AS member
FROM queues q WHERE q.confidential AND q.team_id = ANY ($1::bigint[]) GROUP BY q.team_id
"""
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
    """The teams and people that a batch of tasks may go to. `named` gives people by mail address.

    `said` is what contacts said about being called, `silent` where consumers may be called until they object.
    """

    teams: Mapping[str, Team] = field(default_factory=dict)
    named: Mapping[str, int] = field(default_factory=dict)
    rota: Rota = field(default_factory=Rota)
    said: Mapping[int, Sequence[tuple[datetime, ConsentState]]] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    fallback: WorkingCalendar = field(default_factory=lambda: usual_calendar(RouterSettings()))

    def steps_of(self, assign: Assign) -> tuple[Step, ...]:
        """The steps with ids for names, a person at their end. Raises NotFound for a team that is gone.

        People who are gone are not asked; the step after theirs is.
        """
        steps = []
        for written in assign.in_steps:
            team_id = None if written.team is None else self.team(written.team).id
            if written.owner:
                who = Who.OWNER
            elif written.person is not None:
                who = Who.PERSON
            elif written.supervisor:
                who = Who.SUPERVISOR
            else:
                who = Who.ANYONE if team_id is None else Who.TEAM
            steps.append(
                Step(
                    who,
                    team_id=team_id,
                    person_id=self.named.get((written.person or "").lower()),
                    skill=written.skill,
                    language=written.language,
                    by=written.choice,
                    within=None if written.within is None else str(written.within),
                )
            )
        return end_with_a_person(steps)

    def team(self, name: str) -> Team:
        """A team by name. Raises NotFound."""
        team = self.teams.get(name)
        if team is None:
            raise NotFound(f"There is no team {name!r} any more; name another one in the rule.")
        return team

    def calendar_of(self, person_id: int | None, team_id: int | None) -> WorkingCalendar:
        """Whose time a clock counts: the person's own, else the team's, else the one of the settings."""
        person = None if person_id is None else self.rota.people.get(person_id)
        if person is not None and person.calendar is not None:
            return person.calendar
        team = next((team for team in self.teams.values() if team.id == team_id), None)
        return self.fallback if team is None else team.calendar


async def load_staff(
    connection: Connection, settings: RouterSettings, *, names: Iterable[str] = (), ids: Iterable[int] = ()
) -> Staff:
    """The teams with these names or ids, without their people."""
    rows = await connection.fetch(_TEAMS, list(names), list(ids))
    teams = {row["name"]: Team(row["id"], row["name"], calendar_of(dict(row), settings)) for row in rows}
    return Staff(teams, fallback=usual_calendar(settings))


async def load_staff_for(
    connection: Connection,
    settings: RouterSettings,
    wanted: Sequence[tuple[Assign, int | None]],
    now: datetime,
    *,
    lock: bool = True,
) -> Staff:
    """The teams and people that these orders may ask, for contacts with these owners; see `load_rota` for `lock`."""
    if not wanted:
        return Staff()
    orders = list({id(assign): assign for assign, _ in wanted}.values())
    staff = await load_staff(connection, settings, names={team for one in orders for team in one.teams})
    emails = {email for one in orders for email in one.people}
    if emails:
        staff.named = await find_people(connection, emails)
    steps: list[Step] = []
    for assign in orders:
        try:
            steps += staff.steps_of(assign)
        except NotFound:
            continue  # told when its task is planned
    owners = {owner for _, owner in wanted if owner is not None}
    staff.rota = await load_rota(connection, steps, owners, now, settings, lock=lock)
    return staff


async def find_supervisors(connection: Connection, teams: Sequence[int | None]) -> dict[int | None, int]:
    """Who answers for a team when its own people do not: its manager, else any manager, else an administrator.

    A team that keeps a confidential queue is answered for by its own people only: its manager, else one of them.
    """
    rows = await connection.fetch(_SUPERVISORS)
    managers: dict[int | None, int] = {}
    for row in rows:
        if row["role"] == "manager":
            managers.setdefault(row["team_id"], row["id"])
    anyone = next((row["id"] for row in rows if row["role"] == "manager"), None) or next(
        (row["id"] for row in rows), None
    )
    found = {team: managers.get(team, anyone) if team is not None else anyone for team in teams}
    for row in await connection.fetch(_KEEPERS, [team for team in found if team is not None]):
        found[row["team_id"]] = managers.get(row["team_id"], row["member"])
    return {team: person for team, person in found.items() if person is not None}

"""The people whom steps may ask, loaded for many tasks at once, with the turns that are passed on.

Whoever is chosen among several is chosen under a lock on the candidates' rows, so that routers at work side by side
see each other's turns and loads: fair within one, and never over anybody's capacity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from domain.tasks import EVERY_CHANNEL, TaskKind, channel_of
from router.assignment.offering import Rota
from router.assignment.people import Away, Person
from router.assignment.steps import By, Step, Who
from router.calendars import calendar_of
from router.settings import RouterSettings
from storage.pool import Connection

#: $1 people, $2 teams, $3 skills, $4 languages; supervisors always
_WANTED: Final = """
u.active AND (u.id = ANY ($1::bigint[]) OR u.role IN ('manager', 'administrator') OR u.skills && $3::text[]
              OR u.languages && $4::text[]
              OR EXISTS (SELECT FROM team_members m WHERE m.user_id = u.id AND m.team_id = ANY ($2::bigint[])))
"""
_PEOPLE: Final = f"""
SELECT u.id, u.role, u.timezone, u.country, u.hours, u.skills, u.languages, u.capacity, u.present,
       ARRAY(SELECT m.team_id FROM team_members m WHERE m.user_id = u.id ORDER BY m.team_id) AS teams,
       ARRAY(SELECT m.weight FROM team_members m WHERE m.user_id = u.id ORDER BY m.team_id) AS weights,
       t.hours AS team_hours, t.timezone AS team_timezone, t.country AS team_country,
       ARRAY(SELECT day FROM team_days_off d WHERE d.team_id = t.id ORDER BY day) AS days_off
FROM users u
LEFT JOIN LATERAL (SELECT t.* FROM team_members m JOIN teams t ON t.id = m.team_id WHERE m.user_id = u.id
                   ORDER BY t.id = ANY ($2::bigint[]) DESC, t.id LIMIT 1) t ON true
WHERE {_WANTED}
"""
#: candidates of a choice, in the order of ids, as everybody locks them
_LOCK: Final = f"SELECT u.id FROM users u WHERE {_WANTED} ORDER BY u.id FOR NO KEY UPDATE OF u"
_ABSENCES: Final = """
SELECT user_id, starts_at, ends_at, deputy_id FROM absences
WHERE user_id = ANY ($1::bigint[]) AND ends_at > $2 AND starts_at < $3 ORDER BY starts_at, id
"""
_LOADS: Final = """
SELECT t.assignee_id, t.kind, v.channel, count(*) AS tasks
FROM tasks t LEFT JOIN conversations v ON v.id = t.conversation_id
WHERE t.assignee_id = ANY ($1::bigint[]) AND t.state NOT IN ('done','cancelled','declined') GROUP BY 1, 2, 3
"""
_CLOCKS: Final = "SELECT scope, user_id, clock FROM turns WHERE scope = ANY ($1::text[])"
_PASS: Final = """
INSERT INTO turns (scope, user_id, clock)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
ON CONFLICT (scope, user_id) DO UPDATE SET clock = excluded.clock
"""
_PERSON_IDS: Final = (
    "SELECT lower(email) AS email, id FROM users WHERE active AND lower(email) = ANY ($1::text[])"
)
#: how far ahead an absence is looked at: nobody's working time is further away, but for the strangest calendars
_AHEAD: Final = timedelta(days=30)


async def load_rota(
    connection: Connection,
    steps: Iterable[Step],
    owners: Iterable[int],
    now: datetime,
    settings: RouterSettings,
    *,
    lock: bool = True,
) -> Rota:
    """Everybody whom these steps may ask for contacts of these owners; `lock` the candidates of choices until commit."""
    steps = list(steps)
    choices = [step for step in steps if step.by is not By.ANYBODY]
    if choices and lock:
        await connection.fetch(_LOCK, [], *_groups(choices))
    named = {step.person_id for step in steps if step.person_id is not None} | set(owners)
    people: dict[int, Person] = {}
    away: dict[int, list[Away]] = {}
    groups = _groups(steps)
    while named - people.keys() or not people:
        before = len(people)
        for row in await connection.fetch(_PEOPLE, list(named), *groups):
            people.setdefault(row["id"], _read(row, settings))
        fresh = [id for id in people if id not in away]
        for row in await connection.fetch(_ABSENCES, fresh, now, now + _AHEAD):
            away.setdefault(row["user_id"], []).append(
                Away(row["starts_at"], row["ends_at"], row["deputy_id"])
            )
        named = {one.deputy_id for some in away.values() for one in some if one.deputy_id is not None}
        for id in fresh:
            away.setdefault(id, [])
        groups = ([], [], [])
        if len(people) == before:
            break
    for id, absences in away.items():
        people[id].absences = tuple(absences)
    rota = Rota(people)
    if choices or any(person.capacity for person in people.values()):
        await _load_loads(connection, rota)
    if choices:
        scopes = list({step.scope for step in choices})
        for row in await connection.fetch(_CLOCKS, scopes):
            rota.clocks.setdefault(row["scope"], {})[row["user_id"]] = row["clock"]
    return rota


def _groups(steps: Sequence[Step]) -> tuple[list[int], list[str], list[str]]:
    """Teams, skills and languages whose people are looked at; a narrower word stands for the wider ones beside it."""
    teams = {step.team_id for step in steps if step.team_id is not None}
    skills = {step.skill for step in steps if step.team_id is None and step.skill is not None}
    languages = {
        step.language
        for step in steps
        if step.who is Who.ANYONE and step.skill is None and step.language is not None
    }
    return list(teams), list(skills), list(languages)


def _read(row: Any, settings: RouterSettings) -> Person:
    calendar = None
    if row["hours"] or row["team_timezone"] is not None:
        own = bool(row["hours"])
        calendar = calendar_of(
            {
                "hours": row["hours"] or row["team_hours"],
                "timezone": row["timezone"] if own else row["team_timezone"],
                "country": row["country"] or row["team_country"] or "",
                "days_off": row["days_off"],
            },
            settings,
        )
    return Person(
        id=row["id"],
        supervises=row["role"] in ("manager", "administrator"),
        manages=row["role"] == "manager",
        weights=dict(zip(row["teams"], row["weights"], strict=True)),
        skills=frozenset(row["skills"]),
        languages=frozenset(row["languages"]),
        capacity=row["capacity"],
        present=row["present"],
        calendar=calendar,
    )


async def _load_loads(connection: Connection, rota: Rota) -> None:
    loads: dict[int, Counter[str]] = {}
    for row in await connection.fetch(_LOADS, list(rota.people)):
        channel = channel_of(TaskKind(row["kind"]), row["channel"])
        loads.setdefault(row["assignee_id"], Counter()).update(
            {channel: row["tasks"], EVERY_CHANNEL: row["tasks"]}
        )
    for id, load in loads.items():
        rota.people[id].load = dict(load)


async def keep_turns(connection: Connection, rota: Rota) -> None:
    """Store the turns that were passed on since the rota was loaded."""
    rows = [
        (scope, person, clock)
        for scope in sorted(rota.passed)
        for person, clock in sorted(rota.clocks[scope].items())
    ]
    if rows:
        await connection.execute(_PASS, *([*column] for column in zip(*rows, strict=True)))
    rota.passed.clear()


async def find_people(connection: Connection, emails: Iterable[str]) -> Mapping[str, int]:
    """The active users with these mail addresses, by the address in small letters."""
    rows = await connection.fetch(_PERSON_IDS, [email.lower() for email in emails])
    return {row["email"]: row["id"] for row in rows}

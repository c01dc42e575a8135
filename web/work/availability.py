"""When people work, what they can and how much they take: read from forms and programs, kept for the assignment of tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput, NotFound
from domain.tasks import WORK_CHANNELS
from router.assignment.turns import HEAVIEST
from router.working_time import DAYS, read_calendar
from storage.pool import Pool, transaction
from web.i18n import N_
from web.zones import read_country

_SHIFT: Final = re.compile(r"(\d{1,2})[:h.]?(\d{2})?\s*[-–]\s*(\d{1,2})[:h.]?(\d{2})?")
_SKILL: Final = re.compile(r"[^\W_][\w +./&'-]{0,59}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_MOST_OPEN: Final = 1000
_MOST: Final = 50
_LONGEST_ABSENCE: Final = timedelta(days=3 * 366)

_LOAD: Final = "SELECT country, hours, skills, languages, capacity, present FROM users WHERE id = $1"
_SAVE: Final = (
    "UPDATE users SET country = $2, hours = $3, skills = $4, languages = $5, capacity = $6 WHERE id = $1"
)
_PRESENCE: Final = "UPDATE users SET present = $2 WHERE id = $1"
_ABSENCES: Final = """
SELECT a.id, a.user_id, a.starts_at, a.ends_at, a.deputy_id, d.name AS deputy
FROM absences a LEFT JOIN users d ON d.id = a.deputy_id WHERE a.user_id = $1 AND a.ends_at > $2 ORDER BY a.starts_at, a.id
"""
_ADD: Final = """
INSERT INTO absences (user_id, starts_at, ends_at, deputy_id) VALUES ($1, $2, $3, $4) RETURNING id
"""
_END: Final = "DELETE FROM absences WHERE id = $1 AND user_id = $2 RETURNING id"
_DAYS_OFF: Final = "SELECT day, name FROM team_days_off WHERE team_id = $1 ORDER BY day"
_CLEAR_DAYS: Final = "DELETE FROM team_days_off WHERE team_id = $1"
_ADD_DAYS: Final = (
    "INSERT INTO team_days_off (team_id, day, name) SELECT $1, * FROM unnest($2::date[], $3::text[])"
)
_WEIGHTS: Final = """
UPDATE team_members m SET weight = given.weight FROM unnest($2::bigint[], $3::smallint[]) AS given (user_id, weight)
WHERE m.team_id = $1 AND m.user_id = given.user_id
"""


@dataclass(frozen=True, slots=True)
class Working:
    """How somebody works. `hours` as teams have them, empty for the team's; `capacity` by channel."""

    country: str | None = None
    hours: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    capacity: Mapping[str, int] = field(default_factory=dict)
    present: bool = True


async def load_working(pool: Pool, user_id: int) -> Working:
    """How a person works. Raises NotFound."""
    row = await pool.fetchrow(_LOAD, user_id)
    if row is None:
        raise NotFound(f"There is no user {user_id}.")
    return Working(
        row["country"],
        row["hours"],
        tuple(row["skills"]),
        tuple(row["languages"]),
        row["capacity"],
        row["present"],
    )


async def save_working(pool: Pool, user_id: int, working: Working) -> None:
    """Keep all but the presence, which is the person's own to say."""
    await pool.execute(
        _SAVE,
        user_id,
        working.country,
        working.hours,
        list(working.skills),
        list(working.languages),
        working.capacity,
    )


async def save_presence(pool: Pool, user_id: int, present: bool) -> None:
    """Whether somebody is at the desk: who is not gets no new task by turn."""
    await pool.execute(_PRESENCE, user_id, present)


def read_working(fields: Mapping[str, str]) -> Working:
    """From a form: country, hours-mon …, skills, languages, capacity-voice … Raises InvalidInput naming the field."""
    country = fields.get("country", "").strip()
    return Working(
        read_country(country) if country else None,
        read_hours({day: fields.get(f"hours-{day}", "") for day in DAYS}),
        read_skills(fields.get("skills", "").split(",")),
        read_languages(re.split(r"[,\s]+", fields.get("languages", ""))),
        read_capacity({name: fields.get(f"capacity-{name}", "") for name in WORK_CHANNELS}),
    )


def read_hours(days: Mapping[str, str]) -> dict[str, list[list[str]]]:
    """Shifts by day, from words such as `09:00-12:30, 14-18`. Raises InvalidInput naming hours-DAY."""
    hours = {day: shifts for day in DAYS if (shifts := _read_shifts(day, days.get(day, "")))}
    for day, shifts in hours.items():
        try:
            read_calendar({day: shifts}, "UTC")
        except InvalidInput as error:
            raise InvalidInput(
                f"hours-{day}",
                N_("The shifts overlap, or one ends before it begins."),
                N_("Write them in order, such as 09:00-12:30, 14:00-18:00."),
            ) from error
    return hours


def _read_shifts(day: str, text: str) -> list[list[str]]:
    shifts = []
    for part in filter(None, (part.strip() for part in re.split("[,;]", text))):
        match = _SHIFT.fullmatch(part)
        if match is None or int(match[1]) > 24 or int(match[3]) > 24:
            raise InvalidInput(
                f"hours-{day}",
                N_("These are no working hours."),
                N_("Write them in order, such as 09:00-12:30, 14:00-18:00."),
            )
        shifts.append([f"{int(match[1]):02}:{match[2] or '00'}", f"{int(match[3]):02}:{match[4] or '00'}"])
    return shifts


def write_hours(hours: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, str]:
    """The words that `read_hours` reads, by day."""
    return {day: ", ".join("-".join(shift) for shift in hours.get(day, ())) for day in DAYS}


def read_skills(words: Iterable[str]) -> tuple[str, ...]:
    """Skills in small letters, each once, in order. Raises InvalidInput."""
    skills = tuple(dict.fromkeys(filter(None, (" ".join(word.lower().split()) for word in words))))
    if len(skills) > _MOST or any(_SKILL.fullmatch(skill) is None for skill in skills):
        raise InvalidInput(
            "skills", N_("These are no skills."), N_("Write words with commas, such as contracts, pensions.")
        )
    return skills


def read_languages(codes: Iterable[str]) -> tuple[str, ...]:
    """Languages as ISO 639-1 codes. Raises InvalidInput."""
    found = tuple(dict.fromkeys(filter(None, (code.strip().lower() for code in codes))))
    if len(found) > _MOST or any(_LANGUAGE.fullmatch(code) is None for code in found):
        raise InvalidInput(
            "languages", N_("These are no languages."), N_("Write codes of two letters, such as fr, en.")
        )
    return found


def read_capacity(numbers: Mapping[str, Any]) -> dict[str, int]:
    """How many open tasks by channel; what is left out is not limited. Raises InvalidInput naming capacity-CHANNEL."""
    capacity = {}
    for name, given in numbers.items():
        if given in ("", None):
            continue
        number = int(given) if str(given).isascii() and str(given).isdecimal() else -1
        if name not in WORK_CHANNELS or not 0 <= number <= _MOST_OPEN:
            raise InvalidInput(
                f"capacity-{name}",
                N_("This is no number of tasks."),
                N_("Write a whole number up to 1000, or nothing for no limit."),
            )
        capacity[name] = number
    return capacity


async def list_absences(pool: Pool, user_id: int, now: datetime) -> list[Any]:
    """Absences that are not over, the next one first."""
    return list(await pool.fetch(_ABSENCES, user_id, now))


def read_days(first: str, last: str, zone: str) -> tuple[datetime, datetime]:
    """From the first day until the end of the last one, on the wall clock of a time zone. Raises InvalidInput."""
    try:
        begins = date.fromisoformat(first)
        ends = date.fromisoformat(last) + timedelta(days=1)
        here = ZoneInfo(zone)
        return (
            datetime.combine(begins, time(), here),
            datetime.combine(ends, time(), here),
        )
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            "first_day", N_("These are no days."), N_("Give the first and the last day of the absence.")
        ) from error


async def add_absence(
    pool: Pool, user_id: int, starts_at: datetime, ends_at: datetime, deputy_id: int | None, now: datetime
) -> int:
    """Note that somebody will not be there. Raises InvalidInput naming the field."""
    if ends_at <= starts_at or ends_at <= now or ends_at - starts_at > _LONGEST_ABSENCE:
        raise InvalidInput(
            "last_day",
            N_("It ends before it begins, is over, or lasts for years."),
            N_("Give a last day that is not before the first."),
        )
    if deputy_id is not None and (
        deputy_id == user_id
        or not await pool.fetchval("SELECT true FROM users WHERE id = $1 AND active", deputy_id)
    ):
        raise InvalidInput("deputy", N_("This person cannot stand in."), N_("Choose an active colleague."))
    id: int = await pool.fetchval(_ADD, user_id, starts_at, ends_at, deputy_id)
    return id


async def end_absence(pool: Pool, user_id: int, absence_id: int) -> None:
    """Take an absence back. Raises NotFound."""
    if not await pool.fetchval(_END, absence_id, user_id):
        raise NotFound(f"There is no absence {absence_id}.")


async def list_days_off(pool: Pool, team_id: int) -> list[Any]:
    """The days on which a team does not work, besides public holidays."""
    return list(await pool.fetch(_DAYS_OFF, team_id))


def read_days_off(text: str) -> dict[date, str]:
    """A day a line, with a name if it has one: `2026-12-24 Christmas Eve`. Raises InvalidInput."""
    days: dict[date, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        day, _, name = line.partition(" ")
        try:
            days[date.fromisoformat(day)] = name.strip()[:100]
        except ValueError as error:
            raise InvalidInput(
                "days_off",
                N_("A line does not begin with a day."),
                N_("Write a day a line, such as 2026-12-24 Christmas Eve."),
            ) from error
    if len(days) > 400:
        raise InvalidInput(
            "days_off", N_("These are too many days."), N_("Leave out days that are long over.")
        )
    return days


async def save_days_off(pool: Pool, team_id: int, days: Mapping[date, str]) -> None:
    """Keep these days instead of those before."""
    async with transaction(pool) as connection:
        await connection.execute(_CLEAR_DAYS, team_id)
        await connection.execute(_ADD_DAYS, team_id, list(days), list(days.values()))


def check_weights(weights: Mapping[int, int]) -> Mapping[int, int]:
    """How often it is each member's turn, 0 (never) to 10. Raises InvalidInput."""
    if any(not 0 <= weight <= HEAVIEST for weight in weights.values()):
        raise InvalidInput(
            "weights", N_("A weight lies between 0 and 10."), N_("Write 0 for somebody who is never asked.")
        )
    return weights


async def save_weights(pool: Pool, team_id: int, weights: Mapping[int, int]) -> None:
    """Keep the weights of members; whoever is not a member is left out."""
    await pool.execute(_WEIGHTS, team_id, list(weights), list(weights.values()))

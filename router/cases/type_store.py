"""Types of cases in the database. A house without types of its own has those of default_types.yaml.

Applying a file makes it the types of the house, all in one transaction. What cases stand on is not pulled from under
them: a type that has cases, and a stage that open cases are in, stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from domain.errors import InvalidInput
from router.cases.type_files import InvalidTypes, TypeProblem, WrittenType, load_types_file
from router.cases.types import CaseType
from router.templates import check_template, field_names_of
from storage.announce import Announcer
from storage.pool import Connection, Pool

DEFAULTS: Final = Path(__file__).with_name("default_types.yaml")

_LOAD: Final = "SELECT definition FROM case_types ORDER BY position"
_KEEP: Final = """
WITH gone AS (DELETE FROM case_types WHERE name <> ALL ($1::text[]))
INSERT INTO case_types AS t (name, position, definition)
SELECT name, position, definition::jsonb
FROM unnest($1::text[], $2::smallint[], $3::jsonb[]) AS given (name, position, definition)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, definition = excluded.definition,
  changed_at = CASE WHEN t.definition = excluded.definition THEN t.changed_at ELSE now() END
"""
_USED: Final = "SELECT kind, state, stage, count(*) AS count FROM cases GROUP BY 1, 2, 3"

#: what a template may ask for: a case has no event of its own, and its own facts
_KNOWN: Final = ("contact.", "case.")


@dataclass(frozen=True, slots=True)
class TypesDiff:
    """Names of types by what applying a file does, or did, to them."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def default_types() -> Mapping[str, CaseType]:
    """The types that come with Clytie, by name, in their order."""
    return {written.type.name: written.type for written in load_types_file(DEFAULTS)}


async def load_types(connection: Connection | Pool) -> Mapping[str, CaseType]:
    """The types of the house by name, in their order."""
    rows = await connection.fetch(_LOAD)
    if not rows:
        return default_types()
    types = [CaseType.model_validate(row["definition"]) for row in rows]
    return {one.name: one for one in types}


def find_type(types: Mapping[str, CaseType], name: str, *, field: str = "kind") -> CaseType:
    """The type of a name. Raises InvalidInput naming what there is."""
    if name not in types:
        near = get_close_matches(name, types, n=1, cutoff=0.5)
        remedy = f"Did you mean {near[0]}?" if near else f"Choose {', '.join(types)}."
        raise InvalidInput(field, f"there is no type of case {name[:60]!r}.", remedy)
    return types[name]


async def check_types(connection: Connection | Pool, given: Sequence[WrittenType]) -> list[TypeProblem]:
    """What keeps these from being the types of the house: names that nobody has, stages that cases stand in."""
    teams = {row["name"] for row in await connection.fetch("SELECT name FROM teams")}
    people = {row["email"] for row in await connection.fetch("SELECT email FROM users WHERE active")}
    problems = [problem for written in given for problem in check_texts(written)]
    for written in given:
        for place, team in _teams_of(written.type):
            if team not in teams:
                near = get_close_matches(team, teams, n=1, cutoff=0.5)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(sorted(teams))}."
                problems.append(
                    written.problem(
                        place, f"there is no team {team!r}.", remedy if teams else "Create it first."
                    )
                )
        for place, person in _people_of(written.type):
            if person not in people:
                problems.append(
                    written.problem(
                        place, f"nobody signs in as {person!r}.", "Write the address of an active user."
                    )
                )
    return problems + await _pulled_away(connection, given)


def check_texts(written: WrittenType) -> list[TypeProblem]:
    """What is wrong with the texts of its templates; nothing is looked up."""
    problems = []
    for number, template in enumerate(written.type.templates):
        for position, step in enumerate(template.steps):
            for name, text in (("task", step.task), ("description", step.description or "")):
                place = ("templates", number, "steps", position, name)
                try:
                    check_template(text, name=name)
                except InvalidInput as error:
                    problems.append(written.problem(place, error.problem, error.remedy))
                    continue
                other = next(
                    (part for part in sorted(field_names_of(text)) if not part.startswith(_KNOWN)), None
                )
                if other:
                    problems.append(
                        written.problem(place, f"{other} is not known here.", "Use contact.* and case.*.")
                    )
    return problems


def _teams_of(kind: CaseType) -> list[tuple[tuple[str | int, ...], str]]:
    found: list[tuple[tuple[str | int, ...], str]] = [(("team",), kind.team)] if kind.team else []
    for place, who in _doers(kind):
        if who.team:
            found.append(((*place, "team"), who.team))
    return found


def _people_of(kind: CaseType) -> list[tuple[tuple[str | int, ...], str]]:
    return [((*place, "person"), who.person) for place, who in _doers(kind) if who.person]


def _doers(kind: CaseType) -> list[tuple[tuple[str | int, ...], Any]]:
    return [
        (("templates", number, "steps", position, name), who)
        for number, template in enumerate(kind.templates)
        for position, step in enumerate(template.steps)
        for name, who in (("assign", step.assign), ("check", step.check))
        if who is not None
    ]


async def _pulled_away(connection: Connection | Pool, given: Sequence[WrittenType]) -> list[TypeProblem]:
    kept = {written.type.name: written for written in given}
    problems, gone = [], set()
    for row in await connection.fetch(_USED):
        written = kept.get(row["kind"])
        if written is None:
            if row["kind"] not in gone:
                gone.add(row["kind"])
                says = f"there are cases of the type {row['kind']}, which is not among these."
                problems.append(TypeProblem("", 0, row["kind"], "", says, "Keep it, with active: false."))
        elif row["state"] == "open" and row["stage"] and written.type.stage(row["stage"]) is None:
            says = f"{row['count']} open cases are in the stage {row['stage']}, which is not among these."
            problems.append(written.problem(("stages",), says, "Move them first, or keep the stage."))
    return problems


async def apply_types(
    pool: Pool, given: Sequence[WrittenType], announcer: Announcer | None = None
) -> TypesDiff:
    """Make these the types of the house. Raises InvalidTypes, with nothing changed, when they are not sound."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE case_types IN SHARE ROW EXCLUSIVE MODE")
        problems = await check_types(connection, given)
        if problems:
            raise InvalidTypes(problems)
        diff = compare_types(await load_types(connection), given)
        await connection.execute(
            _KEEP,
            [written.type.name for written in given],
            list(range(len(given))),
            [written.type.written() for written in given],
        )
    if announcer is not None:
        announcer.touch()
    return diff


def compare_types(there: Mapping[str, CaseType], given: Sequence[WrittenType]) -> TypesDiff:
    """Sort types by what sets them apart from those of the house. Pure."""
    names = {written.type.name for written in given}
    same = {one.type.name for one in given if there.get(one.type.name) == one.type}
    return TypesDiff(
        tuple(one.type.name for one in given if one.type.name not in there),
        tuple(one.type.name for one in given if one.type.name in there and one.type.name not in same),
        tuple(name for name in there if name not in names),
        tuple(one.type.name for one in given if one.type.name in same),
    )


_ORDER: Final = tuple(CaseType.model_fields)


def write_types(types: Mapping[str, CaseType]) -> str:
    """The types as a file that reads back as the same."""
    written = []
    for one in types.values():
        stored = one.written()
        written.append({name: stored[name] for name in _ORDER if name in stored})
    return "\n".join(
        yaml.safe_dump([one], allow_unicode=True, sort_keys=False, width=110, default_flow_style=None)
        for one in written
    )

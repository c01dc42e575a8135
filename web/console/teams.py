"""One team: its name, whose holidays and hours it keeps, the number that contacts see when it calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from aiohttp import web

from domain.errors import InvalidInput, NotFound
from router.working_time import DAYS
from web.access.permissions import Permission
from web.console.availability import name_days
from web.console.pages import page
from web.console.visit import Visit, find_number
from web.i18n import N_
from web.queries.people import list_teams
from web.sentences import translate_error
from web.work.availability import (
    check_weights,
    list_days_off,
    read_days_off,
    read_hours,
    save_days_off,
    save_weights,
    write_hours,
)
from web.work.phones import list_own_numbers, read_caller_id
from web.zones import read_country, read_zone

_SAVE: Final = """
UPDATE teams SET name = $2, country = $3, timezone = $4, caller_id = $5, hours = $6 WHERE id = $1
"""
_MEMBERS: Final = """
SELECT u.id, u.name, m.weight FROM team_members m JOIN users u ON u.id = m.user_id
WHERE m.team_id = $1 AND u.active ORDER BY lower(u.name), u.id
"""


@page("GET", "/people/teams/{id}", permission=Permission.PEOPLE_ADMINISTER)
async def show_team(visit: Visit) -> web.StreamResponse:
    """The form of a team."""
    team = await _find(visit)
    return await _team_page(visit, team, team)


async def _find(visit: Visit) -> Any:
    number = visit.number("id")
    for team in await list_teams(visit.context.pool):
        if team["id"] == number:
            return team
    raise NotFound(f"There is no team {number}.")


async def _team_page(
    visit: Visit, team: Any, values: Mapping[str, Any], error: InvalidInput | None = None
) -> web.Response:
    return visit.page(
        "team.html",
        status=422 if error else 200,
        team=team,
        values=values,
        own_numbers=await list_own_numbers(visit.context.pool),
        days=name_days(),
        hours={day: values.get(f"hours-{day}", text) for day, text in write_hours(team["hours"]).items()},
        days_off=values.get("days_off", await _write_days_off(visit, team["id"])),
        members=await visit.context.pool.fetch(_MEMBERS, team["id"]),
        errors={error.field: translate_error(error)} if error else {},
    )


async def _write_days_off(visit: Visit, team_id: int) -> str:
    rows = await list_days_off(visit.context.pool, team_id)
    return "\n".join(f"{row['day'].isoformat()} {row['name']}".strip() for row in rows)


def _read_weights(fields: Mapping[str, str]) -> dict[int, int]:
    """`weight-7`: 2. Whoever has no weight in the form keeps the one there is."""
    weights = {}
    for name, text in fields.items():
        kind, _dash, number = name.partition("-")
        member = find_number(number)
        if kind == "weight" and member is not None:
            weights[member] = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else -1
    return weights


@page("POST", "/people/teams/{id}", permission=Permission.PEOPLE_ADMINISTER)
async def save_team(visit: Visit) -> web.StreamResponse:
    """Keep a team."""
    team = await _find(visit)
    try:
        name = visit.text("name", longest=200)
        if not name:
            raise InvalidInput("name", N_("The name is missing."), N_("Write the name colleagues know."))
        country, zone = read_country(visit.text("country")), read_zone(visit.text("timezone"))
        caller_id = read_caller_id(visit.text("caller_id", longest=100))
        hours = read_hours({day: visit.fields.get(f"hours-{day}", "") for day in DAYS})
        days_off = read_days_off(visit.text("days_off"))
        weights = check_weights(_read_weights(visit.fields))
        try:
            await visit.context.pool.execute(_SAVE, team["id"], name, country, zone, caller_id, hours)
        except asyncpg.UniqueViolationError as error:
            raise InvalidInput(
                "name", N_("There is a team of this name already."), N_("Choose another name.")
            ) from error
    except InvalidInput as error:
        return await _team_page(visit, team, {**team, **visit.fields}, error)
    await save_days_off(visit.context.pool, team["id"], days_off)
    await save_weights(visit.context.pool, team["id"], weights)
    ours = {row["number"] for row in await list_own_numbers(visit.context.pool)}
    if caller_id is not None and caller_id not in ours:
        return visit.redirect(f"/people/teams/{team['id']}", "team_saved")
    return visit.redirect("/people", "team_saved")

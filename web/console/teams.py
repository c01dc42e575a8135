"""One team: its name, whose holidays and hours it keeps, the number that contacts see when it calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from aiohttp import web

from domain.errors import InvalidInput, NotFound
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_
from web.queries.people import list_teams
from web.sentences import translate_error
from web.work.phones import list_own_numbers, read_caller_id
from web.zones import read_country, read_zone

_SAVE: Final = "UPDATE teams SET name = $2, country = $3, timezone = $4, caller_id = $5 WHERE id = $1"


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
        errors={error.field: translate_error(error)} if error else {},
    )


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
        try:
            await visit.context.pool.execute(_SAVE, team["id"], name, country, zone, caller_id)
        except asyncpg.UniqueViolationError as error:
            raise InvalidInput(
                "name", N_("There is a team of this name already."), N_("Choose another name.")
            ) from error
    except InvalidInput as error:
        return await _team_page(visit, team, {**team, **visit.fields}, error)
    ours = {row["number"] for row in await list_own_numbers(visit.context.pool)}
    if caller_id is not None and caller_id not in ours:
        return visit.redirect(f"/people/teams/{team['id']}", "team_saved")
    return visit.redirect("/people", "team_saved")

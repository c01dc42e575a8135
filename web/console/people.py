"""People: users and teams, for administrators. New users choose their password through a one-time link."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
from aiohttp import web

from contacts.addresses import read_mail_address
from domain.errors import ClytieError, InvalidInput, NotFound
from storage.pool import transaction
from web.access.first_link import make_invitation
from web.access.origin import public_origin
from web.access.permissions import Permission, Role
from web.access.sessions import end_sessions_of
from web.console.pages import page
from web.console.visit import Visit, find_number
from web.i18n import N_
from web.queries.people import list_teams, list_users
from web.sentences import translate_error
from web.work.phones import list_own_numbers, read_own_phone
from web.zones import read_country, read_zone

_NEW_USER: Final = "INSERT INTO users (name, email, role, language) VALUES ($1, $2, $3, $4) RETURNING id"
_NEW_TEAM: Final = "INSERT INTO teams (name, country, timezone) VALUES ($1, $2, $3)"
_EDIT: Final = """
UPDATE users SET name = $2, role = $3, active = $4, phone = $5, takes_calls = $6 WHERE id = $1
"""
_LEAVE: Final = "DELETE FROM team_members WHERE user_id = $1"
_JOIN: Final = (
    "INSERT INTO team_members (user_id, team_id) SELECT $1, id FROM teams WHERE id = ANY ($2::bigint[])"
)
_OTHERS: Final = "SELECT count(*) FROM users WHERE role = 'administrator' AND active AND id <> $1"

_BLANK: Final = dict.fromkeys(("name", "email", "role", "team_name", "country", "timezone"), "")
ROLES: Final = tuple(role.value for role in Role)


@page("GET", "/people", permission=Permission.PEOPLE_ADMINISTER)
async def show_people(visit: Visit) -> web.StreamResponse:
    """Users and teams."""
    return await _people_page(visit)


async def _people_page(
    visit: Visit, error: ClytieError | None = None, invitation: dict[str, str] | None = None
) -> web.Response:
    errors = {}
    if error is not None:
        errors[error.field if isinstance(error, InvalidInput) else "name"] = translate_error(error)
    return visit.page(
        "people.html",
        status=422 if error else 200,
        users=await list_users(visit.context.pool, gone_too=True),
        teams=await list_teams(visit.context.pool),
        own_numbers={row["number"] for row in await list_own_numbers(visit.context.pool)},
        roles=ROLES,
        errors=errors,
        values={**_BLANK, **(visit.fields if error else {})},
        invitation=invitation,
    )


def _name(visit: Visit, field: str = "name") -> str:
    name = visit.text(field, longest=200)
    if not name:
        raise InvalidInput(field, N_("The name is missing."), N_("Write the name colleagues know."))
    return name


def _role(visit: Visit) -> str:
    role = visit.fields.get("role", "")
    if role not in ROLES:
        raise InvalidInput("role", N_("This is not a role."), N_("Choose one from the list."))
    return role


@page("POST", "/people", permission=Permission.PEOPLE_ADMINISTER)
async def invite(visit: Visit) -> web.StreamResponse:
    """Make a user and show the link through which the password is chosen."""
    pool = visit.context.pool
    try:
        name, role = _name(visit), _role(visit)
        email = read_mail_address(visit.text("email", longest=320))
        try:
            user_id = await pool.fetchval(_NEW_USER, name, email, role, visit.language)
        except asyncpg.UniqueViolationError as error:
            raise InvalidInput(
                "email", N_("Somebody already has this address."), N_("Use another one, or edit that user.")
            ) from error
    except InvalidInput as error:
        return await _people_page(visit, error)
    return await _people_page(visit, invitation=await _invitation(visit, user_id, name))


async def _invitation(visit: Visit, user_id: int, name: str) -> dict[str, str]:
    origin = public_origin(visit.request, visit.context.settings)
    return {"name": name, "url": await make_invitation(visit.context.pool, origin, user_id)}


@page("POST", "/people/teams", permission=Permission.PEOPLE_ADMINISTER)
async def make_team(visit: Visit) -> web.StreamResponse:
    """Make a team."""
    try:
        name = _name(visit, "team_name")
        country, zone = read_country(visit.text("country")), read_zone(visit.text("timezone"))
        try:
            await visit.context.pool.execute(_NEW_TEAM, name, country, zone)
        except asyncpg.UniqueViolationError as error:
            raise InvalidInput(
                "team_name", N_("There is a team of this name already."), N_("Choose another name.")
            ) from error
    except InvalidInput as error:
        return await _people_page(visit, error)
    return visit.redirect("/people", "team_saved")


async def _find(visit: Visit) -> Any:
    number = visit.number("id")
    for user in await list_users(visit.context.pool, gone_too=True):
        if user["id"] == number:
            return user
    raise NotFound(f"There is no user {number}.")


@page("GET", "/people/{id}", permission=Permission.PEOPLE_ADMINISTER)
async def show_person(visit: Visit) -> web.StreamResponse:
    """The form of a user."""
    return await _person_page(visit, await _find(visit))


async def _person_page(visit: Visit, user: Any, error: InvalidInput | None = None) -> web.Response:
    return visit.page(
        "person.html",
        status=422 if error else 200,
        user=user,
        given={**user, **visit.fields} if error else user,
        teams=await list_teams(visit.context.pool),
        roles=ROLES,
        errors={error.field: translate_error(error)} if error else {},
    )


@page("POST", "/people/{id}", permission=Permission.PEOPLE_ADMINISTER)
async def save_person(visit: Visit) -> web.StreamResponse:
    """Keep a user's name, role, phone and teams; whoever may no longer sign in is signed out."""
    user = await _find(visit)
    active = visit.fields.get("active") == "1"
    try:
        name, role = _name(visit), _role(visit)
        phone = read_own_phone(visit.text("phone", longest=100))
        async with transaction(visit.context.pool) as connection:
            still = active and role == Role.ADMINISTRATOR
            if (
                user["role"] == Role.ADMINISTRATOR
                and not still
                and not await connection.fetchval(_OTHERS, user["id"])
            ):
                raise InvalidInput(
                    "active",
                    N_("This is the last administrator."),
                    N_("Make somebody else administrator first."),
                )
            takes_calls = visit.fields.get("takes_calls") == "1"
            await connection.execute(_EDIT, user["id"], name, role, active, phone, takes_calls)
            await connection.execute(_LEAVE, user["id"])
            teams = [find_number(field[5:]) for field in visit.fields if field.startswith("team-")]
            await connection.execute(_JOIN, user["id"], [number for number in teams if number is not None])
            if not active:
                await end_sessions_of(connection, user["id"])
    except InvalidInput as error:
        return await _person_page(visit, user, error)
    if active and visit.fields.get("invite") == "1":
        return await _people_page(visit, invitation=await _invitation(visit, user["id"], name))
    return visit.redirect("/people", "user_saved")

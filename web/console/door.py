"""Coming in and going out: sign-in, the one-time link, sign-out, the language, and the demo's personas."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import asyncpg
from aiohttp import web

from contacts.addresses import read_mail_address
from domain.clock import SystemClock
from domain.errors import InvalidInput, NotFound
from outbox.texts.nights import look_again
from storage.house_clock import advance_clock as move_clock
from storage.pool import Pool, transaction
from web.access.first_link import find_invitation, has_administrator, use_link
from web.access.origin import is_https, peer_address
from web.access.passwords import check_password, hash_password, password_matches
from web.access.permissions import Permission
from web.access.sessions import SESSION_COOKIE, begin_session, end_session
from web.access.throttle import Throttle
from web.console.pages import page
from web.console.visit import LANGUAGE_COOKIE, Visit
from web.i18n import LANGUAGES, N_, _
from web.queries.mailbox import find_claire
from web.sentences import translate_error

THROTTLE: Final = web.AppKey("throttle", Throttle)

_BY_EMAIL: Final = "SELECT id, password_hash FROM users WHERE email = $1 AND active"
_FIRST: Final = """
INSERT INTO users (email, name, role, password_hash, language) VALUES ($1, $2, 'administrator', $3, $4) RETURNING id
"""
_INVITED: Final = (
    "UPDATE users SET name = $2, email = $3, password_hash = $4 WHERE id = $1 AND active RETURNING id"
)
_PERSONAS: Final = """
SELECT id, name, role, email FROM users WHERE active AND password_hash IS NULL
ORDER BY array_position(ARRAY['marketer','rep','manager','agent','administrator'], role), id
"""
_SET_LANGUAGE: Final = "UPDATE users SET language = $2 WHERE id = $1"

#: what a persona of the demo may try first
PERSONA_HINTS: Final = {
    "marketer": N_("Writes newsletters, picks whom they go to, reads the report."),
    "rep": N_("Works a list of calls that fills by itself when prospects show interest."),
    "manager": N_("Sees the team's tasks, and what runs late."),
    "agent": N_("Answers what arrives, with the contact's history at hand."),
    "administrator": N_("Looks after people, teams and settings."),
}

#: browsers drop tabs and line ends from an address, and read \ as /: none of them may stand in a path
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def safe_path(text: str, otherwise: str = "/") -> str:
    """A path of this site to go on to; anything that could lead elsewhere becomes `otherwise`."""
    return text if _LOCAL_PATH.fullmatch(text) else otherwise


@page("GET", "/sign-in", permission=None)
async def show_sign_in(visit: Visit) -> web.StreamResponse:
    """The form; whoever is signed in already goes on."""
    if visit.session is not None:
        return visit.redirect(safe_path(visit.request.query.get("next", "/")))
    problem = ""
    if not await has_administrator(visit.context.pool):
        problem = _("Nobody is here yet. Open the link that the terminal showed when Clytie started.")
    return _sign_in_page(visit, next_path=visit.request.query.get("next", "/"), problem=problem)


def _sign_in_page(visit: Visit, *, next_path: str, problem: str = "", status: int = 200) -> web.Response:
    return visit.page(
        "signin.html",
        status=status,
        next=safe_path(next_path),
        email=visit.fields.get("email", ""),
        problem=problem,
    )


@page("POST", "/sign-in", permission=None)
async def sign_in(visit: Visit) -> web.StreamResponse:
    """Check the password; wrong ones are slowed down per address and per place."""
    throttle = visit.request.app[THROTTLE]
    email = visit.text("email", longest=320).lower()
    next_path = visit.fields.get("next", "/")
    keys = (f"mail {email}", f"place {peer_address(visit.request, visit.context.settings)}")
    wait = throttle.seconds_to_wait(*keys)
    if wait:
        problem = _("Too many tries. Wait %(n)s minutes, then try again.") % {"n": -(-wait // 60)}
        response = _sign_in_page(visit, next_path=next_path, problem=problem, status=429)
        response.headers["Retry-After"] = str(wait)
        return response
    throttle.failed(*keys)  # until shown otherwise: tries that come while this one is looked at count it, too
    try:
        row = await visit.context.pool.fetchrow(_BY_EMAIL, email)
        stored = row["password_hash"] if row else None
        matches = await password_matches(stored, visit.fields.get("password", ""))
    except BaseException:
        throttle.take_back(*keys)  # nobody learned anything
        raise
    if not matches or row is None:
        problem = _("This e-mail address and password do not belong together. Check both and try again.")
        return _sign_in_page(visit, next_path=next_path, problem=problem, status=422)
    throttle.succeeded(keys[0])
    throttle.take_back(keys[1])
    return await let_in(visit, row["id"], safe_path(next_path))


async def let_in(visit: Visit, user_id: int, path: str, notice: str = "") -> web.Response:
    """Begin a session and go on to `path`."""
    settings = visit.context.settings
    await _leave(visit)
    secret = await begin_session(visit.context.pool, user_id, settings.session_days)
    response = visit.redirect(path, notice)
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=settings.session_days * 86400,
        httponly=True,
        samesite="Lax",
        secure=is_https(visit.request, settings) or settings.public_url.startswith("https:"),
        path="/",
    )
    return response


async def _leave(visit: Visit) -> None:
    cookie = visit.request.cookies.get(SESSION_COOKIE)
    if cookie:
        await end_session(visit.context.pool, cookie)


@page("POST", "/sign-out", permission=None)
async def sign_out(visit: Visit) -> web.StreamResponse:
    """End this session."""
    await _leave(visit)
    response = visit.redirect("/personas" if visit.is_open_demo else "/sign-in", "signed_out")
    response.del_cookie(SESSION_COOKIE, path="/")
    return response


@page("GET", "/welcome/{secret}", permission=None)
async def show_welcome(visit: Visit) -> web.StreamResponse:
    """The form behind a one-time link. Looking at it does not use the link up."""
    invitation = await find_invitation(visit.context.pool, visit.request.match_info["secret"])
    if invitation is None:
        raise NotFound("This link was used or has expired.")
    return visit.page(
        "welcome.html",
        values={"name": invitation.name, "email": invitation.email},
        errors={},
        first=invitation.user_id is None,
    )


@page("POST", "/welcome/{secret}", permission=None)
async def accept_welcome(visit: Visit) -> web.StreamResponse:
    """Make the first administrator, or give an invited user the password, and sign in."""
    secret = visit.request.match_info["secret"]
    pool = visit.context.pool
    invitation = await find_invitation(pool, secret)
    if invitation is None:
        raise NotFound("This link was used or has expired.")
    try:
        user_id = await _make_user(visit, pool, secret, invitation.user_id)
    except InvalidInput as error:
        return visit.page(
            "welcome.html",
            status=422,
            values=visit.fields,
            errors={error.field: translate_error(error)},
            first=invitation.user_id is None,
        )
    return await let_in(visit, user_id, "/", "welcome")


async def _make_user(visit: Visit, pool: Pool, secret: str, user_id: int | None) -> int:
    name = visit.text("name", longest=200)
    if not name:
        raise InvalidInput("name", N_("The name is missing."), N_("Write the name colleagues know you by."))
    email = read_mail_address(visit.text("email", longest=320))
    check_password(visit.fields.get("password", ""))
    hashed = await hash_password(visit.fields["password"])
    try:
        async with transaction(pool) as connection:
            if not await use_link(connection, secret):
                raise NotFound("This link was used or has expired.")
            made: Any
            if user_id is None:
                made = await connection.fetchval(_FIRST, email, name, hashed, visit.language)
            else:
                made = await connection.fetchval(_INVITED, user_id, name, email, hashed)
    except asyncpg.UniqueViolationError as error:
        raise InvalidInput(
            "email", N_("Somebody already has this address."), N_("Use another one, or sign in.")
        ) from error
    if made is None:
        raise NotFound("This link was used or has expired.")
    return int(made)


@page("POST", "/language", permission=None)
async def choose_language(visit: Visit) -> web.StreamResponse:
    """Remember the language, with the user when somebody is signed in."""
    language = visit.fields.get("language", "")
    response = visit.redirect(safe_path(visit.fields.get("back", "/")))
    if language in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86400, samesite="Lax", path="/")
        if visit.session is not None:
            await visit.context.pool.execute(_SET_LANGUAGE, visit.person.id, language)
    return response


# The demo ---------------------------------------------------------------------------------------------------------


@page("GET", "/personas", permission=None)
async def show_personas(visit: Visit) -> web.StreamResponse:
    """Whom one can become; only in a demo, and only on its own machine."""
    if not visit.is_open_demo:
        raise NotFound("There are no personas here.")
    rows = await visit.context.pool.fetch(_PERSONAS)
    personas = [
        {"id": row["id"], "name": row["name"], "role": row["role"], "hint": _(PERSONA_HINTS[row["role"]])}
        for row in rows
    ]
    return visit.page("personas.html", personas=personas, claire=await find_claire(visit.context.pool))


@page("GET", "/become/{user}", permission=None)
async def offer_persona(visit: Visit) -> web.StreamResponse:
    """Links to a persona lead to the choice: becoming somebody is done by a button, not by following a link."""
    return visit.redirect("/personas")


@page("POST", "/become/{user}", permission=None)
async def become(visit: Visit) -> web.StreamResponse:
    """Become a persona, without a password."""
    if not visit.is_open_demo:
        raise NotFound("There are no personas here.")
    user_id = visit.number("user")
    if user_id not in {row["id"] for row in await visit.context.pool.fetch(_PERSONAS)}:
        raise NotFound("There is no such persona.")
    return await let_in(visit, user_id, safe_path(visit.fields.get("next", "/")))


@page("POST", "/demo/clock", permission=Permission.CLOCK_ADVANCE)
async def advance_clock(visit: Visit) -> web.StreamResponse:
    """Move the demo's business time forward by an hour, in every process (they read `house`)."""
    if not visit.context.demo:
        raise NotFound("Only a demo has a clock that can be moved.")
    offset = await move_clock(visit.context.pool, timedelta(hours=1))
    if isinstance(visit.context.clock, SystemClock):
        visit.context.clock.offset = offset
    await look_again(visit.context.pool)
    visit.context.announcer.touch()
    return visit.redirect(safe_path(visit.fields.get("back", "/")), "clock_advanced")

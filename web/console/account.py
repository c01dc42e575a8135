"""One's own account: language, time zone, phone, API tokens."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from domain.errors import InvalidInput
from inbox.mails.reading import copy_address
from web.access.permissions import Permission
from web.access.sessions import make_api_token
from web.console.availability import show_absences, take_absence
from web.console.pages import page
from web.console.visit import LANGUAGE_COOKIE, Visit
from web.i18n import LANGUAGES, N_
from web.queries.people import list_api_tokens
from web.sentences import translate_error
from web.work.availability import load_working
from web.work.phones import read_own_phone, read_phone_settings, save_phone
from web.zones import read_zone

_SAVE: Final = "UPDATE users SET language = $2, timezone = $3 WHERE id = $1"
#: of the address that most likely is ours for good: the oldest queue's
_OUR_DOMAIN: Final = (
    "SELECT split_part(from_address, '@', 2) FROM queues WHERE from_address IS NOT NULL ORDER BY id LIMIT 1"
)
_END: Final = "DELETE FROM api_tokens WHERE id = $1 AND user_id = $2"


@page("GET", "/account", permission=Permission.TASKS_WORK)
async def show_account(visit: Visit) -> web.StreamResponse:
    """The page."""
    return await _account_page(visit)


async def _account_page(visit: Visit, *, token: str = "", error: InvalidInput | None = None) -> web.Response:
    phone, takes_calls = await read_phone_settings(visit.context.pool, visit.person.id)
    if error is not None and "phone" in visit.fields:
        phone, takes_calls = visit.fields["phone"], visit.fields.get("takes_calls") == "1"
    return visit.page(
        "account.html",
        status=422 if error else 200,
        own_phone=phone or "",
        takes_calls=takes_calls,
        token=token,
        tokens=await list_api_tokens(visit.context.pool, visit.person.id),
        copies=await _copy_address(visit) if visit.person.may(Permission.CONVERSATIONS_WORK) else "",
        present=(await load_working(visit.context.pool, visit.person.id)).present,
        errors={error.field: translate_error(error)} if error else {},
        **await show_absences(visit, visit.person.id),
    )


async def _copy_address(visit: Visit) -> str:
    """Where this person sends copies of mail written elsewhere; empty when no domain of ours is known."""
    context = visit.context
    domain = context.copy_domain or await context.pool.fetchval(_OUR_DOMAIN) or ""
    return copy_address(context.tokens, context.reading, visit.person.id, domain) if domain else ""


@page("POST", "/account", permission=Permission.TASKS_WORK)
async def save_account(visit: Visit) -> web.StreamResponse:
    """Keep language and time zone."""
    try:
        zone = read_zone(visit.text("timezone"))
        language = visit.fields.get("language", "")
        if language not in LANGUAGES:
            raise InvalidInput(
                "language", N_("This language is not offered."), N_("Choose one from the list.")
            )
    except InvalidInput as error:
        return await _account_page(visit, error=error)
    await visit.context.pool.execute(_SAVE, visit.person.id, language, zone)
    response = visit.redirect("/account", "settings_saved")
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86400, samesite="Lax", path="/")
    return response


@page("POST", "/account/phone", permission=Permission.TASKS_WORK)
async def save_own_phone(visit: Visit) -> web.StreamResponse:
    """Keep which phone rings, and whether it does so for calls that come in."""
    try:
        phone = read_own_phone(visit.text("phone", longest=100))
    except InvalidInput as error:
        return await _account_page(visit, error=error)
    await save_phone(visit.context.pool, visit.person.id, phone, visit.fields.get("takes_calls") == "1")
    return visit.redirect("/account", "settings_saved")


@page("POST", "/account/absences", permission=Permission.TASKS_WORK)
async def new_own_absence(visit: Visit) -> web.StreamResponse:
    """I will not be there."""
    try:
        await take_absence(visit, visit.person.id)
    except InvalidInput as error:
        return await _account_page(visit, error=error)
    return visit.redirect("/account", "settings_saved")


@page("POST", "/account/tokens", permission=Permission.TASKS_WORK)
async def new_token(visit: Visit) -> web.StreamResponse:
    """Make an API token; this page is the only one that ever shows it."""
    name = visit.text("token_name", longest=100)
    if not name:
        error = InvalidInput("token_name", N_("The name is missing."), N_("Write what the token is for."))
        return await _account_page(visit, error=error)
    return await _account_page(visit, token=await make_api_token(visit.context.pool, visit.person.id, name))


@page("POST", "/account/tokens/{id}/end", permission=Permission.TASKS_WORK)
async def end_token(visit: Visit) -> web.StreamResponse:
    """Take an API token back."""
    await visit.context.pool.execute(_END, visit.number("id"), visit.person.id)
    return visit.redirect("/account", "token_ended")

"""Errors as pages: what happened, in a sentence, and what to do next."""

from __future__ import annotations

import secrets

import asyncpg
import structlog
from aiohttp import web

from domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from web.console.visit import Visit
from web.i18n import _
from web.sentences import translate_error

_log = structlog.get_logger("web.console")

#: what it looks like when PostgreSQL is away
DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)


def answer_failure(visit: Visit, error: Exception) -> web.StreamResponse:
    """The page for an error; unexpected ones are logged under a number that the page shows."""
    status, title, sentence = _describe(error)
    if isinstance(error, web.HTTPException) and error.status < 400:
        return error
    reference = ""
    if status == 500:
        reference = secrets.token_hex(4)
        _log.error("page failed", reference=reference, path=visit.request.path, exc_info=error)
    response = visit.page(
        "error.html",
        status=status,
        title=title,
        sentence=sentence,
        reference=reference,
        bare=visit.session is None,
    )
    if status == 503:
        response.headers["Retry-After"] = "5"
    return response


def is_beyond_ids(error: Exception) -> bool:
    """Tell whether somebody asked for a number larger than its column holds: there is no such thing."""
    return isinstance(error, asyncpg.DataError) and "value out of int" in str(error)


def _describe(error: Exception) -> tuple[int, str, str]:
    match error:
        case InvalidInput():
            return 422, _("That does not fit"), translate_error(error)
        case NotFound() | web.HTTPNotFound():
            return 404, _("There is nothing here"), _("The page was moved or removed, or you may not see it.")
        case _ if is_beyond_ids(error):
            return 404, _("There is nothing here"), _("The page was moved or removed, or you may not see it.")
        case Conflict():
            return 409, _("Somebody was faster"), translate_error(error)
        case Forbidden():
            return 403, _("This is not open to you"), translate_error(error)
        case web.HTTPRequestEntityTooLarge():
            return 413, _("That is too much at once"), _("What you sent is too large for this form.")
        case web.HTTPException():
            return error.status, _("That did not work"), _("The server could not make sense of this request.")
        case Unavailable():
            return 503, _("One moment, please"), translate_error(error)
        case _ if isinstance(error, DATABASE_AWAY):
            return (
                503,
                _("One moment, please"),
                _("The database cannot be reached just now. Nothing is lost; try again."),
            )
    return (
        500,
        _("Something broke on our side"),
        _("Nothing you did is to blame. Try again; if it stays, tell an administrator."),
    )

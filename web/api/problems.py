"""Errors of the API as application/problem+json (RFC 9457), with the field and the remedy where there is one."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

import structlog
from aiohttp import web
from pydantic import BaseModel, Field

from domain.errors import ClytieError, Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from web.console.failures import DATABASE_AWAY, is_beyond_ids
from web.i18n import N_, _
from web.sentences import translate_error, translate_sentence

_log = structlog.get_logger("web.api")


class Problem(BaseModel):
    """What went wrong. `detail` is a sentence for people; `field` and `remedy` are there for wrong input."""

    type: str = Field("about:blank", description="A word for the kind of problem, as a relative reference.")
    title: str
    status: int
    detail: str = ""
    field: str | None = Field(None, description="The field, as the sender wrote it.")
    remedy: str | None = Field(None, description="What to do about it.")


class NotSignedIn(ClytieError):
    """The request carries neither a session nor a token that is known."""


_TITLES: Final = {
    "invalid-input": N_("That does not fit"),
    "not-signed-in": N_("Who are you?"),
    "forbidden": N_("This is not open to you"),
    "not-found": N_("There is nothing here"),
    "conflict": N_("The state does not allow it"),
    "too-large": N_("That is too much at once"),
    "unavailable": N_("One moment, please"),
    "bad-request": N_("That did not work"),
    "internal": N_("Something broke on our side"),
}


def answer_problem(error: Exception, path: str) -> web.Response:
    """The answer for an error; unexpected ones are logged under a number that the answer names."""
    status, kind, detail = _describe(error)
    extra: dict[str, Any] = {}
    headers = {}
    if isinstance(error, InvalidInput):
        extra = {"field": error.field, "remedy": translate_sentence(error.remedy) or None}
        detail = translate_sentence(error.problem)
    if status == 500:
        reference = secrets.token_hex(4)
        _log.error("api call failed", reference=reference, path=path, exc_info=error)
        detail = _("Reference: %(number)s") % {"number": reference}
    if status == 503:
        headers["Retry-After"] = "5"
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="clytie"'
    problem = Problem(type=kind, title=_(_TITLES[kind]), status=status, detail=detail, **extra)
    body = json.dumps(problem.model_dump(exclude_none=True), ensure_ascii=False)
    return web.Response(text=body, status=status, content_type="application/problem+json", headers=headers)


def _describe(error: Exception) -> tuple[int, str, str]:
    match error:
        case InvalidInput():
            return 422, "invalid-input", ""
        case NotSignedIn():
            return 401, "not-signed-in", translate_error(error)
        case Forbidden():
            return 403, "forbidden", translate_error(error)
        case NotFound():
            return 404, "not-found", translate_error(error)
        case _ if is_beyond_ids(error):
            return 404, "not-found", _("There is no such address.")
        case Conflict():
            return 409, "conflict", translate_error(error)
        case Unavailable():
            return 503, "unavailable", translate_error(error)
        case web.HTTPNotFound():
            return 404, "not-found", _("There is no such address.")
        case web.HTTPRequestEntityTooLarge():
            return 413, "too-large", _("What you sent is too large.")
        case web.HTTPException():
            return error.status, "bad-request", _("The server could not make sense of this request.")
        case _ if isinstance(error, DATABASE_AWAY):
            return (
                503,
                "unavailable",
                _("The database cannot be reached just now. Nothing is lost; try again."),
            )
    return 500, "internal", ""

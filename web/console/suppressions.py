"""The do-not-contact list: who is on it and why, lifting with a reason, adding by hand."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Final

from aiohttp import web

from domain.contacts import IdentityKind
from domain.errors import ClytieError, InvalidInput
from outbox.suppression import Suppression, list_suppressions
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_
from web.sentences import translate_error
from web.work.suppressions import add_suppression, lift_suppression

PAGE: Final = 50


def write_place(entry: Suppression) -> str:
    """Where a page of the list ends, as it stands in a URL."""
    text = f"{entry.created_at.isoformat()} {entry.kind.value} {entry.address}"
    return urlsafe_b64encode(text.encode()).decode()


def read_place(text: str) -> Suppression | None:
    """The place that `write_place` wrote; None for nothing. Raises InvalidInput for anything else."""
    if not text:
        return None
    try:
        moment, kind, address = urlsafe_b64decode(text.encode()).decode().split(" ", 2)
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise ValueError(text)
        return Suppression(
            IdentityKind(kind), address.replace("\0", ""), "", "", None, "", at, None, None, None
        )
    except ValueError as error:
        raise InvalidInput(
            "after", N_("This place in the list does not exist."), N_("Start at the first page.")
        ) from error


@page("GET", "/do-not-contact", permission=Permission.SUPPRESSIONS_SEE)
async def show_suppressions(visit: Visit) -> web.StreamResponse:
    """The list, latest first; or the addresses that hold what is searched."""
    return await _list_page(visit)


async def _list_page(visit: Visit, error: ClytieError | None = None) -> web.Response:
    query = visit.request.query
    words = query.get("q", "").replace("\0", "").strip()[:320]
    rows = await list_suppressions(
        visit.context.pool, after=read_place(query.get("after", "")), containing=words, limit=PAGE + 1
    )
    errors = {}
    if error is not None:
        errors[error.field if isinstance(error, InvalidInput) else "address"] = translate_error(error)
    return visit.page(
        "suppressions.html",
        status=422 if error else 200,
        entries=rows[:PAGE],
        words=words,
        errors=errors,
        values=visit.fields,
        following=write_place(rows[PAGE - 1]) if len(rows) > PAGE else "",
        first=not query.get("after"),
    )


@page("POST", "/do-not-contact", permission=Permission.SUPPRESSIONS_EDIT)
async def add(visit: Visit) -> web.StreamResponse:
    """Put an address on the list by hand."""
    try:
        kind = visit.fields.get("kind", "mail")
        await add_suppression(
            visit.context,
            visit.person,
            kind,
            visit.text("address", longest=320),
            visit.text("words", longest=500),
        )
    except ClytieError as error:
        return await _list_page(visit, error)
    return visit.redirect("/do-not-contact", "suppression_added")


@page("POST", "/do-not-contact/lift", permission=Permission.SUPPRESSIONS_EDIT)
async def lift(visit: Visit) -> web.StreamResponse:
    """Take an address off the list, with a reason."""
    try:
        await lift_suppression(
            visit.context,
            visit.person,
            visit.fields.get("kind", ""),
            visit.text("address", longest=320),
            visit.text("note", longest=500),
        )
    except ClytieError as error:
        return await _list_page(visit, error)
    return visit.redirect("/do-not-contact", "suppression_lifted")

"""Short messages to one person: the count below the field, and the page on which one writes to a contact first."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from domain.errors import InvalidInput
from inbox.texts.answers import SmsAnswer
from web.access.permissions import Permission
from web.console.contacts import load_one
from web.console.pages import page
from web.console.visit import Visit
from web.sentences import translate_error
from web.work.texts import begin_by_text, count_text, may_promote, prepare_first_text

_PERMISSION: Final = Permission.CONVERSATIONS_WORK
_LONGEST: Final = 20_000


@page("POST", "/texts/count", permission=_PERMISSION)
async def show_count(visit: Visit) -> web.StreamResponse:
    """Characters, parts, alphabet and price of what is being written; a fragment below the field."""
    text = visit.fields.get("text", "")[:_LONGEST]
    return visit.page("text_count.html", counted=count_text(visit.context, text, visit.fields.get("to", "")))


@page("GET", "/contacts/{id}/text", permission=_PERMISSION)
async def show_text_form(visit: Visit) -> web.StreamResponse:
    """The form for a first message to a contact."""
    return await _form(visit, await load_one(visit))


@page("POST", "/contacts/{id}/text", permission=_PERMISSION)
async def send_first_text(visit: Visit) -> web.StreamResponse:
    """Send it; the conversation that it is in shows how to take it back."""
    contact = await load_one(visit)
    given = SmsAnswer(
        visit.fields.get("text", ""),
        visit.fields.get("to", ""),
        visit.fields.get("sender", ""),
    )
    try:
        started = await begin_by_text(visit.context, visit.person, contact["id"], given)
    except InvalidInput as error:
        return await _form(visit, contact, {error.field: translate_error(error)}, status=422)
    return visit.redirect(f"/conversations/{started.conversation_id}#undo")


async def _form(
    visit: Visit, contact: Any, errors: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    desk = await prepare_first_text(visit.context, contact["id"])
    text, to = visit.fields.get("text", ""), visit.fields.get("to", desk.prepared.to)
    return visit.page(
        "contact_text.html",
        status=status,
        contact=contact,
        desk=desk,
        text=text,
        to=to,
        sender=visit.fields.get("sender", desk.sender),
        counted=count_text(visit.context, text, to),
        agreed=await may_promote(visit.context, contact["id"]),
        errors=errors or {},
    )

"""Calling somebody from a page: the numbers to choose from, placing the call, hanging up.

A script sends these forms and gets the bar back, so that what is being written on the page stays; without a script
they answer like any other form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from domain.errors import ClytieError, InvalidInput, NotFound
from web.access.permissions import Permission
from web.console.calls import bar_page
from web.console.door import safe_path
from web.console.pages import page
from web.console.visit import Visit, read_number
from web.sentences import translate_error
from web.work.calls import Reach, find_reach, hang_up, place_call

_PERMISSION: Final = Permission.TASKS_WORK
#: a landline takes no short messages, and calls
_BARRED: Final = """
SELECT a.address, EXISTS (SELECT FROM suppressions s WHERE s.kind = 'phone' AND s.address = a.address
                          AND s.reason <> 'number_fixed') AS suppressed
FROM unnest($1::text[]) WITH ORDINALITY AS a(address, place) ORDER BY a.place
"""
_UNWANTED: Final = (
    "SELECT EXISTS (SELECT FROM consents WHERE contact_id = $1 AND purpose = 'calls' AND state = 'withdrawn')"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the call button of a page offers. `about` are the hidden fields that say where the call is placed from."""

    numbers: tuple[Any, ...]  #: rows with address and suppressed
    about: Mapping[str, int]
    unwanted: bool = False  #: the contact does not want to be called, and this is no matter of theirs


async def offer_call(visit: Visit, **about: int) -> Choice:
    """The numbers that can be called from a `task`, a `conversation` or a `contact`; none where nobody can be."""
    pool = visit.context.pool
    try:
        whom = await find_reach(
            visit.context, visit.person, **{f"{name}_id": number for name, number in about.items()}
        )
    except (NotFound, InvalidInput):
        return Choice((), about)
    rows = await pool.fetch(_BARRED, [number.address for number in whom.numbers])
    if whom.is_matter:
        return Choice(tuple({"address": row["address"], "suppressed": False} for row in rows), about)
    return Choice(tuple(rows), about, await _is_unwanted(visit, whom))


async def _is_unwanted(visit: Visit, whom: Reach) -> bool:
    if whom.contact_id is None:
        return False
    return bool(await visit.context.pool.fetchval(_UNWANTED, whom.contact_id))


@page("POST", "/calls", permission=_PERMISSION)
async def call(visit: Visit) -> web.StreamResponse:
    """Ring this person's phone, then the contact's."""
    about = {
        f"{name}_id": read_number(visit.fields[name], name)
        for name in ("task", "conversation", "contact")
        if visit.fields.get(name)
    }
    for name in ("task_id", "conversation_id"):  # each knows its contact
        if name in about:
            about = {name: about[name]}
    try:
        number = await place_call(
            visit.context, visit.person, **about, address=visit.text("address", longest=100) or None
        )
    except ClytieError as error:
        return await _refused(visit, error)
    if visit.is_fragment:
        return await bar_page(visit)
    return visit.redirect(
        safe_path(visit.fields.get("back", ""), otherwise=f"/calls/{number}"), "call_placed"
    )


@page("POST", "/calls/{id}/hang-up", permission=_PERMISSION)
async def end_call(visit: Visit) -> web.StreamResponse:
    """End a call for both sides."""
    number = visit.number("id")
    try:
        await hang_up(visit.context, visit.person, number)
    except ClytieError as error:
        return await _refused(visit, error)
    if visit.is_fragment:
        return await bar_page(visit)
    return visit.redirect(safe_path(visit.fields.get("back", ""), otherwise=f"/calls/{number}"))


async def _refused(visit: Visit, error: ClytieError) -> web.StreamResponse:
    """Why nothing was done, in the bar; as a page when no script asked."""
    if not visit.is_fragment:
        raise error
    no_phone = isinstance(error, InvalidInput) and error.field == "phone"
    return await bar_page(visit, status=409, problem=translate_error(error), no_phone=no_phone)

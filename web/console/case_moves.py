"""What people do with a case: open it, move it, write its fields, say who has a part in it, put things into it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from domain.errors import ClytieError, Conflict, InvalidInput
from router.cases import changes
from router.cases.belonging import Thing
from router.cases.opening import NewCase, open_case
from router.cases.types import CaseType, FieldKind
from web.access.permissions import Permission
from web.console.cases import case_page
from web.console.pages import page
from web.console.visit import Visit, find_number, read_number
from web.queries.contacts import search_contacts
from web.queries.people import list_teams, list_users
from web.sentences import translate_error
from web.work.cases import case_types, desk_of, note, put, see_case, take_out

_WORK = Permission.CASES_WORK


@page("GET", "/cases/new", permission=_WORK)
async def show_new_case(visit: Visit) -> web.StreamResponse:
    """An empty form; `?contact=`, `?conversation=` and `?kind=` fill it in."""
    query = visit.request.query
    return await _form(visit, {name: query.get(name, "") for name in ("contact", "conversation", "kind")})


@page("POST", "/cases/new", permission=_WORK)
async def make_case(visit: Visit) -> web.StreamResponse:
    """Open it, and put the conversation into it from which it was asked for."""
    fields = visit.fields
    contact, conversation = (
        find_number(fields.get("contact", "")),
        find_number(fields.get("conversation", "")),
    )
    try:
        number = await open_case(
            desk_of(visit.context, visit.person),
            NewCase(
                fields.get("kind", ""),
                visit.text("title"),
                owner_id=find_number(fields.get("owner", "")),
                team_id=find_number(fields.get("team", "")),
                confidential=True if fields.get("confidential") == "yes" else None,
                contacts=((contact, ""),) if contact is not None else (),
            ),
        )
        if conversation is not None:
            await put(visit.context, visit.person, number, Thing.CONVERSATION, conversation)
    except ClytieError as error:
        field = error.field if isinstance(error, InvalidInput) else "title"
        return await _form(visit, dict(fields), {field: translate_error(error)})
    return visit.redirect(f"/cases/{number}", "case_opened")


async def _form(visit: Visit, values: dict[str, str], errors: dict[str, str] | None = None) -> web.Response:
    pool = visit.context.pool
    contact = find_number(values.get("contact", ""))
    name = await pool.fetchval("SELECT name FROM contacts WHERE id = $1", contact) if contact else None
    types = await case_types(visit.context)
    return visit.page(
        "case_form.html",
        status=422 if errors else 200,
        values=values,
        errors=errors or {},
        contact_name=name,
        kinds=[(one.name, one.said(visit.language)) for one in types.values() if one.active],
        owners=[(row["id"], row["name"]) for row in await list_users(pool)],
        teams=[(row["id"], row["name"]) for row in await list_teams(pool)],
    )


Deed = Callable[[Any], Awaitable[Any]]


async def _do(visit: Visit, deed: Deed, notice: str) -> web.StreamResponse:
    """Do it and come back; when somebody else was faster, show kindly how the case stands now."""
    number = visit.number("id")
    found = await see_case(visit.context, visit.person, number)
    try:
        await deed(found)
    except Conflict as error:
        now = await see_case(visit.context, visit.person, number)
        return await case_page(visit, now, status=409, conflict=translate_error(error))
    except InvalidInput as error:
        return await case_page(visit, found, status=422, errors={error.field: translate_error(error)})
    return visit.redirect(f"/cases/{number}", notice)


def _version(visit: Visit) -> int | None:
    return find_number(visit.fields.get("version", ""))


@page("POST", "/cases/{id}/stage", permission=_WORK)
async def move(visit: Visit) -> web.StreamResponse:
    """Another stage."""
    desk, stage = desk_of(visit.context, visit.person), visit.fields.get("stage", "")
    return await _do(
        visit, lambda found: changes.move_case(desk, found["id"], stage, _version(visit)), "case_moved"
    )


@page("POST", "/cases/{id}/close", permission=_WORK)
async def close(visit: Visit) -> web.StreamResponse:
    """Close it where it is."""
    desk = desk_of(visit.context, visit.person)
    return await _do(
        visit, lambda found: changes.close_case(desk, found["id"], _version(visit)), "case_closed"
    )


@page("POST", "/cases/{id}/reopen", permission=_WORK)
async def reopen(visit: Visit) -> web.StreamResponse:
    """Open it again."""
    desk = desk_of(visit.context, visit.person)
    return await _do(
        visit, lambda found: changes.reopen_case(desk, found["id"], _version(visit)), "case_reopened"
    )


@page("POST", "/cases/{id}/change", permission=_WORK)
async def change(visit: Visit) -> web.StreamResponse:
    """Title, owner, team, confidentiality and fields."""
    desk = desk_of(visit.context, visit.person)

    async def deed(found: Any) -> None:
        kind = (await case_types(visit.context)).get(found["kind"])
        given = {
            "title": visit.text("title"),
            "owner_id": find_number(visit.fields.get("owner", "")),
            "team_id": find_number(visit.fields.get("team", "")),
            "confidential": visit.fields.get("confidential") == "yes",
            "fields": _fields(visit, kind),
        }
        await changes.change_case(desk, found["id"], given, _version(visit))

    return await _do(visit, deed, "case_saved")


def _fields(visit: Visit, kind: CaseType | None) -> dict[str, Any]:
    fields = () if kind is None else kind.fields
    return {
        one.name: visit.fields.get(f"fields.{one.name}", "")
        for one in fields
        if f"fields.{one.name}" in visit.fields or one.kind is not FieldKind.YES_NO
    }


@page("POST", "/cases/{id}/contacts", permission=_WORK)
async def change_contacts(visit: Visit) -> web.StreamResponse:
    """Give a contact a part by name or address, or (`remove`) take one out."""
    desk, fields = desk_of(visit.context, visit.person), visit.fields

    async def deed(found: Any) -> None:
        if fields.get("remove"):
            await changes.remove_contact(desk, found["id"], read_number(fields["remove"], "contact_id"))
            return
        words = visit.text("contact", longest=200)
        rows = await search_contacts(visit.context.pool, words) if words else []
        if not rows:
            raise InvalidInput(
                "contact", "nobody is found by these words.", "Write the whole name, or the e-mail address."
            )
        if len(rows) > 1:
            raise InvalidInput(
                "contact", "several contacts are found.", "Write the whole name, or the e-mail address."
            )
        await changes.add_contact(desk, found["id"], rows[0]["id"], fields.get("role", ""))

    return await _do(visit, deed, "case_people")


@page("POST", "/cases/{id}/members", permission=_WORK)
async def change_members(visit: Visit) -> web.StreamResponse:
    """Let a colleague see it, or (`remove`) no more."""
    desk, fields = desk_of(visit.context, visit.person), visit.fields

    async def deed(found: Any) -> None:
        if fields.get("remove"):
            await changes.remove_member(desk, found["id"], read_number(fields["remove"], "user_id"))
        else:
            await changes.add_member(desk, found["id"], read_number(fields.get("user", ""), "user_id"))

    answer = await _do(visit, deed, "case_people")
    if answer.status == 303 and find_number(fields.get("remove", "")) == visit.person.id:
        return visit.redirect("/cases", "case_people")
    return answer


@page("POST", "/cases/{id}/things", permission=_WORK)
async def change_things(visit: Visit) -> web.StreamResponse:
    """Put a conversation or a task into it, or (`out`) take it out."""
    what, _dash, number = visit.fields.get("thing", "").partition("-")
    context, person = visit.context, visit.person

    async def deed(found: Any) -> None:
        if what not in set(Thing):
            raise InvalidInput("thing", "is nothing that belongs to a case.", "Choose one from the list.")
        do = take_out if visit.fields.get("out") == "yes" else put
        await do(context, person, found["id"], Thing(what), read_number(number, "thing"))

    return await _do(visit, deed, "case_things")


@page("POST", "/cases/{id}/notes", permission=_WORK)
async def add_note(visit: Visit) -> web.StreamResponse:
    """Put a note on its timeline."""

    async def deed(found: Any) -> None:
        await note(visit.context, visit.person, found["id"], visit.text("text", longest=20_000))

    return await _do(visit, deed, "note_saved")

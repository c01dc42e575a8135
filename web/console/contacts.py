"""Contacts: search and list; one contact with timeline, consent history, tasks and notes."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from channels.sms.numbers import takes_texts
from contacts.directory import load_contacts
from contacts.marketing_pauses import lift_pauses, list_pauses
from contacts.timeline import PAGE as TIMELINE_PAGE
from contacts.timeline import read_timeline
from domain.consent import Purpose
from domain.contacts import ContactKind, Relation
from domain.errors import ClytieError, InvalidInput, NotFound
from storage.pool import transaction
from web.access.permissions import Permission
from web.console.call_lines import fold_calls, read_spoken
from web.console.dialling import offer_call
from web.console.event_words import describe_event
from web.console.pages import page
from web.console.visit import Visit, find_number
from web.forms import read_model
from web.i18n import N_
from web.queries.cases import list_cases_of_contact
from web.queries.contacts import (
    PAGE,
    list_contacts,
    read_consents,
    read_identities,
    read_ledger,
    search_contacts,
)
from web.queries.conversations import list_conversations_of_contact
from web.queries.people import list_users
from web.queries.tasks import as_viewer, list_tasks_of_contact
from web.sentences import translate_error
from web.words import WORDS
from web.work.cases import case_types
from web.work.contacts import (
    ContactInput,
    change_contact,
    create_contact,
    decide_consent,
    note_contact,
)

NOTE_KINDS: Final = tuple(WORDS["note_kind"])


def write_place(name: str, number: int) -> str:
    """A place in the list, as it stands in a URL."""
    return urlsafe_b64encode(f"{number} {name}".encode()).decode()


def read_place(text: str) -> tuple[str, int]:
    """The place that `write_place` wrote; the beginning for nothing. Raises InvalidInput for anything else."""
    if not text:
        return "", 0
    try:
        number, _space, name = urlsafe_b64decode(text.encode()).decode().partition(" ")
        found = find_number(number)
        if found is None or "\0" in name:
            raise ValueError(text)
        return name, found
    except ValueError as error:
        raise InvalidInput(
            "after", N_("This place in the list does not exist."), N_("Start at the first page.")
        ) from error


@page("GET", "/contacts", permission=Permission.CONTACTS_SEE)
async def show_contacts(visit: Visit) -> web.StreamResponse:
    """The list by name, or what a search finds."""
    query = visit.request.query
    words, relation = query.get("q", "").strip()[:200], query.get("relation", "")
    relation = relation if relation in set(Relation) else ""
    pool = visit.context.pool
    if words:
        rows, following = await search_contacts(pool, words), ""
    else:
        rows = await list_contacts(
            pool, after=read_place(query.get("after", "")), relation=relation or None, limit=PAGE + 1
        )
        following = write_place(rows[PAGE - 1]["sort_name"], rows[PAGE - 1]["id"]) if len(rows) > PAGE else ""
    return visit.page(
        "contacts.html",
        contacts=rows[:PAGE],
        words=words,
        relation=relation,
        relations=[relation.value for relation in Relation],
        following=following,
        first=not query.get("after"),
    )


async def load_one(visit: Visit) -> Mapping[str, Any]:
    """The contact of the path. Raises NotFound."""
    number = visit.number("id")
    found = await load_contacts(visit.context.pool, [number])
    if number not in found:
        raise NotFound(f"There is no contact {number}.")
    return found[number]


@page("GET", "/contacts/new", permission=Permission.CONTACTS_EDIT)
async def show_new_contact(visit: Visit) -> web.StreamResponse:
    """An empty form."""
    number = visit.request.query.get("phone", "")[:30]
    return await _form(visit, None, {"kind": "person", "relation": "prospect", "phone": number})


@page("POST", "/contacts/new", permission=Permission.CONTACTS_EDIT)
async def make_contact(visit: Visit) -> web.StreamResponse:
    """Keep a new contact."""
    try:
        given = read_model(ContactInput, _given(visit))
        number = await create_contact(visit.context, visit.person, given)
    except ClytieError as error:
        return await _form(visit, None, visit.fields, error)
    return visit.redirect(f"/contacts/{number}", "contact_saved")


@page("GET", "/contacts/{id}", permission=Permission.CONTACTS_SEE)
async def show_contact(visit: Visit) -> web.StreamResponse:
    """One contact; `?part=timeline`, `?part=tasks` and `?part=conversations` give only that."""
    contact = await load_one(visit)
    pool, number = visit.context.pool, contact["id"]
    part = visit.request.query.get("part") if visit.is_fragment else None
    values: dict[str, Any] = {"contact": contact}
    if part not in ("tasks", "conversations"):
        before = visit.query_number("before")
        rows = await read_timeline(
            pool, number, viewer=as_viewer(visit.person), before=before, limit=TIMELINE_PAGE + 1
        )
        shown = await fold_calls(pool, rows[:TIMELINE_PAGE])
        values |= {
            "events": [(row, describe_event(row)) for row in shown],
            "spoken": await read_spoken(pool, visit.person, [row["message_id"] for row in shown]),
            "earlier": rows[TIMELINE_PAGE - 1]["id"] if len(rows) > TIMELINE_PAGE else None,
            "before": before,
        }
    if part == "timeline":
        return visit.page("contact_timeline.html", **values)
    values["tasks"] = await list_tasks_of_contact(pool, visit.person, number, visit.now)
    values["conversations"] = (
        await list_conversations_of_contact(pool, visit.person, number)
        if visit.person.may(Permission.CONVERSATIONS_WORK)
        else None
    )
    if part == "conversations":
        return visit.page("contact_conversations.html", **values)
    if part == "tasks":
        return visit.page("contact_tasks.html", **values)
    owners = {row["id"]: row["name"] for row in await list_users(pool)}
    identities = await read_identities(pool, number)
    return visit.page(
        "contact.html",
        identities=identities,
        can_text=visit.person.may(Permission.CONVERSATIONS_WORK)
        and any(one["kind"] == "phone" and takes_texts(one["address"]) for one in identities),
        consents=await read_consents(pool, number),
        pauses=await list_pauses(pool, number, visit.now),
        ledger=await read_ledger(pool, number),
        purposes=[purpose.value for purpose in Purpose],
        note_kinds=NOTE_KINDS,
        owner=owners.get(contact["owner_id"]),
        cases=await list_cases_of_contact(pool, visit.person, number),
        types=await case_types(visit.context),
        language=visit.language,
        choice=await offer_call(visit, contact=number),
        **values,
    )


@page("GET", "/contacts/{id}/edit", permission=Permission.CONTACTS_EDIT)
async def show_edit(visit: Visit) -> web.StreamResponse:
    """The form of a contact."""
    contact = await load_one(visit)
    return await _form(visit, contact, contact)


@page("POST", "/contacts/{id}/edit", permission=Permission.CONTACTS_EDIT)
async def edit_contact(visit: Visit) -> web.StreamResponse:
    """Keep changed fields; each is an event on the timeline."""
    contact = await load_one(visit)
    try:
        await change_contact(
            visit.context, visit.person, contact["id"], read_model(ContactInput, _given(visit))
        )
    except ClytieError as error:
        return await _form(visit, contact, visit.fields, error)
    return visit.redirect(f"/contacts/{contact['id']}", "contact_saved")


def _given(visit: Visit) -> dict[str, Any]:
    names = ContactInput.model_fields.keys() - {"fields"}
    return {name: visit.text(name) or None for name in names if name in visit.fields}


async def _form(
    visit: Visit,
    contact: Mapping[str, Any] | None,
    values: Mapping[str, Any],
    error: ClytieError | None = None,
) -> web.Response:
    errors = {}
    if error is not None:
        errors[error.field if isinstance(error, InvalidInput) else "name"] = translate_error(error)
    return visit.page(
        "contact_form.html",
        status=422 if error else 200,
        contact=contact,
        values={**dict.fromkeys(ContactInput.model_fields), **values},
        errors=errors,
        kinds=[kind.value for kind in ContactKind],
        relations=[relation.value for relation in Relation],
        owners=[(row["id"], row["name"]) for row in await list_users(visit.context.pool)],
    )


@page("POST", "/contacts/{id}/notes", permission=Permission.CONTACTS_EDIT)
async def add_note(visit: Visit) -> web.StreamResponse:
    """Put a note on the timeline."""
    contact = await load_one(visit)
    kind = visit.fields.get("kind", "note")
    await note_contact(
        visit.context,
        visit.person,
        contact["id"],
        kind=kind if kind in NOTE_KINDS else "note",
        text=visit.text("text", longest=20_000),
    )
    return visit.redirect(f"/contacts/{contact['id']}", "note_saved")


@page("POST", "/contacts/{id}/pauses/lift", permission=Permission.CONTACTS_EDIT)
async def lift_pause(visit: Visit) -> web.StreamResponse:
    """Send campaigns to the contact again."""
    contact = await load_one(visit)
    async with transaction(visit.context.pool) as connection:
        await lift_pauses(connection, contact["id"], actor_id=visit.person.id, now=visit.now)
    visit.context.announcer.touch()
    return visit.redirect(f"/contacts/{contact['id']}#consents", "pause_lifted")


@page("POST", "/contacts/{id}/consents", permission=Permission.CONSENTS_EDIT)
async def change_consent(visit: Visit) -> web.StreamResponse:
    """Write a consent or a withdrawal into the history."""
    contact = await load_one(visit)
    state = "withdrawn" if visit.fields.get("state") == "withdrawn" else "granted"
    await decide_consent(
        visit.context,
        visit.person,
        contact["id"],
        purpose=visit.fields.get("purpose", ""),
        granted=state == "granted",
        wording=visit.text("wording", longest=2000),
    )
    return visit.redirect(f"/contacts/{contact['id']}#consents", f"consent_{state}")

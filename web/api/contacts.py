"""Contacts, their events and their consents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contacts.directory import load_contacts
from contacts.timeline import read_timeline
from domain.consent import Purpose
from domain.contacts import ContactKind, Relation
from domain.errors import NotFound
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.console.contacts import read_place, write_place
from web.console.event_words import describe_event
from web.queries.contacts import list_contacts, read_consents, read_ledger, search_contacts
from web.queries.tasks import as_viewer
from web.work.contacts import ContactInput, change_contact, create_contact, decide_consent, note_contact


class ContactModel(BaseModel):
    """A contact."""

    id: int
    kind: ContactKind
    name: str
    given_name: str | None
    family_name: str | None
    organisation: str | None
    relation: Relation
    country: str | None
    language: str | None
    timezone: str | None
    owner_id: int | None
    email: str | None = Field(description="The first e-mail address.")
    phone: str | None = Field(description="The first phone number.")
    fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class ContactPage(BaseModel):
    """Some contacts, by name."""

    items: list[ContactModel]
    next: str | None


class ContactQuery(PageQuery):
    """Which contacts."""

    search: str = Field(
        "", max_length=200, description="A name, an organisation, an e-mail address or a phone number."
    )
    relation: Relation | None = None


async def find_contact(call: Call) -> Mapping[str, Any]:
    """The contact of the path. Raises NotFound."""
    number = call.number()
    found = await load_contacts(call.context.pool, [number])
    if number not in found:
        raise NotFound(f"There is no contact {number}.")
    return found[number]


@route(
    "GET",
    "/contacts",
    summary="List or search contacts",
    permission=Permission.CONTACTS_SEE,
    query=ContactQuery,
    answer=ContactPage,
)
async def list_contacts_page(call: Call) -> ContactPage:
    """By name; a search gives its best finds, without further pages."""
    query: ContactQuery = call.query
    pool = call.context.pool
    if query.search.strip():
        rows, following = await search_contacts(pool, query.search, query.limit), None
    else:
        relation = query.relation.value if query.relation else None
        rows = await list_contacts(
            pool, after=read_place(query.after or ""), relation=relation, limit=query.limit + 1
        )
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        following = write_place(last["sort_name"], last["id"]) if last else None
    ids = [row["id"] for row in rows[: query.limit]]
    found = await load_contacts(pool, ids)
    return ContactPage(
        items=[ContactModel.model_validate(dict(found[number])) for number in ids if number in found],
        next=following,
    )


@route(
    "POST",
    "/contacts",
    summary="Make a contact",
    permission=Permission.CONTACTS_EDIT,
    body=ContactInput,
    answer=ContactModel,
    status=201,
)
async def post_contact(call: Call) -> ContactModel:
    """409 when an address is another contact's."""
    number = await create_contact(call.context, call.person, call.body)
    return ContactModel.model_validate(dict((await load_contacts(call.context.pool, [number]))[number]))


@route(
    "GET", "/contacts/{id}", summary="One contact", permission=Permission.CONTACTS_SEE, answer=ContactModel
)
async def get_contact(call: Call) -> ContactModel:
    """The id of a merged contact gives the one it lives on in."""
    return ContactModel.model_validate(dict(await find_contact(call)))


@route(
    "PATCH",
    "/contacts/{id}",
    summary="Change a contact",
    permission=Permission.CONTACTS_EDIT,
    body=ContactInput,
    answer=ContactModel,
)
async def patch_contact(call: Call) -> ContactModel:
    """What is left out stays; each change is an event."""
    contact = await find_contact(call)
    await change_contact(call.context, call.person, contact["id"], call.body)
    return await get_contact(call)


# Events -----------------------------------------------------------------------------------------------------------


class EventModel(BaseModel):
    """Something that happened to a contact."""

    id: int
    type: str
    occurred_at: datetime
    sentence: str = Field(description="The event in words, in the language asked for.")
    campaign_id: int | None
    task_id: int | None
    message_id: int | None
    verdict: str | None = Field(description="Of hits: human, machine or unsure.")
    data: dict[str, Any]
    text: str | None


class EventPage(BaseModel):
    """Some events, latest first."""

    items: list[EventModel]
    next: str | None


class NoteInput(BaseModel):
    """A note by hand."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field("note", pattern="^(call|meeting|letter|fax|chat|visit|note)$")
    text: str = Field(min_length=1, max_length=20_000)


@route(
    "GET",
    "/contacts/{id}/events",
    summary="A contact's timeline",
    permission=Permission.CONTACTS_SEE,
    query=PageQuery,
    answer=EventPage,
)
async def list_events(call: Call) -> EventPage:
    """Latest first; what belongs to other people's confidential cases is left out, and what tasks of others say."""
    contact, query = await find_contact(call), call.query
    rows = await read_timeline(
        call.context.pool,
        contact["id"],
        viewer=as_viewer(call.person),
        before=after_id(query),
        limit=query.limit + 1,
    )
    items = [
        EventModel(
            id=row["id"],
            type=row["type"],
            occurred_at=row["occurred_at"],
            sentence=describe_event(row).sentence,
            campaign_id=row["campaign_id"],
            task_id=row["task_id"],
            message_id=row["message_id"],
            verdict=row["verdict"],
            data=row["data"] or {},
            text=row["body"],
        )
        for row in rows[: query.limit]
    ]
    return EventPage(items=items, next=next_id([row["id"] for row in rows], query.limit))


@route(
    "POST",
    "/contacts/{id}/notes",
    summary="Put a note on the timeline",
    permission=Permission.CONTACTS_EDIT,
    body=NoteInput,
)
async def post_note(call: Call) -> None:
    """The words lie apart from the event, so that they can be erased."""
    contact = await find_contact(call)
    await note_contact(
        call.context, call.person, contact["id"], kind=call.body.kind, text=call.body.text.strip()
    )


# Consents ---------------------------------------------------------------------------------------------------------


class ConsentLine(BaseModel):
    """One line of the consent history."""

    purpose: Purpose
    state: str
    wording: str
    source: str
    occurred_at: datetime


class ConsentStanding(BaseModel):
    """How a consent stands."""

    state: str
    since: datetime


class Consents(BaseModel):
    """What a contact allowed: how it stands, and the history, latest first."""

    standing: dict[Purpose, ConsentStanding]
    history: list[ConsentLine]


class ConsentInput(BaseModel):
    """A consent or withdrawal that the contact declared."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    granted: bool
    wording: str = Field(min_length=1, max_length=2000, description="What was said, word for word.")


@route(
    "GET",
    "/contacts/{id}/consents",
    summary="What a contact allowed",
    permission=Permission.CONTACTS_SEE,
    answer=Consents,
)
async def get_consents(call: Call) -> Consents:
    """How it stands, and the history."""
    contact = await find_contact(call)
    pool, number = call.context.pool, contact["id"]
    standing = await read_consents(pool, number)
    return Consents.model_validate(
        {
            "standing": {purpose: dict(row) for purpose, row in standing.items()},
            "history": [dict(row) for row in await read_ledger(pool, number)],
        }
    )


@route(
    "POST",
    "/contacts/{id}/consents",
    summary="Write a consent or a withdrawal down",
    permission=Permission.CONSENTS_EDIT,
    body=ConsentInput,
    answer=Consents,
    status=201,
)
async def post_consent(call: Call) -> Consents:
    """A line in the history; a withdrawal also works on mail already sent."""
    contact = await find_contact(call)
    given: ConsentInput = call.body
    await decide_consent(
        call.context,
        call.person,
        contact["id"],
        purpose=given.purpose.value,
        granted=given.granted,
        wording=given.wording,
    )
    return await get_consents(call)

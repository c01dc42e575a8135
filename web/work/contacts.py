"""Contacts as people and programs write them: make one, change it, note something, write down a consent.

Each change is an event on the contact's timeline, in the transaction that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contacts.addresses import read_mail_address, read_phone
from contacts.consent import grant, withdraw
from contacts.directory import load_contacts
from contacts.notes import add_note
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.contacts import ContactKind, Relation
from domain.errors import Conflict, InvalidInput, NotFound
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Connection, transaction
from web.access.people import Person
from web.context import WebContext
from web.i18n import N_

_Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
_COLUMNS: Final = (
    "kind",
    "name",
    "given_name",
    "family_name",
    "organisation",
    "relation",
    "country",
    "language",
    "timezone",
    "owner_id",
    "fields",
)
_INSERT: Final = """
INSERT INTO contacts (kind, name, given_name, family_name, organisation, relation, country, language, timezone,
                      owner_id, fields)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id
"""
_LOCK: Final = """
SELECT id FROM contacts
WHERE id = coalesce((SELECT contact_id FROM contact_aliases WHERE old_id = $1), $1) FOR UPDATE
"""
_UPDATE: Final = "UPDATE contacts SET {}, updated_at = now() WHERE id = $1 RETURNING id"
_IDENTITY: Final = """
INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING id
"""
_WHOSE: Final = "SELECT contact_id FROM identities WHERE kind = $1 AND address = $2"
_DROP: Final = "DELETE FROM identities WHERE contact_id = $1 AND kind = $2 AND address = $3"
_OWNER: Final = "SELECT EXISTS (SELECT FROM users WHERE id = $1 AND active)"


class ContactInput(BaseModel):
    """A contact as it is written down; in a change, what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    kind: ContactKind = ContactKind.PERSON
    name: _Short | None = Field(None, description="Made from given and family name when left out.")
    given_name: _Short | None = None
    family_name: _Short | None = None
    organisation: _Short | None = None
    relation: Relation = Relation.OTHER
    country: Annotated[str, StringConstraints(pattern="^[A-Za-z]{2}$", to_upper=True)] | None = Field(
        None, description="ISO 3166-1 alpha-2, such as FR."
    )
    language: Annotated[str, StringConstraints(pattern="^[A-Za-z]{2}$", to_lower=True)] | None = Field(
        None, description="ISO 639-1, such as fr."
    )
    timezone: Annotated[str, StringConstraints(max_length=64)] | None = Field(None, description="IANA name.")
    owner_id: int | None = None
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    phone: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        None, description="With the country's code."
    )
    fields: dict[str, Any] = Field(default_factory=dict, description="Fields of your own.")


async def create_contact(context: WebContext, person: Person, given: ContactInput) -> int:
    """Keep a new contact; gives its id. Raises InvalidInput, Conflict when an address is somebody's already."""
    values = _complete(given.model_dump(), {})
    async with transaction(context.pool) as connection:
        await _check_owner(connection, values["owner_id"])
        number: int = await connection.fetchval(_INSERT, *[values[name] for name in _COLUMNS])
        for kind, address, written in _addresses(given):
            await _keep_address(connection, number, kind, address, written)
        await record(
            connection,
            [_changed(context, person, number, "contact", None, "created")],
        )
    context.announcer.touch()
    return number


async def change_contact(context: WebContext, person: Person, contact_id: int, changes: ContactInput) -> None:
    """Change the fields that were set, of this contact or the one it was merged into.

    Raises NotFound, InvalidInput, Conflict.
    """
    asked = changes.model_dump(include=changes.model_fields_set)
    async with transaction(context.pool) as connection:
        contact_id, found = await _load_locked(connection, contact_id)
        values = _complete(asked, found)
        changed = [name for name in _COLUMNS if values[name] != found[name]]
        if "owner_id" in changed:
            await _check_owner(connection, values["owner_id"])
        await _write(connection, contact_id, {name: values[name] for name in changed})
        events = [_changed(context, person, contact_id, name, found[name], values[name]) for name in changed]
        for kind, address, written in _addresses(changes):
            column = "email" if kind == "mail" else "phone"
            if address != found[column]:
                await _keep_address(connection, contact_id, kind, address, written)
                if found[column]:
                    await connection.execute(_DROP, contact_id, kind, found[column])
                events.append(_changed(context, person, contact_id, column, found[column], address))
        await record(connection, events)
    context.announcer.touch()


async def _load_locked(connection: Connection, asked_id: int) -> tuple[int, Mapping[str, Any]]:
    """The contact as it is once nobody else changes it; stays so until the end of the transaction."""
    contact_id = await connection.fetchval(_LOCK, asked_id)
    found = (await load_contacts(connection, [contact_id])).get(contact_id) if contact_id else None
    if found is None:
        raise NotFound(f"There is no contact {asked_id}.")
    return contact_id, found


async def _write(connection: Connection, contact_id: int, values: Mapping[str, Any]) -> None:
    if not values:
        return
    columns = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 2))  # names of _COLUMNS
    if await connection.fetchval(_UPDATE.format(columns), contact_id, *values.values()) is None:
        raise NotFound(f"There is no contact {contact_id}.")


def _complete(asked: dict[str, Any], known: Any) -> dict[str, Any]:
    defaults = {"kind": "person", "relation": "other", "fields": {}}
    values = {name: asked.get(name, known[name] if known else defaults.get(name)) for name in _COLUMNS}
    values["fields"] = {**(known["fields"] if known else {}), **(asked.get("fields") or {})}
    for name in ("kind", "relation"):
        values[name] = getattr(values[name], "value", values[name])
    if not values["name"]:
        values["name"] = (
            " ".join(filter(None, (values["given_name"], values["family_name"]))) or values["organisation"]
        )
    if not values["name"]:
        raise InvalidInput("name", N_("The name is missing."), N_("Write a name, or given and family name."))
    return values


def _addresses(given: ContactInput) -> list[tuple[Literal["mail", "phone"], str, str]]:
    found: list[tuple[Literal["mail", "phone"], str, str]] = []
    if given.email:
        found.append(("mail", read_mail_address(given.email.strip()), given.email))
    if given.phone:
        found.append(("phone", read_phone(given.phone, given.country), given.phone))
    return found


async def _keep_address(connection: Connection, contact_id: int, kind: str, address: str, given: str) -> None:
    if await connection.fetchval(_IDENTITY, contact_id, kind, address, given) is None:
        whose = await connection.fetchval(_WHOSE, kind, address)
        if whose != contact_id:
            raise Conflict(f"{given} belongs to contact {whose} already; change that one instead.")


async def _check_owner(connection: Connection, owner_id: int | None) -> None:
    if owner_id is not None and not await connection.fetchval(_OWNER, owner_id):
        raise InvalidInput("owner_id", N_("Nobody active has this number."), N_("Choose another person."))


def _changed(
    context: WebContext, person: Person, contact_id: int, field: str, old: Any, new: Any
) -> NewEvent:
    return NewEvent(
        EventType.CHANGED,
        context.clock.now(),
        contact_id=contact_id,
        actor_id=person.id,
        data={"field": field, "old": old, "new": new},
    )


async def note_contact(context: WebContext, person: Person, contact_id: int, *, kind: str, text: str) -> None:
    """Put a note on the timeline; its words lie apart from the event, so that they can be erased."""
    async with transaction(context.pool) as connection:
        await add_note(
            connection, contact_id, kind=kind, body=text, occurred_at=context.clock.now(), actor_id=person.id
        )
    context.announcer.touch()


async def decide_consent(
    context: WebContext, person: Person, contact_id: int, *, purpose: str, granted: bool, wording: str
) -> None:
    """Write a consent or a withdrawal into the history. Raises InvalidInput."""
    if purpose not in set(Purpose):
        raise InvalidInput("purpose", N_("This purpose is not known."), N_("Choose one from the list."))
    if granted and not wording:
        raise InvalidInput(
            "wording", N_("The wording is missing."), N_("Write what was said, word for word.")
        )
    state = ConsentState.GRANTED if granted else ConsentState.WITHDRAWN
    source = f"console: {person.name}"
    entry = ConsentEntry(contact_id, Purpose(purpose), state, wording, source, context.clock.now())
    async with transaction(context.pool) as connection:
        await (grant if granted else withdraw)(connection, [entry], actor_id=person.id)
    context.announcer.touch()

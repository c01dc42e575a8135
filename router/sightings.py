"""An event as the router sees it, with the facts that rules may ask about, loaded for many events at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.events import EventType
from domain.predicates import Facts
from router.rulebook import CompiledRule
from storage.pool import Connection

_NOTHING: Final[Mapping[str, Any]] = {}
_NO_FACTS: Final[tuple[Mapping[str, Any], ...]] = ()

#: what a query over `events e` and `hits h` gives for one event
EVENT_COLUMNS: Final = """
e.id, e.recorded_at, e.type, e.occurred_at, e.contact_id, e.message_id, e.campaign_id, e.conversation_id, e.case_id,
e.task_id, e.actor_id, e.data, h.event_id AS hit, h.verdict, h.link_no, h.judged_at IS NOT NULL AS judged,
h.settle_at - clock_timestamp() AS settles_in
"""
_EVENTS: Final = f"""
SELECT {EVENT_COLUMNS}
FROM unnest($1::bigint[], $2::timestamptz[]) AS wanted (id, recorded_at)
JOIN events e ON e.id = wanted.id AND e.recorded_at = wanted.recorded_at
LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at
WHERE e.recorded_at BETWEEN $3 AND $4
"""
_CAMPAIGNS: Final = "SELECT id, name, channel, purpose, launched_at FROM campaigns WHERE id = ANY ($1::int[])"
_CONTACTS: Final = """
SELECT asked.id AS asked_id, c.id, c.kind, c.name, c.given_name, c.family_name, c.organisation, c.relation, c.country,
       c.language, c.timezone, c.owner_id, c.fields, c.created_at, c.updated_at
FROM unnest($1::bigint[]) AS asked (id)
LEFT JOIN contact_aliases a ON a.old_id = asked.id
JOIN contacts c ON c.id = coalesce(a.contact_id, asked.id)
"""
_ADDRESSES: Final = """
SELECT DISTINCT ON (contact_id, kind) contact_id, kind, address FROM identities
WHERE contact_id = ANY ($1::bigint[]) ORDER BY contact_id, kind, id
"""
_MESSAGES: Final = """
SELECT id, direction, channel, tracking_level, created_at FROM messages WHERE id = ANY ($1::bigint[])
"""
_CONSENTS: Final = """
SELECT contact_id, purpose FROM consents WHERE contact_id = ANY ($1::bigint[]) AND state = 'granted'
"""
_HISTORY: Final = f"""
WITH person AS (
    SELECT id, id AS known_as FROM unnest($1::bigint[]) AS asked (id)
    UNION ALL
    SELECT contact_id, old_id FROM contact_aliases WHERE contact_id = ANY ($1::bigint[])
)
SELECT person.id AS person, {EVENT_COLUMNS}
FROM person
JOIN events e ON e.contact_id = person.known_as
LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at
WHERE e.type = ANY ($2::text[]) AND ($3::timestamptz IS NULL OR e.occurred_at >= $3)
"""


@dataclass(slots=True)
class Sighting:
    """One event to route. `contact_id` is the contact's present id, whatever it was merged into.

    `judged` tells whether the hit's verdict stands (true for what is no hit), `settles_in` how long its settle window
    still lasts in real time.
    """

    id: int
    recorded_at: datetime
    type: str
    occurred_at: datetime
    contact_id: int | None
    campaign_id: int | None
    conversation_id: int | None
    message_id: int | None
    depth: int
    judged: bool
    settles_in: timedelta
    event: Mapping[str, Any]
    campaign: Mapping[str, Any] | None = None
    contact: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] | None = None
    consents: frozenset[str] = frozenset()
    history: Sequence[Mapping[str, Any]] = _NO_FACTS

    @property
    def verdict(self) -> str | None:
        """Who was behind the hit; None for what is no hit."""
        verdict: str | None = self.event.get("verdict")
        return verdict

    def facts(self, now: datetime) -> Facts:
        """What predicates look at."""
        return Facts(self.contact, self.event, self.message, self.campaign, self.consents, self.history, now)


def read_sighting(row: Any) -> Sighting:
    """A sighting from a row of EVENT_COLUMNS."""
    event = _read_event(row)
    depth = event.get("depth")
    return Sighting(
        id=row["id"],
        recorded_at=row["recorded_at"],
        type=row["type"],
        occurred_at=row["occurred_at"],
        contact_id=row["contact_id"],
        campaign_id=row["campaign_id"],
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        depth=depth if isinstance(depth, int) else 0,
        judged=row["hit"] is None or row["judged"],
        settles_in=row["settles_in"] or timedelta(),
        event=event,
    )


def _read_event(row: Any) -> dict[str, Any]:
    event: dict[str, Any] = dict(row["data"]) if row["data"] else {}
    for name in (
        "id",
        "type",
        "occurred_at",
        "message_id",
        "campaign_id",
        "conversation_id",
        "case_id",
        "task_id",
    ):
        event[name] = row[name]
    event["actor_id"] = row["actor_id"]
    if row["hit"] is not None:
        event["verdict"] = row["verdict"]
        event["link_no"] = row["link_no"]
    return event


async def load_sightings(
    connection: Connection, ids: Sequence[int], recorded: Sequence[datetime]
) -> dict[int, Sighting]:
    """The events with these ids and times of recording, by id; those that are gone are left out."""
    if not ids:
        return {}
    rows = await connection.fetch(_EVENTS, ids, recorded, min(recorded), max(recorded))
    return {row["id"]: read_sighting(row) for row in rows}


async def load_campaigns(connection: Connection, sightings: Iterable[Sighting]) -> None:
    """Give each sighting the facts of its campaign."""
    wanted = [sighting for sighting in sightings if sighting.campaign_id is not None]
    if not wanted:
        return
    ids = list({sighting.campaign_id for sighting in wanted})
    found = {row["id"]: dict(row) for row in await connection.fetch(_CAMPAIGNS, ids)}
    for sighting in wanted:
        sighting.campaign = found.get(sighting.campaign_id)


Asked = Sequence[tuple[Sighting, Sequence[CompiledRule]]]
"""Sightings, each with the rules that will be asked about it."""


async def load_facts(connection: Connection, asked: Asked, now: datetime) -> None:
    """Load what these rules ask about: contacts always; addresses, messages, consents and history where needed."""
    await _load_contacts(connection, asked)
    await _load_messages(connection, asked)
    await _load_consents(connection, asked)
    await _load_history(connection, asked, now)


async def _load_contacts(connection: Connection, asked: Asked) -> None:
    ids = list({sighting.contact_id for sighting, _ in asked if sighting.contact_id is not None})
    if not ids:
        return
    contacts: dict[int, dict[str, Any]] = {}
    for row in await connection.fetch(_CONTACTS, ids):
        contact = dict(row)
        contacts[contact.pop("asked_id")] = contact
    reached = {
        contacts[sighting.contact_id]["id"]
        for sighting, rules in asked
        if sighting.contact_id in contacts
        and any(rule.asks("contact.email", "contact.phone") for rule in rules)
    }
    if reached:
        keys = {"mail": "email", "phone": "phone"}
        addresses: dict[int, dict[str, str]] = {}
        for row in await connection.fetch(_ADDRESSES, list(reached)):
            if row["kind"] in keys:
                addresses.setdefault(row["contact_id"], {})[keys[row["kind"]]] = row["address"]
        for contact in contacts.values():
            contact.update(addresses.get(contact["id"], _NOTHING))
    for sighting, _ in asked:
        if sighting.contact_id in contacts:
            sighting.contact = contacts[sighting.contact_id]
            sighting.contact_id = sighting.contact["id"]


async def _load_messages(connection: Connection, asked: Asked) -> None:
    wanted = [
        sighting
        for sighting, rules in asked
        if sighting.message_id is not None and any(rule.asks("message.") for rule in rules)
    ]
    if wanted:
        ids = list({sighting.message_id for sighting in wanted})
        found = {row["id"]: dict(row) for row in await connection.fetch(_MESSAGES, ids)}
        for sighting in wanted:
            sighting.message = found.get(sighting.message_id)


async def _load_consents(connection: Connection, asked: Asked) -> None:
    wanted = [
        sighting
        for sighting, rules in asked
        if sighting.contact_id is not None and any(rule.asks_consent for rule in rules)
    ]
    if wanted:
        ids = list({sighting.contact_id for sighting in wanted})
        granted: dict[int, set[str]] = {}
        for row in await connection.fetch(_CONSENTS, ids):
            granted.setdefault(row["contact_id"], set()).add(row["purpose"])
        for sighting in wanted:
            sighting.consents = frozenset(granted.get(sighting.contact_id or 0, ()))


async def _load_history(connection: Connection, asked: Asked, now: datetime) -> None:
    wanted = [
        sighting
        for sighting, rules in asked
        if sighting.contact_id is not None and any(rule.history for rule in rules)
    ]
    if not wanted:
        return
    rules = {rule.id: rule for _, rules in asked for rule in rules if rule.history}.values()
    types = {kind.value for rule in rules for kind in rule.history}
    reaches = [rule.history_reach for rule in rules]
    since = None if None in reaches else now - max(reach for reach in reaches if reach is not None)
    ids = list({sighting.contact_id for sighting in wanted})
    by_person: dict[int, list[dict[str, Any]]] = {}
    for row in await connection.fetch(_HISTORY, ids, list(types), since):
        by_person.setdefault(row["person"], []).append(_read_event(row))
    await _load_origins(connection, by_person, any(rule.asks("message.", "campaign.") for rule in rules))
    for sighting in wanted:
        sighting.history = by_person.get(sighting.contact_id or 0, [])


async def _load_origins(
    connection: Connection, by_person: Mapping[int, list[dict[str, Any]]], needed: bool
) -> None:
    """Give past events their message and campaign, which the `where` of a `did` may ask about."""
    events = [event for events in by_person.values() for event in events] if needed else []
    messages = list({event["message_id"] for event in events if event["message_id"] is not None})
    campaigns = list({event["campaign_id"] for event in events if event["campaign_id"] is not None})
    if messages:
        found = {row["id"]: dict(row) for row in await connection.fetch(_MESSAGES, messages)}
        for event in events:
            event["message"] = found.get(event["message_id"])
    if campaigns:
        found = {row["id"]: dict(row) for row in await connection.fetch(_CAMPAIGNS, campaigns)}
        for event in events:
            event["campaign"] = found.get(event["campaign_id"])


#: the type that a string names, for rules ask by type
TYPES: Final = {kind.value: kind for kind in EventType}

"""An event as the router sees it, with the facts that rules may ask about, loaded for many events at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from contacts.directory import load_contacts
from contacts.history import load_consents, load_history
from domain.events import ENGAGEMENT, EventType
from domain.predicates import Facts
from router.rulebook import CompiledRule
from storage.pool import Connection

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
_MESSAGES: Final = """
SELECT id, direction, channel, tracking_level, created_at FROM messages WHERE id = ANY ($1::bigint[])
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

    @property
    def stands(self) -> bool:
        """Whether this is a hit whose verdict was given, so that it may be here because that verdict changed."""
        return self.judged and self.verdict is not None

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
    """Load what these rules ask about: contacts always; addresses, messages and history where needed.

    Consents also come with every hit, for a hit counts only while its person allows measuring.
    """
    await _load_contacts(connection, asked)
    await _load_messages(connection, asked)
    await _load_consents(connection, asked)
    await _load_history(connection, asked, now)


async def _load_contacts(connection: Connection, asked: Asked) -> None:
    ids = {sighting.contact_id for sighting, _ in asked if sighting.contact_id is not None}
    if not ids:
        return
    contacts = await load_contacts(connection, ids)
    for sighting, _ in asked:
        if sighting.contact_id in contacts:
            sighting.contact = contacts[sighting.contact_id]
            sighting.contact_id = sighting.contact["id"]


async def _load_messages(connection: Connection, asked: Asked) -> None:
    wanted = [
        sighting
        for sighting, rules in asked
        if sighting.message_id is not None and any(rule.asks_message for rule in rules)
    ]
    if wanted:
        ids = list({sighting.message_id for sighting in wanted})
        found = {row["id"]: dict(row) for row in await connection.fetch(_MESSAGES, ids)}
        for sighting in wanted:
            sighting.message = found.get(sighting.message_id)


async def _load_consents(connection: Connection, asked: Asked) -> None:
    wanted = _about_people(asked, lambda rule: rule.asks_consent, also=ENGAGEMENT)
    if wanted:
        consents = await load_consents(connection, wanted.keys())
        for id, sightings in wanted.items():
            for sighting in sightings:
                sighting.consents = consents[id]


async def _load_history(connection: Connection, asked: Asked, now: datetime) -> None:
    wanted = _about_people(asked, lambda rule: bool(rule.history))
    if not wanted:
        return
    rules = {rule.id: rule for _, rules in asked for rule in rules if rule.history}.values()
    reaches = [rule.history_reach for rule in rules]
    history = await load_history(
        connection,
        wanted.keys(),
        {kind for rule in rules for kind in rule.history},
        since=None if None in reaches else now - max(reach for reach in reaches if reach is not None),
        surroundings=any(rule.asks_origin for rule in rules),
    )
    for id, sightings in wanted.items():
        for sighting in sightings:
            sighting.history = history[id]


def _about_people(
    asked: Asked, needs: Callable[[CompiledRule], bool], *, also: Collection[EventType] = ()
) -> dict[int, list[Sighting]]:
    """The sightings of each contact about which some rule asks what it `needs`, and those of the types `also`."""
    wanted: dict[int, list[Sighting]] = {}
    for sighting, rules in asked:
        if sighting.contact_id is None:
            continue
        if TYPES[sighting.type] in also or any(needs(rule) for rule in rules):
            wanted.setdefault(sighting.contact_id, []).append(sighting)
    return wanted


#: the type that a string names, for rules ask by type
TYPES: Final = {kind.value: kind for kind in EventType}

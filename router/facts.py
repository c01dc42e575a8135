"""What rules ask about events, loaded for many at once: the contact, what surrounds the event, consents, history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from contacts.directory import load_contacts
from contacts.history import load_consents, load_history
from domain.events import ENGAGEMENT, EventType
from router.rulebook import CompiledRule
from router.settings import RouterSettings
from router.sightings import TYPES, Sighting
from router.staff import load_staff
from storage.pool import Connection

_MESSAGES: Final = """
SELECT id, direction, channel, tracking_level, created_at FROM messages WHERE id = ANY ($1::bigint[])
"""
_CONVERSATIONS: Final = """
SELECT v.id, v.state, q.name AS queue, v.channel, v.subject, v.priority, v.tags, v.assignee_id, v.created_at,
       (SELECT count(*) FROM messages m WHERE m.conversation_id = v.id) AS messages
FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id WHERE v.id = ANY ($1::bigint[])
"""
_CONTENTS: Final = """
SELECT c.message_id AS id, c.subject, c.new_text AS text, c.body, c.language, c.files_text,
       (SELECT p.address FROM message_parties p WHERE p.message_id = c.message_id AND p.part = 'from'
        ORDER BY p.no LIMIT 1) AS sender,
       ARRAY(SELECT p.address FROM message_parties p WHERE p.message_id = c.message_id AND p.part IN ('to', 'cc')
             ORDER BY p.part DESC, p.no) AS recipients,
       ARRAY(SELECT a.name FROM attachments a WHERE a.message_id = c.message_id ORDER BY a.no) AS file_names,
       ARRAY(SELECT a.media_type FROM attachments a WHERE a.message_id = c.message_id ORDER BY a.no) AS file_types,
       f.forwarded ->> 'address' AS forwarded_from, f.headers
FROM message_contents c LEFT JOIN mail_facts f ON f.message_id = c.message_id
WHERE c.message_id = ANY ($1::bigint[])
"""
_CASES: Final = """
SELECT id, kind, state, stage, title, owner_id, created_at, fields FROM cases WHERE id = ANY ($1::bigint[])
"""
_TASKS: Final = """
SELECT id, kind, state, priority, title, assignee_id, decide_by, due FROM tasks WHERE id = ANY ($1::bigint[])
"""
_SURROUNDINGS: Final[Mapping[str, tuple[str, Callable[[Sighting], int | None]]]] = {
    "conversation": (_CONVERSATIONS, lambda sighting: sighting.conversation_id),
    "content": (_CONTENTS, lambda sighting: sighting.message_id),
    "case": (_CASES, lambda sighting: sighting.case_id),
    "task": (_TASKS, lambda sighting: sighting.task_id),
}

Asked = Sequence[tuple[Sighting, Sequence[CompiledRule]]]
"""Sightings, each with the rules that will be asked about it."""


@dataclass(slots=True)
class Histories:
    """Whole histories of contacts, remembered while a long past is played; forgotten when they grow too many."""

    types: frozenset[EventType]
    surroundings: bool
    most: int = 1_500_000  #: events, some 300 bytes each
    _known: dict[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    _count: int = 0

    async def load(self, connection: Connection, asked: Asked) -> None:
        """Give each sighting whose rules ask for it the history of its contact."""
        wanted = _about_people(asked, lambda rule: bool(rule.history))
        missing = [id for id in wanted if id not in self._known]
        if self._count > self.most:
            self._known.clear()
            self._count, missing = 0, list(wanted)
        if missing:
            fresh = await load_history(connection, missing, self.types, surroundings=self.surroundings)
            self._known.update(fresh)
            self._count += sum(map(len, fresh.values()))
        for id, sightings in wanted.items():
            for sighting in sightings:
                sighting.history = self._known[id]


async def load_facts(
    connection: Connection,
    asked: Asked,
    now: datetime,
    settings: RouterSettings,
    *,
    histories: Histories | None = None,
) -> None:
    """Load what these rules ask about: contacts always; messages, conversations, history and the rest where needed.

    Consents also come with every hit, for a hit counts only while its person allows measuring. With `histories` the
    past of a contact is loaded whole and remembered, for events that lie far apart.
    """
    await _load_contacts(connection, asked)
    await _load_messages(connection, asked)
    await _load_surroundings(connection, asked)
    await _load_working_time(connection, asked, now, settings)
    await _load_consents(connection, asked)
    if histories is None:
        await _load_history(connection, asked, now)
    else:
        await histories.load(connection, asked)


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
    if not any("message" in rule.asks for rule in _rules_of(asked)):
        return
    wanted = [
        sighting
        for sighting, rules in asked
        if sighting.message_id is not None and any("message" in rule.asks for rule in rules)
    ]
    if wanted:
        ids = list({sighting.message_id for sighting in wanted})
        found = {row["id"]: dict(row) for row in await connection.fetch(_MESSAGES, ids)}
        for sighting in wanted:
            sighting.message = found.get(sighting.message_id)


async def _load_surroundings(connection: Connection, asked: Asked) -> None:
    """Conversation, content, case and task of the events whose rules ask for them."""
    asks = frozenset[str]().union(*(rule.asks for rule in _rules_of(asked)))
    for room, (statement, id_of) in _SURROUNDINGS.items():
        if room not in asks:
            continue
        wanted = [
            (id_of(sighting), sighting)
            for sighting, rules in asked
            if any(room in rule.asks for rule in rules)
        ]
        ids = list({id for id, _ in wanted if id is not None})
        if not ids:
            continue
        found = {row["id"]: dict(row) for row in await connection.fetch(statement, ids)}
        for id, sighting in wanted:
            setattr(sighting, room, found.get(id))


def _rules_of(asked: Asked) -> list[CompiledRule]:
    """Each rule that is asked, once."""
    lists = {id(rules): rules for _, rules in asked}
    return list({id(rule): rule for rules in lists.values() for rule in rules}.values())


async def _load_working_time(
    connection: Connection, asked: Asked, now: datetime, settings: RouterSettings
) -> None:
    """Which of the teams that rules ask for work now. A team that is gone never does."""
    names = {team for rule in _rules_of(asked) for team in rule.teams}
    if not names:
        return
    staff = await load_staff(connection, settings, names=names)
    working = {name for name, team in staff.teams.items() if team.works(now)}
    for sighting, _ in asked:
        sighting.works = working.__contains__


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
    rules = {rule.name: rule for _, rules in asked for rule in rules if rule.history}.values()
    history = await load_history(
        connection,
        wanted.keys(),
        {kind for rule in rules for kind in rule.history},
        since=_reach(asked, rules, now),
        surroundings=any(rule.asks & {"message", "campaign"} for rule in rules),
    )
    for id, sightings in wanted.items():
        for sighting in sightings:
            sighting.history = history[id]


def _reach(asked: Asked, rules: Collection[CompiledRule], now: datetime) -> datetime | None:
    """Since when the history is needed; None: from the beginning. Who waits for what does not come looks back as far as
    the event that it began with, however late it is asked."""
    reaches = [rule.history_reach for rule in rules]
    if None in reaches:
        return None
    since = now - max((reach for reach in reaches if reach is not None), default=timedelta())
    begun = [
        sighting.occurred_at for sighting, asks in asked if any(rule.followed is not None for rule in asks)
    ]
    return min([since, *begun])


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

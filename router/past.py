"""The state of that time: what the house knew of contacts when an event came, rebuilt from what was recorded since.

Fields and tags of contacts go back by their Changed events, consents by the ledger, queue, assignee, priority and tags of a
conversation by its events. What is not recorded as it changes (the state of a task) is as it is today.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.events import EventType
from router.sightings import Sighting
from storage.pool import Connection

_CHANGES: Final = """
SELECT e.contact_id, e.id, e.occurred_at, e.data ->> 'field' AS field, e.data -> 'old' AS old
FROM events e WHERE e.contact_id = ANY ($1::bigint[]) AND e.type = $2 AND e.id > $3 AND e.data ? 'field'
ORDER BY e.contact_id, e.id DESC
"""
_LEDGER: Final = """
SELECT contact_id, purpose, state, occurred_at FROM consent_ledger
WHERE contact_id = ANY ($1::bigint[]) ORDER BY occurred_at, id
"""
_MOVES: Final = """
SELECT e.conversation_id, e.id, q.name AS old FROM events e LEFT JOIN queues q ON q.id = (e.data ->> 'old')::bigint
WHERE e.conversation_id = ANY ($1::bigint[]) AND e.type = $2 AND e.id > $3 ORDER BY e.conversation_id, e.id DESC
"""
#: what Changed of conversations, and who had them
_TALKS: Final = """
SELECT e.conversation_id, e.id, CASE WHEN e.type = $2 THEN e.data ->> 'field' ELSE 'conversation.assignee_id' END AS field,
       e.data -> 'old' AS old
FROM events e
WHERE e.conversation_id = ANY ($1::bigint[]) AND e.id > $4
  AND (e.type = $3 OR e.type = $2 AND e.data ->> 'field' IN ('conversation.priority', 'conversation.tags'))
ORDER BY e.conversation_id, e.id DESC
"""
_OWN: Final = "fields."
_TALK: Final = "conversation."


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changed after a moment, and what it was before."""

    id: int
    at: datetime
    field: str
    old: Any


@dataclass(slots=True)
class Past:
    """What changed since the events at hand. Loaded for a batch; `since` is the id of its first event."""

    changes: Mapping[int, Sequence[Change]] = field(default_factory=dict)
    consents: Mapping[int, Sequence[tuple[datetime, str, bool]]] = field(default_factory=dict)
    moves: Mapping[int, Sequence[tuple[int, str | None]]] = field(default_factory=dict)
    talks: Mapping[int, Sequence[tuple[int, str, Any]]] = field(default_factory=dict)

    def take_back(self, sighting: Sighting, now: datetime) -> None:
        """Give a sighting the contact, the consents and the queue as they were when the rule would have been asked."""
        if sighting.contact_id is not None:
            changes = self.changes.get(sighting.contact_id)
            if changes:
                later = [change for change in changes if change.at > now]
                sighting.contact = rewind(sighting.contact, later)
            sighting.consents = consents_at(self.consents.get(sighting.contact_id, ()), now)
        if sighting.conversation is not None:
            for id, old in self.moves.get(sighting.conversation["id"], ()):
                if id <= sighting.id:
                    break
                sighting.conversation = {**sighting.conversation, "queue": old}
            for id, name, old in self.talks.get(sighting.conversation["id"], ()):
                if id <= sighting.id:
                    break
                sighting.conversation = {**sighting.conversation, name: old}


def rewind(contact: Mapping[str, Any], later: Sequence[Change]) -> Mapping[str, Any]:
    """A contact before these changes, the latest first. Pure."""
    if not later:
        return contact
    was = dict(contact)
    own = dict(was.get("fields") or {})
    for change in later:
        if change.field.startswith(_OWN):
            name = change.field.removeprefix(_OWN)
            if change.old is None:
                own.pop(name, None)
            else:
                own[name] = change.old
        elif change.field == "fields":  # written by hand: all of them
            own = dict(change.old or {})
        elif change.field in was:
            was[change.field] = change.old
    was["fields"] = own
    return was


def consents_at(entries: Sequence[tuple[datetime, str, bool]], now: datetime) -> frozenset[str]:
    """The purposes that stood granted then; entries in the order of their time. Pure."""
    if not entries:
        return frozenset()
    granted: dict[str, bool] = {}
    for _, purpose, state in entries[: bisect_right(entries, now, key=lambda entry: entry[0])]:
        granted[purpose] = state
    return frozenset(purpose for purpose, state in granted.items() if state)


async def load_past(connection: Connection, sightings: Collection[Sighting]) -> Past:
    """What changed about these events' contacts and conversations since the first of them."""
    people = list({sighting.contact_id for sighting in sightings if sighting.contact_id is not None})
    since = min((sighting.id for sighting in sightings if sighting.id > 0), default=0)
    changes: dict[int, list[Change]] = {}
    for row in await connection.fetch(_CHANGES, people, EventType.CHANGED.value, since):
        change = Change(row["id"], row["occurred_at"], row["field"], row["old"])
        changes.setdefault(row["contact_id"], []).append(change)
    consents: dict[int, list[tuple[datetime, str, bool]]] = {}
    for row in await connection.fetch(_LEDGER, people):
        entry = (row["occurred_at"], row["purpose"], row["state"] == "granted")
        consents.setdefault(row["contact_id"], []).append(entry)
    talks = list({sighting.conversation["id"] for sighting in sightings if sighting.conversation is not None})
    moves: dict[int, list[tuple[int, str | None]]] = {}
    if talks:
        for row in await connection.fetch(_MOVES, talks, EventType.CONVERSATION_MOVED.value, since):
            moves.setdefault(row["conversation_id"], []).append((row["id"], row["old"]))
    told: dict[int, list[tuple[int, str, Any]]] = {}
    kinds = (EventType.CHANGED.value, EventType.CONVERSATION_ASSIGNED.value)
    for row in await connection.fetch(_TALKS, talks, *kinds, since) if talks else ():
        name = row["field"].removeprefix(_TALK)
        told.setdefault(row["conversation_id"], []).append((row["id"], name, row["old"]))
    return Past(changes, consents, moves, told)

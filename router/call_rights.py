"""May I call? What the house knows of it when a callback task is opened, by a rule or by a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from contacts.consent import load_entries
from contacts.directory import load_contacts
from domain.call_basis import REFUSED, CallRight, find_call_right
from domain.consent import ConsentState, Purpose
from domain.events import EventType
from domain.messages import Direction
from domain.tasks import TaskKind
from router.decide import Decision, Result
from router.rulebook import CompiledRule
from router.settings import RouterSettings
from router.sightings import Sighting
from router.staff import Staff
from router.then.tasks import OpenTask, OpenTaskAction
from storage.pool import Connection

CallEntry = tuple[datetime, ConsentState]

_CALLS: Final = frozenset({EventType.CALLED.value, EventType.CALL_ENDED.value})


async def load_call_rights(
    connection: Connection,
    staff: Staff,
    contacts: Collection[int],
    now: datetime | None,
    settings: RouterSettings,
) -> None:
    """What these contacts say about calls now; without `now` all that they ever said, for a test on the past."""
    staff.silent = frozenset(country.upper() for country in settings.call_consumers_in)
    staff.said = {}
    if contacts:
        found = await load_entries(connection, contacts, Purpose.CALLS, past=now is None)
        staff.said = found if now is None else {id: _known(entries, now) for id, entries in found.items()}


def _known(entries: Sequence[CallEntry], now: datetime) -> list[CallEntry]:
    """What stands is known, even when the clock of whoever noted it goes before ours."""
    return [(min(at, now), state) for at, state in entries]


def opens_callbacks(rule: CompiledRule) -> bool:
    """Whether a rule asks somebody to call."""
    return any(_is_callback(action) for action in rule.rule.then)


def _is_callback(action: BaseModel) -> bool:
    return isinstance(action, OpenTaskAction) and action.open_task.kind is TaskKind.CALLBACK


def refuse_whole(decision: Decision, staff: Staff, now: datetime) -> bool:
    """Make a decision REFUSED when all that its rule does is to ask for calls that nobody may make.

    Its episode does not begin, so the rule acts on a later event, when the contact has agreed.
    """
    actions = decision.rule.rule.then
    if decision.sighting.contact_id is None or not all(map(_is_callback, actions)):
        return False
    refused = [
        right.refusal
        for action in actions
        if isinstance(action, OpenTaskAction)
        for right in (may_call(decision.sighting, action.open_task, staff, now),)
        if right.refusal is not None
    ]
    if len(refused) < len(actions):
        return False
    decision.result = Result.REFUSED
    decision.matched["reason"] = REFUSED[refused[0]]
    return True


def may_call(sighting: Sighting, wanted: OpenTask, staff: Staff, now: datetime) -> CallRight:
    """Whether the contact of an event may be called back because of it."""
    return find_call_right(
        sighting.contact,
        staff.said.get(sighting.contact_id or 0, ()),
        now,
        asked_at=sighting.occurred_at if wanted.asked or is_own_request(sighting) else None,
        silent=staff.silent,
    )


def is_own_request(event: Sighting) -> bool:
    """Whether the contact came to us: a message of theirs, or a call that they made."""
    if event.type in _CALLS:
        return event.event.get("direction") == Direction.IN
    return event.type == EventType.RECEIVED


async def may_call_contact(
    connection: Connection, contact_id: int, now: datetime, settings: RouterSettings, *, asked: bool
) -> CallRight:
    """Whether a contact may be called because a person asks for it; `asked`: the contact asked for it now."""
    contacts: Mapping[int, Mapping[str, Any]] = await load_contacts(connection, [contact_id])
    contact = contacts.get(contact_id, {})
    id = contact.get("id", contact_id)
    said = _known((await load_entries(connection, [id], Purpose.CALLS)).get(id, ()), now)
    silent = frozenset(country.upper() for country in settings.call_consumers_in)
    return find_call_right(contact, said, now, asked_at=now if asked else None, silent=silent)

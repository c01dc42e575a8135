"""Open a case: its row, its contacts and members, the event that tells of it, the work that begins by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from contacts.directory import resolve
from domain.errors import InvalidInput
from domain.events import EventType, NewEvent
from inbox.desk.conversations import Desk
from router.cases.beginning import begin_template
from router.cases.fields import check_fields
from router.cases.moves import read_title
from router.cases.store import lock_case, require_somebody, see_people
from router.cases.type_store import find_type, load_types
from router.cases.types import CaseType
from storage.pool import Connection
from storage.unit_of_work import unit_of_work

_INSERT: Final = """
INSERT INTO cases (kind, title, stage, owner_id, team_id, confidential, fields, rule_id, idempotency_key, created_at,
                   stage_since)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
ON CONFLICT (idempotency_key) DO NOTHING RETURNING id
"""
_CONTACTS: Final = """
INSERT INTO case_contacts (case_id, contact_id, part, added_at)
SELECT $1, contact_id, part, now() + no * interval '1 microsecond'
FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS given (contact_id, part, no)
ON CONFLICT DO NOTHING
"""
_MEMBERS: Final = """
INSERT INTO case_members (case_id, user_id) SELECT $1, id FROM users WHERE id = ANY ($2::bigint[]) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case before it is stored. What is None comes from its type.

    `contacts` are ids with their roles, the first one is whom its events are told of. The same `key` opens one case.
    """

    kind: str
    title: str
    owner_id: int | None = None
    team_id: int | None = None
    confidential: bool | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    contacts: tuple[tuple[int, str], ...] = ()
    members: tuple[int, ...] = ()
    rule_id: int | None = None
    key: str | None = None


async def open_case(desk: Desk, new: NewCase) -> int:
    """Open a case for a person, who looks after it when nobody else is named; gives its id.

    Raises InvalidInput naming the field. Asking twice with the same key gives the same case.
    """
    async with unit_of_work(desk.pool, desk.announcer) as work:
        now = desk.clock.now()
        types = await load_types(work.connection)
        kind = find_type(types, new.kind)
        if not kind.active:
            raise InvalidInput("kind", "no new cases of this type are opened.", "Choose another type.")
        owner = desk.actor_id if new.owner_id is None and new.team_id is None else new.owner_id
        number, events = await insert_case(
            work.connection, kind, new, now=now, owner_id=owner, actor_id=desk.actor_id
        )
        work.tell(*events)
        if number is None:
            number = await work.connection.fetchval(
                "SELECT id FROM cases WHERE idempotency_key = $1", new.key
            )
    assert number is not None
    return number


async def insert_case(
    connection: Connection,
    kind: CaseType,
    new: NewCase,
    *,
    now: datetime,
    owner_id: int | None,
    actor_id: int | None,
    data: Mapping[str, Any] | None = None,
) -> tuple[int | None, list[NewEvent]]:
    """Store a case and tell of it; None for one whose key was there before. Raises InvalidInput."""
    confidential = kind.confidential if new.confidential is None else new.confidential
    team_id = new.team_id if new.team_id is not None else await _team_of(connection, kind)
    await see_people(connection, owner_id, new.team_id)
    require_somebody(confidential, owner_id, team_id)
    fields = {name: value for name, value in check_fields(kind, new.fields).items() if value is not None}
    contacts = await read_contacts(connection, kind, new.contacts)
    number: int | None = await connection.fetchval(
        _INSERT,
        kind.name,
        read_title(new.title),
        kind.first.name,
        owner_id,
        team_id,
        confidential,
        fields,
        new.rule_id,
        new.key,
        now,
    )
    if number is None:
        return None, []
    await connection.execute(_CONTACTS, number, [id for id, _ in contacts], [part for _, part in contacts])
    await connection.execute(_MEMBERS, number, list(new.members))
    for template in kind.templates:
        if template.starts:
            await begin_template(connection, number, template)
    case = await lock_case(connection, number)
    return number, [case.tell(EventType.CASE_OPENED, now, actor_id, {"stage": case.stage} | dict(data or {}))]


async def _team_of(connection: Connection, kind: CaseType) -> int | None:
    if kind.team is None:
        return None
    number: int | None = await connection.fetchval("SELECT id FROM teams WHERE name = $1", kind.team)
    if number is None:
        raise InvalidInput(
            "team_id", f"the team of this type, {kind.team}, is gone.", "Name a team, or correct the type."
        )
    return number


async def read_contacts(
    connection: Connection, kind: CaseType, given: tuple[tuple[int, str], ...]
) -> list[tuple[int, str]]:
    """The contacts of today with their roles. Raises InvalidInput for unknown ones."""
    for _, part in given:
        if part and kind.role(part) is None:
            known = ", ".join(role.name for role in kind.roles) or "none"
            raise InvalidInput(
                "role", f"there is no role {part[:40]!r} in cases of this type.", f"Known: {known}."
            )
    today = await resolve(connection, [id for id, _ in given])
    known_ids = {
        row["id"]
        for row in await connection.fetch(
            "SELECT id FROM contacts WHERE id = ANY ($1::bigint[])", list(today.values())
        )
    }
    missing = next((id for id, _ in given if today[id] not in known_ids), None)
    if missing is not None:
        raise InvalidInput("contact_id", f"there is no contact {missing}.", "Choose another one.")
    return [(today[id], part) for id, part in given]

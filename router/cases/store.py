"""Cases as they are stored: lock one, write it back, the events that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.cases import CaseState
from domain.errors import Conflict, InvalidInput, NotFound
from domain.events import EventType, NewEvent
from router.cases.types import CaseType
from storage.pool import Connection

_LOCK: Final = """
SELECT id, kind, title, state, stage, owner_id, team_id, confidential, fields, version, stage_since, closed_at,
       (SELECT p.contact_id FROM case_contacts p WHERE p.case_id = k.id ORDER BY p.added_at, p.contact_id LIMIT 1)
         AS contact_id
FROM cases k WHERE id = $1 FOR UPDATE
"""
_WRITE: Final = """
UPDATE cases SET title = $2, state = $3, stage = $4, owner_id = $5, team_id = $6, confidential = $7, fields = $8,
       stage_since = $9, closed_at = $10, version = version + 1
WHERE id = $1 RETURNING version
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table `cases`, locked. `contact_id` is who was added to it first: its events are told of them."""

    id: int
    kind: str
    title: str
    state: CaseState
    stage: str | None
    owner_id: int | None
    team_id: int | None
    confidential: bool
    fields: Mapping[str, Any]
    version: int
    stage_since: datetime
    closed_at: datetime | None
    contact_id: int | None

    def tell(
        self,
        kind: EventType,
        now: datetime,
        actor_id: int | None,
        data: Mapping[str, Any] | None = None,
        **ids: Any,
    ) -> NewEvent:
        """An event about this case; `ids` are further ones of the event, such as conversation_id."""
        facts: dict[str, Any] = {"contact_id": self.contact_id} | ids
        told = {"kind": self.kind} | dict(data or {})
        return NewEvent(kind, now, **facts, case_id=self.id, actor_id=actor_id, data=told)


async def lock_case(connection: Connection, case_id: int, version: int | None = None) -> Case:
    """The case, held until the end of the transaction. Raises NotFound.

    Raises Conflict when `version` is given and somebody changed the case since.
    """
    row = await connection.fetchrow(_LOCK, case_id)
    if row is None:
        raise NotFound(f"There is no case {case_id}.")
    if version is not None and row["version"] != version:
        raise Conflict("Somebody changed this case meanwhile. Look at it again.")
    return Case(**{**dict(row), "state": CaseState(row["state"])})


async def write_case(connection: Connection, changed: Case) -> int:
    """Keep a changed case; gives its new version."""
    version: int = await connection.fetchval(
        _WRITE,
        changed.id,
        changed.title,
        changed.state.value,
        changed.stage,
        changed.owner_id,
        changed.team_id,
        changed.confidential,
        dict(changed.fields),
        changed.stage_since,
        changed.closed_at,
    )
    return version


def type_of(types: Mapping[str, CaseType], case: Case) -> CaseType:
    """The type of a case. Raises Conflict when the house has it no more."""
    if case.kind not in types:
        raise Conflict(f"The type of this case, {case.kind}, is gone. Apply it again first.")
    return types[case.kind]


async def see_people(connection: Connection, owner_id: int | None, team_id: int | None) -> None:
    """See that they are there. Raises InvalidInput naming the field."""
    if owner_id is not None and not await connection.fetchval(
        "SELECT true FROM users WHERE id = $1 AND active", owner_id
    ):
        raise InvalidInput("owner_id", "nobody active has this number.", "Choose another person.")
    if team_id is not None and not await connection.fetchval("SELECT true FROM teams WHERE id = $1", team_id):
        raise InvalidInput("team_id", "no team has this number.", "Choose another team.")


def require_somebody(confidential: bool, owner_id: int | None, team_id: int | None) -> None:
    """A confidential case without owner and team would be nobody's. Raises InvalidInput."""
    if confidential and owner_id is None and team_id is None:
        raise InvalidInput(
            "owner_id",
            "a confidential case without owner and team would be seen by nobody.",
            "Name a person or a team.",
        )

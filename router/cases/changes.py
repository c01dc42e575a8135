"""What people do with a case: move it, change it, close it, open it again, say who has a part in it.

Each is one transaction: the row is locked, the version that the person saw is compared, the table of domain/cases.py
decides, and events tell. Who may see a case is the caller's to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.cases import CaseMove, next_case_state
from domain.errors import InvalidInput
from domain.events import EventType
from inbox.desk.conversations import Desk
from router.cases import moves
from router.cases.moves import Moved
from router.cases.opening import read_contacts
from router.cases.store import Case, lock_case, see_people, type_of, write_case
from router.cases.type_store import load_types
from router.cases.types import CaseType
from storage.unit_of_work import UnitOfWork, unit_of_work

_ADD_CONTACT: Final = """
INSERT INTO case_contacts AS p (case_id, contact_id, part) VALUES ($1, $2, $3)
ON CONFLICT (case_id, contact_id) DO UPDATE SET part = excluded.part WHERE p.part <> excluded.part RETURNING true
"""
_REMOVE_CONTACT: Final = "DELETE FROM case_contacts WHERE case_id = $1 AND contact_id = $2 RETURNING true"
_ADD_MEMBER: Final = """
INSERT INTO case_members (case_id, user_id) SELECT $1, id FROM users WHERE id = $2 AND active
ON CONFLICT DO NOTHING RETURNING true
"""
_REMOVE_MEMBER: Final = "DELETE FROM case_members WHERE case_id = $1 AND user_id = $2 RETURNING true"
#: what may be changed by `change_case`
CHANGEABLE: Final = frozenset({"title", "owner_id", "team_id", "confidential", "fields"})


async def move_case(desk: Desk, case_id: int, stage: str, version: int | None = None) -> None:
    """Move it to a stage; one that ends the case closes it. Raises NotFound, Conflict, InvalidInput."""
    await _do(desk, case_id, version, lambda case, kind: moves.move_to(case, kind, stage, desk.clock.now()))


async def close_case(
    desk: Desk, case_id: int, version: int | None = None, *, stage: str | None = None
) -> None:
    """Close it. Raises NotFound, Conflict, InvalidInput."""
    await _do(desk, case_id, version, lambda case, kind: moves.close(case, kind, desk.clock.now(), stage))


async def reopen_case(
    desk: Desk, case_id: int, version: int | None = None, *, stage: str | None = None
) -> None:
    """Open it again. Raises NotFound, Conflict, InvalidInput."""
    await _do(desk, case_id, version, lambda case, kind: moves.reopen(case, kind, desk.clock.now(), stage))


async def change_case(desk: Desk, case_id: int, given: Mapping[str, Any], version: int | None = None) -> None:
    """Change title, owner_id, team_id, confidential, and some fields. Raises NotFound, Conflict, InvalidInput."""
    strange = sorted(given.keys() - CHANGEABLE)
    if strange:
        raise InvalidInput(strange[0], "is not changed here.", f"Write {', '.join(sorted(CHANGEABLE))}.")
    async with unit_of_work(desk.pool, desk.announcer) as work:
        await see_people(work.connection, given.get("owner_id"), given.get("team_id"))
        await _make(desk, work, case_id, version, lambda case, kind: moves.change(case, kind, given))


async def _do(desk: Desk, case_id: int, version: int | None, plan: Callable[[Case, CaseType], Moved]) -> None:
    async with unit_of_work(desk.pool, desk.announcer) as work:
        await _make(desk, work, case_id, version, plan)


async def _make(
    desk: Desk,
    work: UnitOfWork,
    case_id: int,
    version: int | None,
    plan: Callable[[Case, CaseType], Moved],
) -> None:
    case = await lock_case(work.connection, case_id, version)
    moved = plan(case, type_of(await load_types(work.connection), case))
    if not moved.told:
        return
    await write_case(work.connection, moved.case)
    now = desk.clock.now()
    work.tell(*(case.tell(kind, now, desk.actor_id, data) for kind, data in moved.told))


async def add_contact(desk: Desk, case_id: int, contact_id: int, role: str = "") -> None:
    """Give a contact a part in the case, or another role. Raises NotFound, Conflict, InvalidInput."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        case = await _changeable(work, case_id)
        kind = type_of(await load_types(work.connection), case)
        ((today, part),) = await read_contacts(work.connection, kind, ((contact_id, role),))
        if await work.connection.fetchval(_ADD_CONTACT, case_id, today, part):
            await _tell_people(desk, work, case, "contact", None, today, role=part, contact_id=today)


async def remove_contact(desk: Desk, case_id: int, contact_id: int) -> None:
    """Take a contact out of the case. Raises NotFound, Conflict."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        case = await _changeable(work, case_id)
        if await work.connection.fetchval(_REMOVE_CONTACT, case_id, contact_id):
            await _tell_people(desk, work, case, "contact", contact_id, None, contact_id=contact_id)


async def add_member(desk: Desk, case_id: int, user_id: int) -> None:
    """Let a colleague see a confidential case. Raises NotFound, Conflict, InvalidInput."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        case = await _changeable(work, case_id)
        await see_people(work.connection, user_id, None)
        if await work.connection.fetchval(_ADD_MEMBER, case_id, user_id):
            await _tell_people(desk, work, case, "member", None, user_id)


async def remove_member(desk: Desk, case_id: int, user_id: int) -> None:
    """Let a colleague see it no more. Raises NotFound, Conflict."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        case = await _changeable(work, case_id)
        if await work.connection.fetchval(_REMOVE_MEMBER, case_id, user_id):
            await _tell_people(desk, work, case, "member", user_id, None)


async def _changeable(work: UnitOfWork, case_id: int) -> Case:
    case = await lock_case(work.connection, case_id)
    next_case_state(case.state, CaseMove.CHANGE)
    return case


async def _tell_people(
    desk: Desk,
    work: UnitOfWork,
    case: Case,
    field: str,
    old: int | None,
    new: int | None,
    *,
    role: str = "",
    contact_id: int | None = None,
) -> None:
    await write_case(work.connection, case)
    data: dict[str, Any] = {"field": field, "old": old, "new": new}
    if role:
        data["role"] = role
    ids = {} if contact_id is None else {"contact_id": contact_id}
    work.tell(case.tell(EventType.CASE_CHANGED, desk.clock.now(), desk.actor_id, data, **ids))

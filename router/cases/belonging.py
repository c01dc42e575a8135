"""What belongs to a case: conversations, tasks and messages, each to one case at most.

A message of a conversation goes with its conversation; one of its own (a call, a newsletter) may be put into a case by
itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from domain.cases import CaseMove, next_case_state
from domain.errors import Conflict, NotFound
from domain.events import EventType, NewEvent
from inbox.desk.conversations import Desk
from router.cases.store import Case, lock_case
from storage.pool import Connection
from storage.unit_of_work import unit_of_work


class Thing(StrEnum):
    """What may belong to a case."""

    CONVERSATION = "conversation"
    TASK = "task"
    MESSAGE = "message"


_LOCK: Final = {
    Thing.CONVERSATION: "SELECT id, contact_id, case_id, NULL::bigint AS part_of FROM conversations WHERE id = $1 FOR UPDATE",
    Thing.TASK: "SELECT id, contact_id, case_id, NULL::bigint AS part_of FROM tasks WHERE id = $1 FOR UPDATE",
    Thing.MESSAGE: "SELECT id, contact_id, case_id, conversation_id AS part_of FROM messages WHERE id = $1 FOR UPDATE",
}
_PUT: Final = {
    Thing.CONVERSATION: "UPDATE conversations SET case_id = $2, version = version + 1, updated_at = now() WHERE id = $1",
    Thing.TASK: "UPDATE tasks SET case_id = $2, version = version + 1 WHERE id = $1",
    Thing.MESSAGE: "UPDATE messages SET case_id = $2 WHERE id = $1",
}
#: for rules: $1 the thing, $2 the case; nothing when it belongs to one already
JOIN: Final = {
    "conversation": """
UPDATE conversations SET case_id = $2, version = version + 1, updated_at = now()
WHERE id = $1 AND case_id IS NULL RETURNING true
""",
    "message": "UPDATE messages SET case_id = $2 WHERE id = $1 AND case_id IS NULL AND conversation_id IS NULL RETURNING true",
}
_FIRST_CONTACT: Final = """
INSERT INTO case_contacts (case_id, contact_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""


async def put_into_case(desk: Desk, case_id: int, thing: Thing, number: int) -> None:
    """Put a conversation, task or message into a case. Raises NotFound; Conflict when it belongs to another one."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await _lock(work.connection, thing, number)  # what belongs first, then the case: as rules do
        case = await lock_case(work.connection, case_id)
        next_case_state(case.state, CaseMove.JOIN)
        if found["part_of"] is not None:
            raise Conflict("This message is part of a conversation. Put the conversation into the case.")
        if found["case_id"] == case_id:
            return
        if found["case_id"] is not None:
            raise Conflict("This belongs to another case already. Take it out there first.")
        await work.connection.execute(_PUT[thing], number, case_id)
        if found["contact_id"] is not None:
            await work.connection.execute(_FIRST_CONTACT, case_id, found["contact_id"])
        work.tell(_told(EventType.CASE_JOINED, case, thing, found, desk))


async def take_out_of_case(desk: Desk, case_id: int, thing: Thing, number: int) -> None:
    """Take it out again. Raises NotFound when it does not belong to this case."""
    async with unit_of_work(desk.pool, desk.announcer) as work:
        found = await _lock(work.connection, thing, number)
        if found["case_id"] != case_id:
            raise NotFound(f"This {thing.value} does not belong to case {case_id}.")
        case = await lock_case(work.connection, case_id)
        await work.connection.execute(_PUT[thing], number, None)
        work.tell(_told(EventType.CASE_LEFT, case, thing, found, desk))


def _told(kind: EventType, case: Case, thing: Thing, found: Any, desk: Desk) -> NewEvent:
    ids = {"contact_id": found["contact_id"] or case.contact_id, f"{thing.value}_id": found["id"]}
    return case.tell(kind, desk.clock.now(), desk.actor_id, {"what": thing.value}, **ids)


async def _lock(connection: Connection, thing: Thing, number: int) -> Any:
    row = await connection.fetchrow(_LOCK[thing], number)
    if row is None:
        raise NotFound(f"There is no {thing.value} {number}.")
    return row

"""What belongs to a case, and what of its contacts belongs to none yet: conversations and tasks that a person may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from storage.pool import Pool
from web.access.people import Person
from web.access.permissions import Permission
from web.queries.conversations import find_conversation
from web.queries.tasks import find_task

_INSIDE: Final = """
SELECT 'conversation' AS what, id FROM conversations WHERE case_id = $1
UNION ALL SELECT 'task', id FROM tasks WHERE case_id = $1 ORDER BY 1, 2 DESC LIMIT 60
"""
_BESIDE: Final = """
SELECT 'conversation' AS what, id FROM (
  SELECT id FROM conversations WHERE contact_id = ANY ($1::bigint[]) AND case_id IS NULL ORDER BY id DESC LIMIT 8) v
UNION ALL SELECT 'task', id FROM (
  SELECT id FROM tasks WHERE contact_id = ANY ($1::bigint[]) AND case_id IS NULL ORDER BY id DESC LIMIT 8) t
"""


@dataclass(frozen=True, slots=True)
class Things:
    """Conversations and tasks as lists show them."""

    conversations: Sequence[Any]
    tasks: Sequence[Any]


async def list_inside(pool: Pool, person: Person, case_id: int, now: datetime) -> Things:
    """What belongs to a case, latest first."""
    return await _see(pool, person, await pool.fetch(_INSIDE, case_id), now)


async def list_addable(pool: Pool, person: Person, contacts: Sequence[int], now: datetime) -> Things:
    """What of these contacts belongs to no case, latest first."""
    return await _see(pool, person, await pool.fetch(_BESIDE, list(contacts)), now)


async def _see(pool: Pool, person: Person, rows: Sequence[Any], now: datetime) -> Things:
    works = person.may(Permission.CONVERSATIONS_WORK)
    conversations = [
        await find_conversation(pool, person, row["id"])
        for row in rows
        if row["what"] == "conversation" and works
    ]
    tasks = [await find_task(pool, person, row["id"], now) for row in rows if row["what"] == "task"]
    return Things(
        [one for one in conversations if one is not None], [one for one in tasks if one is not None]
    )

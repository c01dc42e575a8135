"""Segments: the contacts for which a condition holds, as SQL for whoever writes to them, counted, and sampled."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from contacts.segment_sql import to_text, write_select
from domain.conditions import Condition, read_condition, write_condition
from domain.errors import Conflict, InvalidInput, NotFound
from domain.fields import Place, check_condition
from storage.pool import Connection, Pool

_INSERT: Final = """
INSERT INTO segments (name, condition) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING id
"""
_LOAD: Final = "SELECT condition FROM segments WHERE id = $1"


def select_contacts(condition: Condition, now: datetime) -> tuple[str, list[Any]]:
    """SQL for asyncpg that gives the ids (column `id`) of the contacts for which `condition` holds at `now`.

    The text stands as well in a subquery: its parameters are $1 to $n, those of the caller follow. The condition
    speaks about contacts; contacts that were merged into others do not appear. Raises InvalidInput.
    """
    check_condition(condition, Place.SEGMENT)
    return to_text(write_select(condition, now))


async def count_segment(connection: Connection | Pool, condition: Condition, now: datetime) -> int:
    """How many contacts the condition holds for. Raises InvalidInput."""
    sql, arguments = select_contacts(condition, now)
    count: int = await connection.fetchval(f"SELECT count(*) FROM ({sql}) AS segment", *arguments)
    return count


async def sample_segment(
    connection: Connection | Pool, condition: Condition, now: datetime, *, limit: int = 10
) -> list[int]:
    """The ids of the first contacts the condition holds for, at most `limit`. Raises InvalidInput."""
    sql, arguments = select_contacts(condition, now)
    rows = await connection.fetch(
        f"SELECT id FROM ({sql}) AS segment ORDER BY id LIMIT {int(limit)}", *arguments
    )
    return [row["id"] for row in rows]


async def save_segment(connection: Connection | Pool, name: str, condition: Condition) -> int:
    """Keep a condition under a name. Raises InvalidInput, and Conflict when the name is taken."""
    if not name.strip():
        raise InvalidInput("name", "a segment needs a name.")
    check_condition(condition, Place.SEGMENT)
    segment_id: int | None = await connection.fetchval(_INSERT, name.strip(), write_condition(condition))
    if segment_id is None:
        raise Conflict(f"There is a segment “{name.strip()}” already; choose another name.")
    return segment_id


async def load_segment(connection: Connection | Pool, segment_id: int) -> Condition:
    """The condition of a segment. Raises NotFound."""
    stored = await connection.fetchval(_LOAD, segment_id)
    if stored is None:
        raise NotFound(f"There is no segment {segment_id}.")
    return read_condition(stored, name=f"segments[{segment_id}].condition")

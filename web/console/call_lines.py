"""Calls on a timeline: one line for each instead of one for every turn, with its length, cost and recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from contacts.timeline import TimelineRow
from domain.calls import CallState
from domain.events import EventType
from storage.pool import Pool
from web.access.people import Person
from web.queries.calls import CallView, find_calls, read_recordings

_STATES: Final = "SELECT message_id, state FROM calls WHERE message_id = ANY ($1::bigint[])"
_TURNS: Final = frozenset({EventType.CALLED, EventType.ANSWERED})


async def fold_calls(pool: Pool, rows: Sequence[TimelineRow]) -> list[Mapping[str, Any]]:
    """The rows without those that the end of their call tells as well; `spoken` marks what was a call.

    A voice message stands for the end of its call, where both are among the rows.
    """
    told = (*_TURNS, EventType.RECEIVED, EventType.CALL_ENDED)
    ids = {row["message_id"] for row in rows if row["type"] in told and row["message_id"] is not None}
    states = {row["message_id"]: row["state"] for row in await pool.fetch(_STATES, list(ids))} if ids else {}
    left = {row["message_id"] for row in rows if row["type"] == EventType.RECEIVED}
    return [{**row, "spoken": row["message_id"] in states} for row in rows if not _is_told(row, states, left)]


def _is_told(row: TimelineRow, states: dict[int, str], left: set[int | None]) -> bool:
    if row["type"] in _TURNS:
        return states.get(row["message_id"] or 0) == CallState.ENDED
    return row["type"] == EventType.CALL_ENDED and row["message_id"] in left


@dataclass(frozen=True, slots=True)
class SpokenOf:
    """The calls among some messages, as far as one may see them: `recordings` only where one may hear them."""

    calls: dict[int, CallView] = field(default_factory=dict)
    recordings: dict[int, list[Any]] = field(default_factory=dict)


async def read_spoken(pool: Pool, person: Person, ids: Sequence[int | None]) -> SpokenOf:
    """What stands beside the lines of these messages."""
    calls = await find_calls(pool, person, [number for number in ids if number is not None])
    heard = [number for number, call in calls.items() if call.heard]
    return SpokenOf(calls, await read_recordings(pool, heard))

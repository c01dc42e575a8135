"""The house's business time: an offset that all processes share, so that a demo's clock can be moved forward."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import asyncpg

from domain.clock import SystemClock
from storage.pool import Connection, Pool

_READ: Final = "SELECT (value #>> '{}')::float8 FROM house WHERE key = 'clock_offset_seconds'"
_ADVANCE: Final = """
INSERT INTO house (key, value) VALUES ('clock_offset_seconds', to_jsonb($1::float8))
ON CONFLICT (key) DO UPDATE SET value = to_jsonb((house.value #>> '{}')::float8 + $1::float8)
RETURNING (value #>> '{}')::float8
"""


async def read_offset(connection: Pool | Connection) -> timedelta:
    """How far business time is ahead of the machine's clock."""
    return timedelta(seconds=await connection.fetchval(_READ) or 0)


async def advance_clock(connection: Pool | Connection, by: timedelta) -> timedelta:
    """Move business time forward for every process; gives the new offset."""
    return timedelta(seconds=await connection.fetchval(_ADVANCE, by.total_seconds()))


async def follow_clock(pool: Pool, clock: SystemClock, *, every: float = 0.5) -> None:
    """Keep `clock` on the house's offset until cancelled; for the processes of a demo."""
    while True:
        try:
            clock.offset = await read_offset(pool)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            pass  # the database is away: keep the offset that was known
        await asyncio.sleep(every)

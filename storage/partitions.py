"""Monthly partitions of the event tables, made ahead of time; what fell into the default one is moved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final

from storage.pool import Pool

PARTITIONED: Final = ("events", "hits")


def months_from(day: date, count: int) -> list[tuple[date, date]]:
    """The first days of `count` months from the one of `day`, each with the first day after it."""
    firsts = [
        date(day.year + (day.month - 1 + n) // 12, (day.month - 1 + n) % 12 + 1, 1) for n in range(count + 1)
    ]
    return list(pairwise(firsts))


async def make_partitions(pool: Pool, *, months: int = 3, today: date | None = None) -> list[str]:
    """Make the partitions of this month and those after it; gives the names of those that were new."""
    made = []
    for table in PARTITIONED:
        for first, after in months_from(today or datetime.now(UTC).date(), months):
            name = f"{table}_{first:%Y_%m}"
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(7236417)")
                if await connection.fetchval("SELECT to_regclass($1)", name) is not None:
                    continue
                low, high = f"'{first} 00:00+00'", f"'{after} 00:00+00'"
                await connection.execute("SET LOCAL lock_timeout = '10s'")
                await connection.execute(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
                await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
                await connection.execute(
                    f"WITH moved AS (DELETE FROM {table}_default"
                    f" WHERE recorded_at >= {low} AND recorded_at < {high} RETURNING *)"
                    f" INSERT INTO {name} SELECT * FROM moved"
                )
                await connection.execute(
                    f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"
                )
                made.append(name)
    return made

"""The migrated database is the declared one, and its partitions take what they should."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from domain.errors import ConfigurationError
from storage.migrations import upgrade, upgrade_async
from storage.partitions import make_partitions, months_from
from storage.pool import Pool, sqlalchemy_url
from storage.schema import metadata


async def test_the_migrations_give_exactly_the_declared_schema(database_url: str) -> None:
    engine = create_async_engine(sqlalchemy_url(database_url))

    def is_ours(name: str | None, kind: str, parents: object) -> bool:
        return not (kind == "table" and name is not None and name.startswith(("events_", "hits_", "alembic")))

    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"include_name": is_ours}), metadata
            )
        )
    await engine.dispose()
    assert differences == []


async def test_migrating_twice_changes_nothing(database_url: str) -> None:
    await upgrade_async(database_url)
    upgrade(database_url)


async def test_a_database_of_a_newer_version_is_refused_in_a_sentence(database_url: str, pool: Pool) -> None:
    await pool.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="newer version of Clytie"):
        await upgrade_async(database_url)


async def test_partitions_are_made_once_and_rows_leave_the_default_one(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO events (recorded_at, occurred_at, type) VALUES ($1, $1, 'Opened')",
        datetime(2031, 5, 17, tzinfo=UTC),
    )
    made = await make_partitions(pool, months=2, today=date(2031, 5, 1))
    assert made == ["events_2031_05", "events_2031_06", "hits_2031_05", "hits_2031_06"]
    assert await make_partitions(pool, months=2, today=date(2031, 5, 1)) == []
    assert await pool.fetchval("SELECT count(*) FROM events_2031_05") == 1
    assert await pool.fetchval("SELECT count(*) FROM events_default") == 0
    assert await pool.fetchval("SELECT count(*) FROM events") == 1


def test_months_go_over_the_end_of_a_year() -> None:
    assert months_from(date(2026, 12, 31), 2) == [
        (date(2026, 12, 1), date(2027, 1, 1)),
        (date(2027, 1, 1), date(2027, 2, 1)),
    ]

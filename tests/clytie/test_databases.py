"""Each test gets a database of its own, fast enough that nobody is tempted to share one."""

from __future__ import annotations

import statistics
import time

import redis

from storage.pool import Pool
from tests.servers import Databases


async def test_a_test_gets_a_migrated_database_of_its_own(pool: Pool) -> None:
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0
    assert await pool.fetchval("SELECT current_database()") != "clytie"


def test_a_database_is_made_and_dropped_in_well_under_a_second(databases: Databases) -> None:
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        databases.drop(databases.create())
        seconds.append(time.perf_counter() - begin)
    assert statistics.median(seconds) < 0.5, seconds


def test_valkey_is_empty_for_each_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")

"""Limits hold over worker processes, also while one of them is killed and its places are lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outbox.limits import DomainLimits
from storage.pool import Pool
from tests.flows.test_kill_senders import SETTINGS, Fleet, launch_campaign, until

LIMIT = 500
RECIPIENTS = 2000
LIMITED = SETTINGS.model_copy(update={"domains": {"example.net": DomainLimits(per_hour=LIMIT)}})


@pytest.fixture
async def fleet(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(database_url, redis_url, tmp_path / "arrived", 0.0, LIMITED)
    yield fleet
    fleet.end()


async def waiting(pool: Pool) -> int:
    count: int = await pool.fetchval(
        "SELECT count(*) FROM deliveries WHERE state = 'queued' AND reason = 'domain_limited'"
    )
    return count


@pytest.mark.timeout(120)
async def test_two_processes_together_send_what_the_limit_allows_and_no_more(
    pool: Pool, fleet: Fleet
) -> None:
    await launch_campaign(pool, None, RECIPIENTS)
    fleet.start()
    fleet.start()
    share = LIMIT - LIMIT // 10  # the rest is for letters

    async def done() -> bool:
        return await waiting(pool) == RECIPIENTS - share

    await until(done, 60)
    assert len(fleet.arrived()) == share
    both = await pool.fetchval("SELECT count(*) FROM send_windows WHERE key = 'domain:example.net'")
    assert both == 1


@pytest.mark.timeout(120)
async def test_a_process_that_is_killed_takes_its_places_with_it(pool: Pool, fleet: Fleet) -> None:
    await launch_campaign(pool, None, RECIPIENTS)
    victim, _ = fleet.start(), fleet.start()

    async def begun() -> bool:
        return len(fleet.arrived()) >= 20

    await until(begun, 30)
    victim.kill()

    async def done() -> bool:
        return not await pool.fetchval(
            "SELECT count(*) FROM deliveries WHERE state IN ('claimed', 'sending')"
            " OR state = 'queued' AND reason IS NULL"
        )

    await until(done, 60)
    arrived = fleet.arrived()
    assert len(arrived) <= LIMIT
    assert max(arrived.values()) == 1

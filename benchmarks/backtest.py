"""How long a test on the past takes: 1,000,000 events through 200 rules, against reading the same events one by one.

The house, the rules and the mix of events are those of benchmarks/route.py; the rules are also the active ones, so each
event is played twice. The yardstick is the same cursor read to its end, in the same run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.route import EVENTS_OF, FILL, write_rules
from clytie.services.supervisor import Services
from router.backtest import backtest
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from router.sightings import EVENT_COLUMNS
from storage.migrations import upgrade
from storage.partitions import make_partitions
from storage.pool import Pool, open_pool

EVENTS: Final = 1_000_000
_BARE: Final = f"""
SELECT {EVENT_COLUMNS} FROM events e LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at ORDER BY e.id
"""


def run(rounds: int = 1) -> list[dict[str, Any]]:
    """Medians over `rounds`, in seconds."""
    with tempfile.TemporaryDirectory(prefix="clytie-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Services(folder / "var") as services:
            urls = services.start()
            upgrade(urls.database_url)
            return uvloop.run(_measure(urls.database_url, rounds))


async def _measure(database_url: str, rounds: int) -> list[dict[str, Any]]:
    pool = await open_pool(database_url, min_size=2)
    await make_partitions(pool)
    await pool.execute(FILL)
    await pool.execute(
        "INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)"
        " SELECT contact_id, purpose, state, '', '', now() - interval '1 year' FROM consents"
    )
    rules = read_rules(write_rules())
    await apply_rules(pool, rules)
    for part in range(20):
        await pool.fetchval(EVENTS_OF, EVENTS // 20, True, part * 101)
    await pool.execute("VACUUM ANALYZE")
    drafts = [written.rule for written in rules]
    bare, ours = [], []
    now = datetime.now(UTC)
    for _ in range(rounds):
        bare.append(await _read(pool))
        started = time.perf_counter()
        trial = await backtest(
            pool, drafts, now - timedelta(days=30), now + timedelta(days=1), RouterSettings()
        )
        ours.append(time.perf_counter() - started)
        acted = trial.draft.results["acted"]
        assert trial.events == EVENTS, trial.events
        assert acted == trial.active.results["acted"] > 0
        print(f"    {ours[-1]:.1f} s; rules would have acted {acted:,} times", flush=True)
    await pool.close()
    return [
        {
            "name": "backtest: 1,000,000 events, 200 rules beside their active versions, against reading them",
            "ours": statistics.median(ours),
            "yardstick": statistics.median(bare),
            "unit": "s, less is better",
            "ratio": statistics.median(bare) / statistics.median(ours),
        }
    ]


async def _read(pool: Pool) -> float:
    started = time.perf_counter()
    count = 0
    async with pool.acquire() as connection, connection.transaction():
        async for _ in connection.cursor(_BARE, prefetch=10_000):
            count += 1
    assert count == EVENTS
    return time.perf_counter() - started

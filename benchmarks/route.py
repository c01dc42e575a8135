"""How many events one router process takes per second through 200 active rules, and how long an event waits for its task.

The mix: opens 60%, clicks 30%, downloads 10%, of 5,000 of 20,000 contacts over 40 campaigns; 30% of the hits are a
machine's.
Of the 200 rules 120 ask for one campaign (three each), 40 look at every click or download with conditions on the
contact, 10 ask for the history (`did`) of one campaign's clickers, 30 look at other types of events. So an open meets
two rules, a click about 30; some match, most are filtered. The share of events that become tasks is printed.

Yardstick in the same rounds: the bare loop that locks lanes, takes the same pending rows in the same batches and
deletes them, without looking at an event. Both with durable commits, PostgreSQL on the same machine.

`held` sends the same events while nobody has judged their hits yet: each rule that matches waits in a timer, then
acts when the hits are judged; the figure counts events through both steps.

The latency is measured at 1,000 events/s committed by a process of its own in groups of 10, from the commit of the
event to the commit of its task.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml

from clytie.services.supervisor import Services
from domain.clock import SystemClock
from router.loop import Router, route_once
from router.rule_files import read_rules
from router.rule_store import apply_rules
from router.settings import RouterSettings
from router.timers import run_due_timers
from storage.announce import Announcer, Bell
from storage.migrations import upgrade
from storage.partitions import make_partitions
from storage.pool import Pool, open_pool

EVENTS: Final = 20_000
CONTACTS: Final = 20_000
REACHED: Final = 5_000  # contacts that do something: four events each
CAMPAIGNS: Final = 40
RATE: Final = 1_000
SECONDS: Final = 10
WARM_UP: Final = 2

FILL: Final = f"""
INSERT INTO users (email, name, role) SELECT 'u' || n || '@example.org', 'User ' || n, 'rep' FROM generate_series(1, 20) n;
INSERT INTO teams (name, hours)
SELECT 'team ' || n, jsonb_object_agg(day, '[["09:00", "12:30"], ["14:00", "18:00"]]'::jsonb)
FROM generate_series(1, 5) n, unnest(ARRAY['mon', 'tue', 'wed', 'thu', 'fri']) day GROUP BY n;
INSERT INTO contacts (id, name, organisation, relation, country, owner_id, fields)
SELECT n, 'Person ' || n, 'Company ' || n, (ARRAY['prospect', 'customer', 'partner', 'other'])[1 + n % 4],
       (ARRAY['FR', 'DE', 'ES', 'IT', 'PT', 'BE', 'CH', 'GB'])[1 + n % 8], CASE WHEN n % 3 > 0 THEN 1 + n % 20 END,
       jsonb_build_object('size', n % 500)
FROM generate_series(1, {CONTACTS}) n;
INSERT INTO identities (contact_id, kind, address, given)
SELECT n, 'mail', 'person' || n || '@example.org', '' FROM generate_series(1, {CONTACTS}) n;
INSERT INTO consents (contact_id, purpose, state, since)
SELECT n, 'calls', 'granted', now() FROM generate_series(1, {CONTACTS}) n WHERE n % 2 = 0;
INSERT INTO consents (contact_id, purpose, state, since)
SELECT n, 'measure', 'granted', now() FROM generate_series(1, {CONTACTS}) n;
INSERT INTO campaigns (id, name, state) SELECT n, 'Campaign ' || n, 'running' FROM generate_series(1, {CAMPAIGNS}) n;
INSERT INTO messages (id, direction, channel, contact_id, campaign_id, tracking_level)
SELECT n, 'out', 'mail', n, 1 + n % {CAMPAIGNS}, 'full' FROM generate_series(1, {CONTACTS}) n;
"""
#: $1 how many, $2 whether they are judged, $3 a seed that moves the contacts
EVENTS_OF: Final = f"""
WITH made AS MATERIALIZED (
    SELECT nextval('events_id_seq') AS id, 1 + (dice / 10 + $3) % {REACHED} AS contact,
           CASE WHEN dice % 10 < 6 THEN 'Opened' WHEN dice % 10 < 9 THEN 'Clicked' ELSE 'Downloaded' END AS type,
           dice % 7 AS link
    FROM generate_series(1::bigint, $1) n, LATERAL (SELECT abs(hashint8(n + $3)::bigint) AS dice) rolled
), appended AS (
    INSERT INTO events (id, occurred_at, type, contact_id, message_id, campaign_id, data)
    SELECT id, now(), type, contact, contact, 1 + contact % {CAMPAIGNS}, jsonb_build_object('link_no', link) FROM made
), noted AS (
    INSERT INTO hits (event_id, occurred_at, message_id, campaign_id, contact_id, type, link_no, method, verdict,
                      settle_at, judged_at)
    SELECT id, now(), contact, 1 + contact % {CAMPAIGNS}, contact, type, link, 'GET',
           CASE WHEN NOT $2 THEN 'unsure' WHEN id % 10 IN (0, 4, 8) THEN 'machine' ELSE 'human' END, now(),
           CASE WHEN $2 THEN now() END
    FROM made
), pending AS (
    INSERT INTO pending_events (lane, event_id, recorded_at)
    SELECT contact % 32, id, now() FROM made JOIN router_interests USING (type)
)
SELECT array_agg(id) FROM made
"""
_JUDGE: Final = """
UPDATE hits SET judged_at = now(), verdict = CASE WHEN event_id % 10 IN (0, 4, 8) THEN 'machine' ELSE 'human' END
WHERE judged_at IS NULL
"""
_BARE_LOCK: Final = """
SELECT lane FROM router_lanes l WHERE EXISTS (SELECT FROM pending_events p WHERE p.lane = l.lane)
ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_BARE_TAKE: Final = """
DELETE FROM pending_events p
USING unnest($1::smallint[]) AS mine (lane),
      LATERAL (SELECT event_id FROM pending_events q WHERE q.lane = mine.lane ORDER BY event_id LIMIT $2) AS head
WHERE p.lane = mine.lane AND p.event_id = head.event_id
RETURNING p.event_id
"""


def write_rules() -> str:
    """The 200 rules, as YAML."""
    rules: list[dict[str, Any]] = []
    countries = ["FR", "DE", "ES", "IT", "PT", "BE", "CH", "GB"]
    for number in range(CAMPAIGNS):
        campaign = {"field": "campaign.name", "is": f"Campaign {number + 1}"}
        for which, when, more in (
            (
                "openers",
                ["Opened", "Clicked"],
                [{"field": "contact.relation", "is": "prospect"}, {"consent": "calls"}],
            ),
            ("clickers", ["Clicked"], [{"field": "event.link_no", "is": number % 7}]),
            ("readers", ["Opened", "Downloaded"], [{"field": "contact.fields.size", "more": 450}]),
        ):
            rules.append(
                {
                    "name": f"{which}-{number + 1}",
                    "when": when,
                    "where": {"all": [campaign, *more]},
                    "once": {"per": ["contact", "campaign"], "within": "30d"},
                    "then": [_task(number)],
                }
            )
    for number in range(40):
        rules.append(
            {
                "name": f"wide-{number}",
                "when": ["Clicked" if number < 28 else "Downloaded"],
                "where": {
                    "all": [
                        {
                            "field": "contact.country",
                            "in": [countries[number % 8], countries[(number + 3) % 8]],
                        },
                        {"not": {"field": "contact.relation", "is": "other"}},
                        {"field": "contact.fields.size", "is": 3 + number},
                    ]
                },
                "then": [_task(number)],
            }
        )
    for number in range(10):
        rules.append(
            {
                "name": f"again-{number}",
                "when": ["Clicked"],
                "where": {
                    "all": [
                        {"field": "campaign.name", "is": f"Campaign {number + 1}"},
                        {"did": "Opened", "judged": "human", "within": "30d", "at_least": 2},
                    ]
                },
                "once": "contact",
                "then": [_task(number)],
            }
        )
    for number in range(30):
        rules.append(
            {
                "name": f"other-{number}",
                "when": ["Received" if number % 2 else "Bounced"],
                "where": {"field": "contact.country", "is": countries[number % 8]},
                "then": [{"note": "seen"}],
            }
        )
    assert len(rules) == 200
    return yaml.safe_dump(rules)


def _task(number: int) -> dict[str, Any]:
    return {
        "open_task": {
            "kind": "callback",
            "title": "Call {contact.name} about {campaign.name}",
            "assign": {"owner": True, "else_team": f"team {1 + number % 5}"},
            "decide_within": "4 working hours",
            "due_within": "2 working days",
        }
    }


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Medians over `rounds`; the latency over one run of its own."""
    with tempfile.TemporaryDirectory(prefix="clytie-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Services(folder / "var") as services:
            urls = services.start()
            upgrade(urls.database_url)
            return uvloop.run(_measure(urls.database_url, rounds))


async def _measure(database_url: str, rounds: int) -> list[dict[str, Any]]:
    pool = await open_pool(database_url, min_size=4)
    await make_partitions(pool)
    await pool.execute(FILL)
    await apply_rules(pool, read_rules(write_rules()))
    await pool.execute("VACUUM ANALYZE")
    announcer = Announcer(pool)
    router = Router(pool, SystemClock(), announcer, RouterSettings(hold_margin=timedelta()))
    rates: dict[str, list[float]] = {"bare": [], "ours": [], "held": []}
    for number in range(rounds + 1):  # the first one warms up
        for kind in rates:
            await _fresh(pool)
            await pool.fetchval(EVENTS_OF, EVENTS, kind != "held", number * 101)
            await pool.execute("VACUUM ANALYZE pending_events, events, hits")
            started = time.perf_counter()
            if kind == "bare":
                await _drain_bare(pool, router.settings)
            else:
                await _drain(router)
            spent = time.perf_counter() - started
            if kind == "held":
                await pool.execute(_JUDGE)
                started = time.perf_counter()
                while await run_due_timers(router):
                    pass
                spent += time.perf_counter() - started
            assert await pool.fetchval("SELECT count(*) FROM pending_events") == 0
            if number:
                rates[kind].append(EVENTS / spent)
            if kind != "bare":
                tasks = await pool.fetchval("SELECT count(*) FROM tasks")
                assert tasks > EVENTS / 20, f"only {tasks} tasks were opened"
                print(
                    f"    {kind}: {EVENTS / spent:,.0f} events/s, {tasks / EVENTS:.0%} become tasks",
                    flush=True,
                )
    latencies = await _latencies(pool, router, database_url)
    await announcer.close()
    await pool.close()
    bare = statistics.median(rates["bare"])
    figures = [
        {
            "name": f"route: 200 rules, {what}, against bare claim-and-delete",
            "ours": statistics.median(rates[kind]),
            "yardstick": bare,
            "unit": "events/s",
            "ratio": statistics.median(rates[kind]) / bare,
        }
        for kind, what in (("ours", "judged hits"), ("held", "hits judged later"))
    ]
    cuts = statistics.quantiles(latencies, n=100)
    return figures + [
        {
            "name": f"route: event to task at {RATE}/s, {what}",
            "ours": cuts[percent - 1] * 1000,
            "yardstick": None,
            "unit": "ms",
            "ratio": None,
        }
        for what, percent in (("median", 50), ("p99", 99))
    ]


async def _fresh(pool: Pool) -> None:
    await pool.execute(
        "TRUNCATE events, hits, event_keys, pending_events, tasks, timers, rule_runs, rule_episodes, event_texts"
    )


async def _drain(router: Router) -> None:
    async def work() -> None:
        while await route_once(router):
            pass

    await asyncio.gather(*(work() for _ in range(router.settings.workers)))


async def _drain_bare(pool: Pool, settings: RouterSettings) -> None:
    async def work() -> None:
        while True:
            async with pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_BARE_LOCK, settings.lanes_at_once)
                if not rows:
                    return
                lanes = [row["lane"] for row in rows]
                await connection.fetch(_BARE_TAKE, lanes, max(1, settings.batch // len(lanes)))

    await asyncio.gather(*(work() for _ in range(settings.workers)))


async def _latencies(pool: Pool, router: Router, database_url: str) -> list[float]:
    """Seconds from the commit of an event to the commit of its task, for events after the warm-up."""
    await _fresh(pool)
    bell = Bell(database_url)
    bell.start()
    spans: list[tuple[float, float]] = []
    done = asyncio.Event()

    async def work() -> None:
        async with bell.subscribed() as rung:
            while not done.is_set():
                rung.clear()
                before = time.time()
                if await route_once(router):
                    spans.append((before, time.time()))
                    continue
                try:
                    await asyncio.wait_for(rung.wait(), router.settings.poll_seconds)
                except TimeoutError:
                    pass

    workers = [asyncio.create_task(work()) for _ in range(router.settings.workers)]
    feeder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.route", "--feed", database_url, stdout=subprocess.PIPE
    )
    output, _ = await feeder.communicate()
    await asyncio.sleep(1)
    done.set()
    bell.ring()
    await asyncio.gather(*workers)
    await bell.close()
    groups = [json.loads(line) for line in output.splitlines()]
    committed = {id: at for ids, at in groups for id in ids}
    began = groups[0][1] + WARM_UP
    rows = await pool.fetch(
        "SELECT event_id, extract(epoch FROM created_at)::float8 AS at FROM rule_runs WHERE result = 'acted'"
    )
    found = [
        _end_of(spans, row["at"]) - committed[row["event_id"]]
        for row in rows
        if committed[row["event_id"]] >= began
    ]
    took = groups[-1][1] - groups[0][1]
    print(f"    fed {len(committed) / took:,.0f} events/s, {len(found):,} tasks timed", flush=True)
    return found


def _end_of(spans: Sequence[tuple[float, float]], at: float) -> float:
    """When the transaction that began at `at` was committed; the later one, should two workers have begun then."""
    return max(end for start, end in spans if start <= at <= end)


async def _feed(database_url: str) -> None:
    """Commit RATE events each second in groups of ten, and tell each group's ids and the time of its commit."""
    pool = await open_pool(database_url, max_size=2)
    announcer = Announcer(pool)
    started = time.time()
    group = 10
    for number in range(RATE * SECONDS // group):
        await asyncio.sleep(started + number * group / RATE - time.time())
        ids = await pool.fetchval(EVENTS_OF, group, True, random.randrange(CONTACTS))
        print(json.dumps([ids, time.time()]), flush=True)
        announcer.touch()
    await announcer.close()
    await pool.close()


def main() -> None:
    """Print the figures; with --feed, be the process that commits events."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--feed", metavar="DATABASE_URL")
    arguments = parser.parse_args()
    if arguments.feed:
        uvloop.run(_feed(arguments.feed))
    else:
        print(json.dumps(run(arguments.rounds), indent=1))


if __name__ == "__main__":
    main()

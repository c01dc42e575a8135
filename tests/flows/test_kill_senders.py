"""Workers are killed and stopped at random moments: every mail arrives at most once, and no row is left open.

CLYTIE_TEST_KILLS sets how many blows there are (20), CLYTIE_TEST_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from campaigns import control
from campaigns.launch import launch
from channels.mail.parsed import Mailbox
from domain.clock import SystemClock
from domain.tokens import TokenUse
from outbox.composing import MailKitchen
from outbox.letters.writing import cancel_letter
from outbox.settings import OutboxSettings
from storage.pool import Pool, transaction
from tests.flows.worker_process import BASE_URL, KEYS
from tests.outbox.post import make_stationery, post

RECIPIENTS = 20_000
KILLS = int(os.environ.get("CLYTIE_TEST_KILLS", "20"))
SETTINGS = OutboxSettings(
    claim_lease=2, sending_lease=2.5, lease_margin=0.5, poll=0.2, claim_size=200, stop_grace=5
)
SOURCE = {
    "subject": "News for {{ contact.given_name }}",
    "from_address": "news@example.org",
    "html": "<html><body><p>Dear {{ contact.given_name }}, <a href='https://www.example.org/a'>read</a></p>"
    "<p><a href='{{ links.unsubscribe }}'>Unsubscribe</a></p></body></html>",
}

_SEED = """
WITH people AS (
    INSERT INTO contacts (name, given_name) SELECT 'Person ' || n, 'P' || n FROM generate_series(1, $1::int) AS n
    RETURNING id
), addressed AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT id, 'mail', 'p' || id || '@example.net', 'p' || id || '@example.net' FROM people
)
INSERT INTO consents (contact_id, purpose, state, since) SELECT id, 'newsletter', 'granted', now() FROM people
"""


class Fleet:
    """Worker processes and the sink that they send to."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        notes: Path,
        delay: float,
        settings: OutboxSettings = SETTINGS,
    ) -> None:
        self._settings = settings
        self._database_url = database_url
        self._redis_url = redis_url
        self._notes = notes
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._sink = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.sink", str(self._port), str(notes), str(delay)]
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more worker."""
        order = {
            "database_url": self._database_url,
            "redis_url": self._redis_url,
            "port": self._port,
            "outbox": self._settings.model_dump(mode="json"),
            "blobs": str(self._notes.parent / "blobs"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.worker_process", json.dumps(order)], stderr=subprocess.DEVNULL
        )
        self.workers.append(process)
        return process

    def arrived(self) -> Counter[int]:
        """How often the sink got each message, by id."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return Counter(map(_message_of, lines))

    def end(self) -> None:
        """End all processes."""
        for process in [*self.workers, self._sink]:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


def _message_of(line: str) -> int:
    """The message with this Message-ID: a token in campaigns, an id in letters."""
    name = line[1:].partition("@")[0]
    token = KEYS.verify(name, TokenUse.HEADER)
    if token is None:
        return int(name[1:].partition(".")[0])
    assert token.message_id is not None
    return token.message_id


@pytest.fixture
async def fleet(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(database_url, redis_url, tmp_path / "arrived", 0.02)
    yield fleet
    fleet.end()


async def launch_campaign(pool: Pool, rate: int | None, recipients: int = RECIPIENTS) -> int:
    await pool.execute(_SEED, recipients)
    await pool.execute("ANALYZE")
    campaign_id: int = await pool.fetchval(
        "WITH s AS (INSERT INTO segments (name, condition) VALUES ('all', $1) RETURNING id)"
        " INSERT INTO campaigns (name, segment_id, source, rate) SELECT 'News', id, $2, $3 FROM s RETURNING id",
        {"all": []},
        SOURCE,
        rate,
    )
    kitchen = MailKitchen(KEYS, BASE_URL, SETTINGS)
    assert await launch(pool, campaign_id, kitchen, SystemClock()) == recipients
    return campaign_id


async def until(check: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait until `check` gives true."""
    async with asyncio.timeout(seconds):
        while True:
            if await check():
                return
            await asyncio.sleep(0.05)


async def finished(pool: Pool, campaign_id: int, seconds: float) -> None:
    """Wait until the campaign is done."""

    async def is_done() -> bool:
        return bool(await pool.fetchval("SELECT state = 'done' FROM campaigns WHERE id = $1", campaign_id))

    await until(is_done, seconds)


async def strike(fleet: Fleet, place: int, dice: random.Random) -> str:
    """Kill a worker, or stop it for longer than its leases, at once; gives what was done."""
    process = fleet.workers[place]
    if dice.random() < 0.5:
        process.kill()
        process.wait()
        fleet.workers[place] = fleet.start()
        fleet.workers.pop()
        return "kill"
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(SETTINGS.sending_lease + dice.uniform(0.3, 1.5))
    process.send_signal(signal.SIGCONT)
    return "stop"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_mail_arrives_at_most_once_however_often_workers_are_killed(
    pool: Pool, fleet: Fleet, redis_url: str
) -> None:
    seed = int(os.environ.get("CLYTIE_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    dice = random.Random(seed)
    campaign_id = await launch_campaign(pool, rate=600)
    await pool.execute(
        "INSERT INTO suppressions (kind, address, reason, source)"
        " SELECT 'mail', address, 'complaint', 'test' FROM deliveries ORDER BY message_id DESC LIMIT 50"
    )
    fleet.start()
    fleet.start()
    await asyncio.sleep(1.5)
    blows: Counter[str] = Counter()

    async def harass(place: int, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(dice.uniform(0.3, 1.2))
            blows[await strike(fleet, place, dice)] += 1
            if dice.random() < 0.5:
                async with Redis.from_url(redis_url) as client:
                    await client.flushdb()

    await asyncio.gather(harass(0, KILLS // 2), harass(1, KILLS - KILLS // 2))
    await finished(pool, campaign_id, 120)

    rows = {
        row["message_id"]: row["state"]
        for row in await pool.fetch("SELECT message_id, state FROM deliveries")
    }
    arrived = fleet.arrived()
    states = Counter(rows.values())
    print(f"{dict(blows)} {dict(states)}")
    assert states.keys() <= {"sent", "rejected", "uncertain"}
    assert states["rejected"] == 50
    assert sum(states.values()) == RECIPIENTS
    assert states["uncertain"] <= SETTINGS.window * KILLS
    assert max(arrived.values()) == 1
    assert {key for key, state in rows.items() if state == "sent"} <= arrived.keys()
    assert not {key for key, state in rows.items() if state == "rejected"} & arrived.keys()
    told = await pool.fetch("SELECT message_id FROM events WHERE type = 'Sent'")
    assert Counter(row["message_id"] for row in told) == dict.fromkeys(
        (key for key, state in rows.items() if state == "sent"), 1
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_once_a_pause_is_answered_no_worker_marks_anything(pool: Pool, fleet: Fleet) -> None:
    campaign_id = await launch_campaign(pool, rate=None)
    fleet.start()
    fleet.start()
    marks = "SELECT sum(attempt) FROM deliveries"
    for _ in range(5):
        before = await pool.fetchval(marks)

        async def some_more(before: int = before) -> bool:
            return bool(await pool.fetchval(marks) >= before + 500)

        await until(some_more, 20)
        await control.pause(pool, campaign_id)
        marked = await pool.fetchval(marks)
        for _ in range(10):
            await asyncio.sleep(0.03)
            assert await pool.fetchval(marks) == marked
        await control.resume(pool, campaign_id)
    await finished(pool, campaign_id, 60)
    assert Counter(fleet.arrived().values()) == {1: RECIPIENTS}


@pytest.mark.slow
async def test_a_worker_that_is_told_to_stop_leaves_no_row_open(pool: Pool, fleet: Fleet) -> None:
    campaign_id = await launch_campaign(pool, rate=2000)
    process = fleet.start()

    async def begun() -> bool:
        return bool(fleet.arrived())

    await until(begun, 20)
    process.terminate()
    assert await asyncio.to_thread(process.wait, 15) == 0
    states = {row["state"] for row in await pool.fetch("SELECT DISTINCT state FROM deliveries")}
    assert states == {"queued", "sent"}
    assert await pool.fetchval("SELECT state FROM campaigns WHERE id = $1", campaign_id) == "running"


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_every_letter_arrives_at_most_once_however_often_workers_are_killed(
    pool: Pool, fleet: Fleet, redis_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CLYTIE_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    dice = random.Random(seed)
    stationery = make_stationery(tmp_path, SETTINGS)
    fleet.start()
    fleet.start()
    undone: set[int] = set()

    async def write(count: int) -> None:
        """Letters to two people each, some of them called back at once."""
        for _ in range(count):
            cc = (Mailbox("", "bob@example.net"),)
            soon = datetime.now(UTC) + timedelta(seconds=dice.choice([0, 0, 1]))
            message_id = await post(pool, stationery, cc=cc, not_before=soon)
            if dice.random() < 0.1:
                async with transaction(pool) as connection:
                    if await cancel_letter(connection, message_id):
                        undone.add(message_id)

    async def harass(place: int) -> None:
        for _ in range(max(2, KILLS // 4)):
            await asyncio.sleep(dice.uniform(0.3, 1.0))
            await strike(fleet, place, dice)

    await asyncio.gather(harass(0), harass(1), *(write(400) for _ in range(3)))

    async def all_settled() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM delivery_ranges")

    await until(all_settled, 90)
    rows = await pool.fetch(
        "SELECT state, coalesce(l.copy_of, l.message_id) AS letter FROM deliveries JOIN letters AS l USING (message_id)"
    )
    states = Counter(row["state"] for row in rows)
    print(dict(states))
    arrived = fleet.arrived()
    sent = Counter(row["letter"] for row in rows if row["state"] == "sent")
    maybe = Counter(row["letter"] for row in rows if row["state"] in ("sent", "uncertain"))
    assert states.keys() <= {"sent", "uncertain", "cancelled"}
    assert sum(states.values()) == 2400
    assert states["cancelled"] == 2 * len(undone)
    assert all(sent[letter] <= arrived[letter] <= maybe[letter] for letter in {*sent, *arrived})
    assert not undone & arrived.keys()

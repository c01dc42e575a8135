"""People who received a mail, and doors for them: what the tests of tracking start from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from asyncpg import Record

from domain.clock import Clock, FixedClock
from domain.tokens import TokenKeys, TokenUse
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tracking.hits import Hit
from tracking.recorder import Recorder
from tracking.settings import TrackingSettings
from web.tracking.doors import TrackingEndpoints, add_tracking_routes

KEYS: Final = TokenKeys({1: b"the tests' own key, 32 bytes long"})
NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SPRING: Final = datetime(2026, 3, 1, tzinfo=UTC)
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
LINK: Final = "https://www.helianthe.example/roofs?utm=june#prices"
Client = TestClient[web.Request, web.Application]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that somebody received."""

    contact_id: int
    message_id: int
    campaign_id: int

    @property
    def token(self) -> str:
        """Its measuring token."""
        return KEYS.sign(TokenUse.MEASURE, self.campaign_id, self.message_id)

    @property
    def pixel(self) -> str:
        """The path of its pixel."""
        return f"/o/{self.token}.gif"

    def link(self, number: int) -> str:
        """The path of one of its links."""
        return f"/c/{self.token}.{number}"

    @property
    def preferences(self) -> str:
        """The path of its unsubscribe page."""
        return f"/u/{KEYS.sign(TokenUse.UNSUBSCRIBE, self.campaign_id, self.message_id)}"

    def hit(self, kind: str = "Opened", **facts: Any) -> Hit:
        """A hit on it, as the doors hand it in."""
        plain: dict[str, Any] = {
            "type": kind,
            "occurred_at": NOON,
            "campaign_id": self.campaign_id,
            "message_id": self.message_id,
            "link_no": None,
            "method": "GET",
            "address": "192.0.2.7",
            "agent": BROWSER,
            "reasons": "",
            "data": None,
        }
        return Hit(**(plain | facts))


async def send_letter(
    pool: Pool, level: str = "full", measure: str | None = "granted", *, language: str | None = None
) -> Letter:
    """A person who received a mail of this tracking level and whose consent to measuring is in this state."""
    contact_id = await pool.fetchval(
        "INSERT INTO contacts (name, language) VALUES ('Ana Sousa', $1) RETURNING id", language
    )
    await pool.execute("INSERT INTO consents VALUES ($1, 'newsletter', 'granted', $2)", contact_id, SPRING)
    if measure is not None:
        await pool.execute("INSERT INTO consents VALUES ($1, 'measure', $2, $3)", contact_id, measure, SPRING)
    identity_id = await pool.fetchval(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, $2) RETURNING id",
        contact_id,
        f"ana{contact_id}@example.org",
    )
    campaign_id = await pool.fetchval(
        "INSERT INTO campaigns (name, state, launched_at) VALUES ('June', 'running', now())"
        " ON CONFLICT (name) DO UPDATE SET state = 'running' RETURNING id"
    )
    await pool.execute(
        "INSERT INTO campaign_links (campaign_id, no, url) SELECT $1, n, $2 FROM generate_series(1, 5) n"
        " ON CONFLICT DO NOTHING",
        campaign_id,
        LINK,
    )
    message_id = await pool.fetchval(
        "INSERT INTO messages (direction, channel, contact_id, identity_id, campaign_id, tracking_level)"
        " VALUES ('out', 'mail', $1, $2, $3, $4) RETURNING id",
        contact_id,
        identity_id,
        campaign_id,
        level,
    )
    await pool.execute(
        "INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state, settled_at)"
        " VALUES ($1, $2, $3, 'mail', 'ana@example.org', 'sent', now() - interval '1 hour')",
        message_id,
        campaign_id,
        contact_id,
    )
    return Letter(contact_id, message_id, campaign_id)


@asynccontextmanager
async def open_recorder(pool: Pool, settings: TrackingSettings | None = None) -> AsyncIterator[Recorder]:
    """A recorder at work."""
    announcer = Announcer(pool)
    recorder = Recorder(pool, announcer, settings)
    recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close()
        await announcer.close()


@asynccontextmanager
async def open_doors(
    pool: Pool, folder: Path, settings: TrackingSettings | None = None, clock: Clock | None = None
) -> AsyncIterator[Client]:
    """The doors on a free port of 127.0.0.1, and a client that follows no redirect."""
    settings = settings or TrackingSettings()
    async with open_recorder(pool, settings) as recorder:
        app = web.Application()
        endpoints = TrackingEndpoints(
            pool, recorder, Announcer(pool), clock or FixedClock(NOON), KEYS, BlobStore(folder), settings
        )
        add_tracking_routes(app, endpoints)
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:
            yield client
        await endpoints.announcer.close()


async def read_hits(pool: Pool) -> Sequence[Record]:
    """Every personal hit with its event, in order."""
    rows: list[Record] = await pool.fetch(
        "SELECT e.*, h.link_no, h.method, host(h.address) AS address, h.agent, h.verdict, h.reasons, h.settle_at"
        " FROM events e JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at ORDER BY e.id"
    )
    return rows


async def read_counts(pool: Pool) -> dict[tuple[str, int], int]:
    """The anonymous counts by type and link."""
    rows = await pool.fetch("SELECT type, link_no, sum(count)::int AS n FROM hit_counts GROUP BY 1, 2")
    return {(row["type"], row["link_no"]): row["n"] for row in rows}


async def count_traces(pool: Pool) -> int:
    """Rows in every place where a hit could leave a trace."""
    return int(
        await pool.fetchval(
            "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM hits) + (SELECT count(*) FROM hit_counts)"
            " + (SELECT count(*) FROM pending_events)"
            " + (SELECT count(*) FROM identities WHERE last_open_day IS NOT NULL)"
        )
    )


async def until(condition: Any, seconds: float = 10.0) -> None:
    """Wait until an async condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(0.02)

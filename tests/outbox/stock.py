"""A running campaign with queued rows, put into the database directly, and a channel that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from channels.base import CallbackRequest, Capability, Received
from domain.clock import SystemClock
from domain.errors import UnsupportedFeature
from domain.events import NewEvent
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome, Receipt
from outbox.queue import Claimed
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from storage.announce import Announcer
from storage.pool import Pool

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)

#: Short leases, so that a test sees them run out.
BRISK = OutboxSettings(claim_lease=5, sending_lease=5, lease_margin=1, poll=0.1, stop_grace=2, retry_after=60)


async def stock_campaign(
    pool: Pool, count: int, *, name: str = "News", rate: int | None = None, size: int = 500
) -> int:
    """A running campaign with `count` queued rows in ranges of `size`; contact n has the address n@example.org."""
    campaign_id: int = await pool.fetchval(
        "INSERT INTO campaigns (name, state, rate, recipients, launched_at) VALUES ($1, 'running', $2, $3, now())"
        " RETURNING id",
        name,
        rate,
        count,
    )
    await pool.execute(
        "WITH people AS (INSERT INTO contacts (name) SELECT 'P' || n FROM generate_series(1, $2::int) n RETURNING id),"
        " consented AS (INSERT INTO consents (contact_id, purpose, state, since)"
        "   SELECT id, 'newsletter', 'granted', now() FROM people),"
        " written AS (INSERT INTO messages (direction, channel, contact_id, campaign_id)"
        "   SELECT 'out', 'mail', id, $1 FROM people ORDER BY id RETURNING id, contact_id)"
        " INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address)"
        " SELECT id, $1, contact_id, 'mail', contact_id || '@example.org' FROM written",
        campaign_id,
        count,
    )
    await pool.execute(
        "INSERT INTO delivery_ranges (low, high, campaign_id, ready_at)"
        " SELECT min(message_id), max(message_id), $1, now() FROM"
        " (SELECT message_id, row_number() OVER (ORDER BY message_id) - 1 AS place FROM deliveries"
        "  WHERE campaign_id = $1) AS placed GROUP BY place / $2",
        campaign_id,
        size,
    )
    await pool.execute(
        "UPDATE campaigns SET first_message_id = (SELECT min(id) FROM messages WHERE campaign_id = $1),"
        " last_message_id = (SELECT max(id) FROM messages WHERE campaign_id = $1) WHERE id = $1",
        campaign_id,
    )
    return campaign_id


async def states(pool: Pool) -> dict[str, int]:
    """How many deliveries stand in each state."""
    rows = await pool.fetch("SELECT state, count(*) FROM deliveries GROUP BY state")
    return {row["state"]: row["count"] for row in rows}


async def events(pool: Pool) -> dict[str, int]:
    """How many events there are of each type."""
    rows = await pool.fetch("SELECT type, count(*) FROM events GROUP BY type")
    return {row["type"]: row["count"] for row in rows}


class PlainComposer:
    """Composes a line for everybody; refuses the contacts in `refused`."""

    wants_fields = False

    def __init__(self, campaign_id: int, refused: frozenset[int] = frozenset()) -> None:
        self.campaign_id = campaign_id
        self.refused = refused

    def compose(self, rows: Sequence[Any], now: datetime) -> list[Claimed]:
        composed = []
        for row in rows:
            claimed = Claimed(
                row["message_id"],
                row["attempt"],
                row["claim"],
                self.campaign_id,
                row["contact_id"],
                row["email"],
                "mail",
            )
            if row["contact_id"] in self.refused:
                claimed.refusal = "content_invalid"
            else:
                claimed.message = Outbound(
                    row["message_id"],
                    row["attempt"] + 1,
                    "news@example.org",
                    row["email"],
                    f"Message-ID: <m{row['message_id']}.{self.campaign_id}@example.org>\r\n\r\nHello\r\n.\r\n".encode(),
                )
            composed.append(claimed)
        return composed


Decide = Callable[[Outbound], Outcome | None]


def accept(message: Outbound) -> Outcome:
    """The other side takes the message."""
    return Outcome(message.key, message.attempt, DeliveryState.SENT, "250 ok")


class ObedientChannel:
    """Gives each message the outcome that `decide` says; None keeps it under way until it is cancelled."""

    name: ClassVar[str] = "obedient"
    kind: ClassVar[ChannelKind] = ChannelKind.MAIL
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.SEND})
    settings_model: ClassVar[type[BaseModel]] = BaseModel

    def __init__(self, decide: Decide = accept, delay: float = 0.0) -> None:
        self.decide = decide
        self.delay = delay
        self.taken: list[Outbound] = []

    async def deliver(self, batch: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        self.taken.extend(batch)
        if self.delay:
            await asyncio.sleep(self.delay)
        kept = []
        for message in batch:
            outcome = self.decide(message)
            if outcome is None:
                kept.append(message)
            else:
                settle(outcome)
        if kept:
            try:
                await asyncio.Event().wait()
            finally:
                for message in kept:
                    settle(
                        Outcome(message.key, message.attempt, DeliveryState.UNCERTAIN, reason="interrupted")
                    )

    async def send(self, message: Outbound) -> Receipt:
        raise UnsupportedFeature("tests deliver in batches")

    async def close(self) -> None:
        pass

    def parse_callback(self, request: CallbackRequest) -> list[NewEvent]:
        raise UnsupportedFeature("no callbacks")

    def parse_inbound(self, raw: bytes) -> Received:
        raise UnsupportedFeature("nothing arrives")


def make_sender(
    pool: Pool,
    channel: ObedientChannel,
    settings: OutboxSettings = BRISK,
    refused: frozenset[int] = frozenset(),
) -> Sender:
    """A sender over a plain composer."""

    async def make_composer(campaign: Any) -> PlainComposer:
        return PlainComposer(campaign["id"], refused)

    return Sender(pool, channel, make_composer, settings, SystemClock(), Announcer(pool))


async def run_until(sender: Sender, done: Callable[[], Any], timeout: float = 20) -> None:
    """Run a sender until the coroutine function `done` gives something true, then stop it in good order."""
    stop = asyncio.Event()
    task = asyncio.create_task(sender.run(stop))
    try:
        async with asyncio.timeout(timeout):
            while not await done():
                if task.done():
                    await task
                await asyncio.sleep(0.02)
    finally:
        stop.set()
        await task

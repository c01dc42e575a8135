"""Short messages for tests: they come in as the provider posts them, and are read as a worker reads them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from channels.base import Received
from channels.sms.inbound import read_envelope
from domain.clock import FixedClock
from domain.messages import ChannelKind
from inbox.arrival.intake import Intake
from inbox.texts.reading import SmsReader
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.channels.sms.provider import inbound_form

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
ANA, OURS = "+33639980001", "+33700000001"


@dataclass
class Phones:
    """People with phones, and a reader of what they write."""

    pool: Pool
    intake: Intake
    reader: SmsReader
    clock: FixedClock
    blobs: BlobStore
    _numbers: itertools.count[int]

    async def drop(self, **fields: str) -> int:
        """A message comes in by the provider's door; gives the number of its bytes."""
        form = inbound_form(
            **{"MessageSid": f"SM{next(self._numbers):032x}", "From": ANA, "To": OURS, **fields}
        )
        return await self.drop_bytes(urlencode(form).encode())

    async def drop_bytes(self, raw: bytes) -> int:
        """Bytes come in."""
        seen = read_envelope(raw)
        received = Received(raw, seen.sender, seen.recipients, "sms", seen.cursor, kind=ChannelKind.SMS)
        return (await self.intake.take(received)).raw_id

    async def write(self, body: str, **fields: str) -> dict[str, Any]:
        """Somebody writes, and it is read; gives the message, or nothing where it was not read."""
        raw_id = await self.drop(Body=body, **fields)
        await self.reader.read_due()
        row = await self.pool.fetchrow(
            """SELECT m.*, x.body, r.state AS raw_state, r.reason FROM raw_mails r LEFT JOIN messages m ON m.id = r.message_id
               LEFT JOIN message_contents x ON x.message_id = m.id WHERE r.id = $1""",
            raw_id,
        )
        assert row is not None
        return dict(row)

    async def person(self, name: str, number: str = ANA) -> int:
        """Somebody with a number."""
        contact: int = await self.pool.fetchval("INSERT INTO contacts (name) VALUES ($1) RETURNING id", name)
        await self.pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
            contact,
            number,
        )
        return contact

    async def conversation(self, number: int) -> dict[str, Any]:
        """A conversation."""
        row = await self.pool.fetchrow("SELECT * FROM conversations WHERE id = $1", number)
        assert row is not None
        return dict(row)

    async def told(self, message_id: int) -> list[tuple[str, dict[str, Any]]]:
        """What was told about a message: types and facts."""
        rows = await self.pool.fetch(
            "SELECT type, data FROM events WHERE message_id = $1 ORDER BY id", message_id
        )
        return [(row["type"], row["data"]) for row in rows]


@asynccontextmanager
async def open_phones(pool: Pool, folder: Path) -> AsyncIterator[Phones]:
    """A house that takes short messages."""
    blobs, clock, announcer = BlobStore(folder / "blobs"), FixedClock(NOW), Announcer(pool)
    intake = Intake(pool, blobs, announcer)
    try:
        yield Phones(pool, intake, SmsReader(pool, blobs, clock, announcer), clock, blobs, itertools.count(1))
    finally:
        await intake.close()
        await announcer.close()

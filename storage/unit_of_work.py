"""One transaction and the events that belong to it: both are committed, or neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from domain.events import NewEvent
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Connection, Pool


@dataclass(slots=True)
class UnitOfWork:
    """An open transaction; events handed to `tell` are appended right before it commits."""

    connection: Connection
    events: list[NewEvent] = field(default_factory=list)

    def tell(self, *events: NewEvent) -> None:
        """Remember events that this work amounts to."""
        self.events.extend(events)


@asynccontextmanager
async def unit_of_work(pool: Pool, announcer: Announcer | None = None) -> AsyncIterator[UnitOfWork]:
    """Open a transaction; at its end record the events, commit, and announce it."""
    async with pool.acquire() as connection, connection.transaction():
        work = UnitOfWork(connection)
        yield work
        await record(connection, work.events)
    if announcer is not None:
        announcer.touch()

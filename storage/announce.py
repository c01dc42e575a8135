"""Tell readers that something was committed: NOTIFY without payload, at most once per interval.

A NOTIFY in every small commit takes a lock that all commits share and costs most of the throughput, so writers
only raise a flag here. Losing an announcement loses nothing: readers poll as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from storage.pool import Pool

CHANNEL: Final = "clytie_events"


class Announcer:
    """Sends at most one NOTIFY per `interval` seconds, after the work it tells of was committed."""

    def __init__(self, pool: Pool, *, interval: float = 0.05) -> None:
        self._pool = pool
        self._interval = interval
        self._raised = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Something was committed."""
        self._raised.set()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.get_running_loop().create_task(self._run(), name="announcer")

    async def _run(self) -> None:
        while True:
            await self._raised.wait()
            self._raised.clear()
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._pool.execute(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(self._interval)

    async def close(self) -> None:
        """Send what is still to be told, and stop."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        if self._raised.is_set():
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._pool.execute(f"NOTIFY {CHANNEL}")


class Bell:
    """Rings whenever an announcement arrives; one per process, any number of waiters.

    `wait(timeout)` comes back after an announcement or after `timeout` seconds, whichever is first, so a loop
    that calls it also polls.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._waiters: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; reconnects by itself."""
        self._task = asyncio.get_running_loop().create_task(self._listen(), name="bell")

    def ring(self) -> None:
        """Wake every waiter of this process."""
        for waiter in self._waiters:
            waiter.set()

    async def wait(self, timeout: float) -> None:
        """Wait for the next ring, at most `timeout` seconds."""
        async with self.subscribed() as rung:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), timeout)

    @contextlib.asynccontextmanager
    async def subscribed(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each ring; clear it before looking, so that none is missed."""
        rung = asyncio.Event()
        self._waiters.add(rung)
        try:
            yield rung
        finally:
            self._waiters.discard(rung)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=10)
                try:
                    await self._ring_until_lost(connection)
                finally:
                    if not connection.is_closed():
                        await connection.close(timeout=2)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                pass
            await asyncio.sleep(1)

    async def _ring_until_lost(self, connection: asyncpg.Connection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_: lost.set())
        await connection.add_listener(CHANNEL, lambda *_: self.ring())
        self.ring()  # whatever was announced before we listened
        await lost.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

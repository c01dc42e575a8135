"""Where the rooms are wired together: each role's context, built from the settings and taken down again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from clytie.keys import load_token_keys
from clytie.settings import Settings
from domain.clock import SystemClock
from domain.errors import ConfigurationError
from outbox.composing import MailKitchen
from storage.announce import Announcer, Bell
from storage.house_clock import read_offset
from storage.pool import Pool, open_pool


@dataclass(slots=True)
class Core:
    """What every role needs: the database, announcements and business time."""

    pool: Pool
    announcer: Announcer
    clock: SystemClock


@asynccontextmanager
async def open_core(settings: Settings, *, connections: int = 10) -> AsyncIterator[Core]:
    """Connect to the database of the settings. Raises ConfigurationError when none is named."""
    if settings.database_url is None:
        raise ConfigurationError("CLYTIE_DATABASE_URL is not set; `clytie serve` sets it for its processes.")
    async with AsyncExitStack() as stack:
        pool = await open_pool(settings.database_url, max_size=connections)
        stack.push_async_callback(pool.close)
        announcer = Announcer(pool)
        stack.push_async_callback(announcer.close)
        yield Core(pool, announcer, SystemClock(await read_offset(pool)))


@asynccontextmanager
async def open_bell(database_url: str) -> AsyncIterator[Bell]:
    """Listen for announcements."""
    bell = Bell(database_url)
    bell.start()
    try:
        yield bell
    finally:
        await bell.close()


def open_kitchen(settings: Settings) -> MailKitchen:
    """What composing mail takes: keys and the public address."""
    return MailKitchen(
        load_token_keys(settings.token_keys, settings.var), settings.public_url, settings.outbox
    )

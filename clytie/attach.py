"""How a command reaches the servers: those of the settings, those of the house that runs, or its own for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clytie.running import read_note
from clytie.serve import open_services
from clytie.services.supervisor import ServiceUrls
from clytie.settings import Settings
from domain.errors import Conflict
from storage.migrations import upgrade_async


@asynccontextmanager
async def reach_servers(settings: Settings) -> AsyncIterator[ServiceUrls]:
    """Servers with a migrated database; embedded ones that this command had to start are stopped at the end.

    Raises what `Services.start` raises.
    """
    services = open_services(settings)
    try:
        urls = await asyncio.to_thread(services.start)
    except Conflict:
        running = read_note(settings.var)
        if running is None:
            raise
        yield running
        return
    try:
        await upgrade_async(urls.database_url)
        yield urls
    finally:
        await asyncio.to_thread(services.stop)

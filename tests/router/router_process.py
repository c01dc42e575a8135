"""A router process of its own, for tests that kill it: `python -m tests.router.router_process DATABASE_URL`."""

from __future__ import annotations

import asyncio
import sys

from domain.clock import SystemClock
from router.loop import Router, run_router
from router.settings import RouterSettings
from router.timers import run_timers
from storage.announce import Announcer, Bell
from storage.pool import open_pool


async def main(database_url: str) -> None:
    """Route until killed; small batches, so that a kill meets a transaction."""
    pool = await open_pool(database_url, max_size=4)
    bell = Bell(database_url)
    bell.start()
    router = Router(
        pool, SystemClock(), Announcer(pool), RouterSettings(batch=20, lanes_at_once=4, poll_seconds=0.05)
    )
    stop = asyncio.Event()
    print("routing", flush=True)
    await asyncio.gather(run_router(router, bell, stop), run_timers(router, stop))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

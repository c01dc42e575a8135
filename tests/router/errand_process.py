"""A process that does errands, for tests that kill it: `python -m tests.router.errand_process DATABASE_URL`."""

from __future__ import annotations

import asyncio
import sys

from channels.http.hooks import Hooks
from channels.http.public import read_networks
from domain.clock import SystemClock
from router.errands.webhook import WebhookErrand
from router.performing import Performer
from router.settings import RouterSettings
from storage.announce import Announcer
from storage.pool import open_pool


async def main(database_url: str) -> None:
    """Post webhooks until killed."""
    pool = await open_pool(database_url, max_size=4)
    hooks = Hooks(b"k" * 32, read_networks(["127.0.0.1"]), 30.0, 4)
    performer = Performer(
        pool, SystemClock(), Announcer(pool), RouterSettings(), outside={"webhook": WebhookErrand(hooks)}
    )
    print("posting", flush=True)
    while True:
        if not await performer.perform_outside():
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

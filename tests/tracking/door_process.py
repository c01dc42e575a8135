"""The doors in a process of their own, for tests that kill it: `python -m tests.tracking.door_process URL PORT`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop
from aiohttp import web

from domain.clock import SystemClock
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import open_pool
from tests.tracking.town import KEYS
from tracking.recorder import Recorder
from tracking.settings import TrackingSettings
from web.tracking.doors import TrackingEndpoints, add_tracking_routes


async def main(database_url: str, port: int) -> None:
    """Serve until killed."""
    pool = await open_pool(database_url, max_size=4)
    announcer, settings = Announcer(pool), TrackingSettings()
    recorder = Recorder(pool, announcer, settings)
    recorder.start()
    app = web.Application()
    with tempfile.TemporaryDirectory() as folder:
        blobs = BlobStore(Path(folder))
        add_tracking_routes(
            app, TrackingEndpoints(pool, recorder, announcer, SystemClock(), KEYS, blobs, settings)
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        print("open", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))

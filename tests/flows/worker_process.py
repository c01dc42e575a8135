"""A worker process for tests: the real loops with short leases. `python -m tests.flows.worker_process JSON`."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

import uvloop

from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel
from domain.clock import SystemClock
from domain.tokens import TokenKeys
from outbox.composing import MailKitchen
from outbox.letters.composing import LetterComposer
from outbox.settings import OutboxSettings
from storage.announce import Announcer, Bell
from storage.blobs import BlobStore
from storage.pool import open_pool
from worker.context import WorkerContext
from worker.run import run_worker

KEYS = TokenKeys({1: bytes(range(32))})
BASE_URL = "https://news.example.org"


async def work(order: dict[str, object]) -> None:
    """Work until SIGTERM."""
    url = str(order["database_url"])
    outbox = OutboxSettings.model_validate(order["outbox"])
    mail = MailSettings(
        port=int(str(order["port"])),
        encryption=Encryption.NEVER,
        connections=20,
        client_name="worker.example",
    )
    pool = await open_pool(url, max_size=14)
    bell = Bell(url)
    bell.start()
    channel = MailChannel(mail)

    async def refuse_import(import_id: int) -> None:
        raise RuntimeError(f"nobody asked for import {import_id}")

    context = WorkerContext(
        pool=pool,
        announcer=Announcer(pool),
        bell=bell,
        clock=SystemClock(),
        channel=channel,
        kitchen=MailKitchen(KEYS, BASE_URL, outbox),
        run_import=refuse_import,
        redis_url=str(order["redis_url"]),
        outbox=outbox,
        letters=LetterComposer(BlobStore(Path(str(order["blobs"])))) if "blobs" in order else None,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_worker(context, stop)
    await channel.close()
    await context.announcer.close()
    await bell.close()
    await pool.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(json.loads(sys.argv[1])))

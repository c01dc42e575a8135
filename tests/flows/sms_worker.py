"""A worker process that sends short messages, with short leases. `python -m tests.flows.sms_worker JSON`."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from functools import partial
from typing import Any

import uvloop

from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel
from channels.sms.settings import TwilioSettings
from channels.sms.twilio import TwilioSms
from domain.clock import SystemClock
from domain.tokens import TokenKeys
from inbox.texts.consent import opt_out
from inbox.texts.reports import take_report
from outbox.composing import MailKitchen
from outbox.settings import OutboxSettings
from outbox.texts.composing import SmsKitchen, SmsLetterComposer
from outbox.texts.doubts import Doubts
from storage.announce import Announcer, Bell
from storage.pool import open_pool
from worker.context import CONNECTIONS, SmsWork, WorkerContext
from worker.run import run_worker

KEYS = TokenKeys({1: bytes(range(32))})


async def work(order: dict[str, Any]) -> None:
    """Work until SIGTERM."""
    outbox = OutboxSettings.model_validate(order["outbox"])
    pool = await open_pool(order["database_url"], max_size=CONNECTIONS)
    bell = Bell(order["database_url"])
    bell.start()
    cooking = MailKitchen(KEYS, "https://hub.example", outbox)
    kitchen = SmsKitchen(cooking, KEYS)
    announcer, clock, letters = Announcer(pool), SystemClock(), SmsLetterComposer(KEYS)
    sms = TwilioSms(TwilioSettings.model_validate(order["sms"]))
    mail = MailChannel(MailSettings(port=9, encryption=Encryption.NEVER))
    report = partial(take_report, pool, clock, announcer=announcer)
    doubts = Doubts(pool, sms, letters, kitchen.composer, clock, announcer, opt_out, report, after=0.5)

    async def refuse_import(import_id: int) -> None:
        raise RuntimeError(f"nobody asked for import {import_id}")

    context = WorkerContext(
        pool=pool,
        announcer=announcer,
        bell=bell,
        clock=clock,
        channel=mail,
        kitchen=cooking,
        run_import=refuse_import,
        outbox=outbox,
        sms=SmsWork(
            sms, kitchen.composer, letters, doubts.settle_due, 2 * sms.settings.connections, sms.pace
        ),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_worker(context, stop)
    await sms.close()
    await mail.close()
    await announcer.close()
    await bell.close()
    await pool.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(json.loads(sys.argv[1])))

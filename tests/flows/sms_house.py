"""A whole house of short messages for tests: callbacks, readers and a sender as a deployment wires them, and the test
carrier with its phones on the other side."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import time
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from campaigns.drafts import CampaignInput, create_campaign
from campaigns.launch import launch
from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.records import Message
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from channels.sms.settings import TwilioSettings
from channels.sms.twilio import TwilioSms
from clytie.keys import load_token_keys
from clytie.settings import Settings
from clytie.text_sending import open_sms_sending
from clytie.texting import open_sms_callbacks, open_sms_loops
from domain.clock import SystemClock
from domain.consent import Purpose
from domain.messages import ChannelKind
from inbox.texts.consent import opt_out
from inbox.texts.reports import take_report
from outbox.composing import MailKitchen
from outbox.letters.letter import LetterFile, LetterKind
from outbox.settings import OutboxSettings
from outbox.texts.doubts import Doubts
from outbox.texts.hours import TextHours
from outbox.texts.letters import SmsLetter, write_sms
from storage.announce import Announcer, Bell
from storage.blobs import BlobStore
from storage.pool import Pool, transaction
from web.callbacks.sms import SMS_PATH, add_sms_callbacks
from web.settings import WebSettings
from worker.context import WorkerContext
from worker.run import run_worker

TOKEN = "0123456789abcdef" * 2
PUBLIC = "https://hub.example"
OURS, OTHER = "+33644600001", "+33644600002"
ALWAYS = TextHours(begin=time(0), end=time(23, 59, 59, 999_999), days=(1, 2, 3, 4, 5, 6, 7))
_PERSON = """
WITH person AS (INSERT INTO contacts (name, given_name, language) VALUES ($1, $1, 'fr') RETURNING id),
     phone AS (INSERT INTO identities (contact_id, kind, address, given) SELECT id, 'phone', $2, $2 FROM person),
     told AS (INSERT INTO consent_ledger (contact_id, purpose, state, wording, source, occurred_at)
              SELECT id, 'texts', 'granted', 'Text me your offers.', 'form', now() - interval '1 day' FROM person)
INSERT INTO consents (contact_id, purpose, state, since)
SELECT id, 'texts', 'granted', now() - interval '1 day' FROM person RETURNING contact_id
"""


@dataclass
class House:
    """The house and the carrier."""

    pool: Pool
    settings: Settings
    carrier: Carrier

    def misbehave(self, *tricks: Trick | None, **how: Any) -> None:
        """Have the carrier misbehave towards messages of ours."""
        for trick in tricks:
            if trick is not None:
                rule = Rule.model_validate({"trick": trick, "resource": "messages", **how})
                self.carrier.parts.exchange.mischief.add(rule)

    def sent(self, number: str | None = None) -> list[Message]:
        """What the carrier took from us through its interface, for all or one number."""
        every = self.carrier.parts.exchange.memory.messages.values()
        return [one for one in every if one.direction == "outbound-api" and number in (None, one.to)]

    async def person(self, name: str, number: str) -> int:
        """Somebody who agreed to get texts."""
        contact: int = await self.pool.fetchval(_PERSON, name, number)
        return contact

    async def campaign(self, name: str, text: str = "Bonjour {{ contact.given_name }}") -> int:
        """Launch a campaign to everybody."""
        segment = await self.pool.fetchval(
            """INSERT INTO segments (name, condition) VALUES ('all', $1)
               ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id""",
            {"all": []},
        )
        source = {"sender": OURS, "text": text}
        async with self.pool.acquire() as connection:
            given = CampaignInput(
                name=name,
                segment_id=segment,
                purpose=Purpose.TEXTS,
                source=source,
                channel=ChannelKind.SMS,
            )
            number = await create_campaign(connection, given)
        tokens = load_token_keys(self.settings.token_keys, self.settings.var)
        await launch(self.pool, number, MailKitchen(tokens, PUBLIC, self.settings.outbox), SystemClock())
        return number

    async def letter(self, number: str, text: str, *files: LetterFile) -> int:
        """Write to one person."""
        letter = SmsLetter(LetterKind.ANSWER, OURS, number, text, files=files)
        async with transaction(self.pool) as connection:
            blobs = BlobStore(self.settings.var / "blobs")
            return await write_sms(connection, letter, SystemClock(), blobs)

    async def states(self, **which: int) -> dict[str, int]:
        """How many deliveries are in each state, of all or one campaign."""
        rows = await self.pool.fetch(
            "SELECT state, count(*) FROM deliveries WHERE $1::int IS NULL OR campaign_id = $1 GROUP BY state",
            which.get("campaign"),
        )
        return {row["state"]: row["count"] for row in rows}


async def eventually(look: Callable[[], Awaitable[object]], seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 - other tasks and processes change it
            await asyncio.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def open_house(
    pool: Pool, database_url: str, folder: Path, *, rate: float = 1000, reports: bool = True
) -> AsyncIterator[House]:
    """The house, open. Without `reports`, the provider is asked for none."""
    port = free_port()
    inbound = f"{PUBLIC}{SMS_PATH}/inbound"
    carrier = Carrier(
        CarrierSettings.model_validate(
            {
                "port": 0,
                "auth_token": TOKEN,
                "numbers": [NumberSettings(phone_number=one, sms_url=inbound) for one in (OURS, OTHER)],
                "routes": {PUBLIC: f"http://127.0.0.1:{port}"},
                "second": 0.02,
            }
        )
    )
    await carrier.start()
    account = {
        "account_sid": carrier.settings.account_sid,
        "auth_token": TOKEN,
        "base_url": carrier.url,
        "callback_url": f"{PUBLIC}{SMS_PATH}" if reports else "",
        "rate": rate,
        "connections": 4,
        "timeouts": {"connect": 2, "answer": 0.5, "turn": 5, "grace": 0.3},
    }
    settings = Settings(
        var=folder,
        sms=TwilioSettings.model_validate(account),
        web=WebSettings(public_url=PUBLIC),
        outbox=OutboxSettings(
            claim_lease=5, sending_lease=6, lease_margin=1, poll=0.1, stop_grace=1, text_hours=ALWAYS
        ),
    )
    stop, clock = asyncio.Event(), SystemClock()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(carrier.stop)
        announcer, bell = Announcer(pool), Bell(database_url)
        bell.start()
        stack.push_async_callback(announcer.close)
        stack.push_async_callback(bell.close)
        app = web.Application()
        callbacks = await stack.enter_async_context(open_sms_callbacks(settings, pool, announcer, clock))
        assert callbacks is not None
        add_sms_callbacks(app, callbacks)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stack.push_async_callback(runner.cleanup)
        sending = await stack.enter_async_context(open_sms_sending(settings, pool, announcer, clock))
        assert sending is not None
        assert isinstance(sending.channel, TwilioSms)
        doubts = Doubts(
            pool, sending.channel, sending.letters, sending.make_composer, clock, announcer, opt_out, partial(take_report, pool, clock, announcer=announcer),
after=0.3
        )  # fmt: skip
        mail = MailChannel(MailSettings(port=9, encryption=Encryption.NEVER))
        stack.push_async_callback(mail.close)
        context = WorkerContext(
            pool=pool,
            announcer=announcer,
            bell=bell,
            clock=clock,
            channel=mail,
            kitchen=MailKitchen(load_token_keys({}, folder), PUBLIC, settings.outbox),
            run_import=_refuse_import,
            outbox=settings.outbox,
            extra=await stack.enter_async_context(open_sms_loops(settings, pool, announcer, clock)),
            sms=replace(sending, settle_doubts=doubts.settle_due),
        )
        working = asyncio.create_task(run_worker(context, stop))
        try:
            yield House(pool, settings, carrier)
        finally:
            stop.set()
            await working


async def _refuse_import(import_id: int) -> None:
    raise RuntimeError(f"nobody asked for import {import_id}")

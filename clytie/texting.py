"""Short messages, wired: the account of the settings, the provider's callbacks, what reads messages that arrived."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from channels.mail.junk.scanners import ask_clamav
from channels.sms.twilio import TwilioSms
from clytie.keys import load_token_keys
from clytie.settings import Settings
from domain.clock import Clock
from inbox.arrival.intake import Intake
from inbox.texts.media import MediaFetcher
from inbox.texts.prices import PriceFetcher
from inbox.texts.reading import SmsReader
from inbox.texts.reports import settle_reported_texts
from router.confiding import Confider
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from web.callbacks.sms import SmsCallbacks
from worker.loops import Loop

#: seconds between looks for pictures, and for prices, that are due
PICTURES_EVERY = 5.0
PRICES_EVERY = 10.0


@asynccontextmanager
async def open_sms(settings: Settings) -> AsyncIterator[TwilioSms]:
    """The channel of short messages; one without an account sends nothing and believes nobody."""
    channel = TwilioSms(settings.sms_settings)
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def open_sms_callbacks(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[SmsCallbacks | None]:
    """What the web process takes callbacks with; None when no token is set that could sign one."""
    if not settings.sms_settings.tokens:
        yield None
        return
    blobs = BlobStore(settings.var / "blobs")
    intake = Intake(pool, blobs, announcer, settings.inbox.intake)
    try:
        async with open_sms(settings) as channel:
            yield SmsCallbacks(
                provider=channel,
                public_url=settings.sms_public_url,
                take=intake.take,
                pool=pool,
                clock=clock,
                tokens=load_token_keys(settings.token_keys, settings.var),
                announcer=announcer,
                blobs=blobs,
            )
    finally:
        await intake.close()


@asynccontextmanager
async def open_sms_loops(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[list[Loop]]:
    """What a worker does with messages and reports that arrived."""
    blobs, poll = BlobStore(settings.var / "blobs"), settings.worker.poll
    inbox = settings.inbox
    confide = Confider(clock, settings.router).confide
    reader = SmsReader(pool, blobs, clock, announcer, inbox.reading, inbox.text_answers, confide)
    scan = None
    if inbox.junk.clamav is not None:
        scan = partial(ask_clamav, inbox.junk.clamav, timeout=inbox.junk.timeout)
    async with open_sms(settings) as channel:
        fetcher = MediaFetcher(pool, blobs, channel.fetch_media, announcer, scan)
        loops = [
            Loop("sms inbox", reader.read_due, poll),
            Loop("sms reports", partial(settle_reported_texts, pool, clock, announcer), poll),
            Loop("sms pictures", fetcher.fetch_due, PICTURES_EVERY, rings=False),
        ]
        if channel.settings.is_complete:
            prices = PriceFetcher(pool, channel.fetch_report, clock, announcer)
            loops.append(Loop("sms prices", prices.fetch_due, PRICES_EVERY, rings=False))
        yield loops

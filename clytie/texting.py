"""Short messages, wired: the account of the settings, and what takes the provider's callbacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.sms.twilio import TwilioSms
from clytie.keys import load_token_keys
from clytie.settings import Settings
from domain.clock import Clock
from inbox.intake import Intake
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from web.callbacks import SmsCallbacks


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
    if not settings.sms.tokens:
        yield None
        return
    intake = Intake(pool, BlobStore(settings.var / "blobs"), announcer, settings.inbox.intake)
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
            )
    finally:
        await intake.close()

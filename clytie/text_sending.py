"""Sending short messages, wired for a worker: the account of the settings, composing, and looking for those in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from clytie.keys import load_token_keys
from clytie.settings import Settings
from clytie.texting import open_sms
from domain.clock import Clock
from inbox.texts.consent import opt_out
from inbox.texts.reports import take_report
from outbox.composing import MailKitchen
from outbox.texts.composing import SmsKitchen, SmsLetterComposer
from outbox.texts.doubts import Doubts
from storage.announce import Announcer
from storage.pool import Pool
from web.callbacks.sms_files import FILES_PATH
from worker.context import SmsWork

#: Messages marked at once for each connection, one under way and four behind it: steps of fewer messages spend the time on
#: commits. Never more than the outbox's own window.
_WINDOW: Final = 5


@asynccontextmanager
async def open_sms_sending(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[SmsWork | None]:
    """What a worker sends short messages with; None without an account: they wait then."""
    if not settings.sms_settings.is_complete:
        yield None
        return
    tokens = load_token_keys(settings.token_keys, settings.var)
    callbacks = settings.sms_settings.callback_url
    letters = SmsLetterComposer(tokens, f"{callbacks}/{FILES_PATH}" if callbacks else "")
    campaigns = SmsKitchen(MailKitchen(tokens, settings.public_url, settings.outbox), tokens)
    async with open_sms(settings) as channel:
        report = partial(take_report, pool, clock, announcer=announcer)
        doubts = Doubts(pool, channel, letters, campaigns.composer, clock, announcer, opt_out, report)
        yield SmsWork(
            channel,
            campaigns.composer,
            letters,
            doubts.settle_due,
            _WINDOW * channel.settings.connections,
            channel.pace,
        )

"""Sending short messages, wired for a worker: the account of the settings, composing, and looking for those in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from clytie.keys import load_token_keys
from clytie.settings import Settings
from clytie.texting import open_sms
from domain.clock import Clock
from domain.errors import InvalidInput
from inbox.sms_consent import opt_out
from outbox.composing import Composer
from outbox.sms_composing import SmsLetterComposer
from outbox.sms_doubts import Doubts
from storage.announce import Announcer
from storage.pool import Pool
from worker.context import SmsWork

#: Messages marked at once for each connection: one under way, one behind it.
_WINDOW: Final = 2


@asynccontextmanager
async def open_sms_sending(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[SmsWork | None]:
    """What a worker sends short messages with; None without an account: they wait then."""
    if not settings.sms_settings.is_complete:
        yield None
        return
    letters = SmsLetterComposer(load_token_keys(settings.token_keys, settings.var))
    async with open_sms(settings) as channel:
        doubts = Doubts(pool, channel, letters, refuse_campaign, clock, announcer, opt_out)
        yield SmsWork(
            channel, refuse_campaign, letters, doubts.settle_due, _WINDOW * channel.settings.connections
        )


async def refuse_campaign(campaign: Mapping[str, Any]) -> Composer:
    """Campaigns go by mail. Raises InvalidInput for any that says otherwise."""
    raise InvalidInput(
        "channel", f"“{campaign['name']}” cannot be sent as short messages.", "Send it by mail."
    )

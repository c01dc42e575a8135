"""Calls, wired: the account of the settings, what the provider asks and reports, what a worker does about calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.voice.twilio import TwilioVoice
from clytie.keys import load_token_keys
from clytie.lines import make_line_desk, make_line_loops, make_retention_loop
from clytie.settings import Settings
from domain.clock import Clock
from inbox.calls.addresses import CallAddresses
from inbox.calls.prices import CallPrices
from inbox.calls.sweeping import CallSweeper
from inbox.calls.switchboard import Switchboard
from storage.announce import Announcer
from storage.pool import Pool
from web.callbacks.voice import VoiceCallbacks
from worker.loops import Loop

#: seconds between looks for calls that nothing was heard of, and for prices that may be known
CALLS_EVERY = 2.0
PRICES_EVERY = 10.0


@asynccontextmanager
async def open_voice(settings: Settings) -> AsyncIterator[TwilioVoice]:
    """The channel of calls; one without an account places none and believes nobody."""
    channel = TwilioVoice(settings.voice_settings)
    try:
        yield channel
    finally:
        await channel.close()


def make_switchboard(settings: Settings, pool: Pool, announcer: Announcer, clock: Clock) -> Switchboard:
    """What everything that handles calls works with."""
    tokens = load_token_keys(settings.token_keys, settings.var)
    addresses = CallAddresses(settings.sms_public_url, tokens)
    reachable = bool(settings.sms_settings.callback_url)
    return Switchboard(pool, clock, addresses, settings.voice_settings, announcer, reachable)


@asynccontextmanager
async def open_voice_callbacks(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[VoiceCallbacks | None]:
    """What the web process places calls and takes callbacks with; None when no token is set that could sign one."""
    if not settings.voice_settings.account.tokens:
        yield None
        return
    async with open_voice(settings) as channel:
        board = make_switchboard(settings, pool, announcer, clock)
        yield VoiceCallbacks(channel, board, make_line_desk(settings, board))


@asynccontextmanager
async def open_voice_loops(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[list[Loop]]:
    """What a worker does about calls; without an account, what was kept long enough is deleted all the same."""
    board = make_switchboard(settings, pool, announcer, clock)
    async with open_voice(settings) as channel:
        retention = make_retention_loop(settings, board, channel)
        if not settings.voice_settings.account.is_complete:
            yield [retention]
            return
        sweeper, prices = CallSweeper(board, channel), CallPrices(board, channel)
        yield [
            Loop("calls", sweeper.sweep_due, CALLS_EVERY, rings=False),
            Loop("call prices", prices.fetch_due, PRICES_EVERY, rings=False),
            *make_line_loops(settings, board, channel),
            retention,
        ]

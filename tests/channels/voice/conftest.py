"""Shared by the tests of calls: a scripted provider, and channels to it that are closed afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from channels.registry import open_channel
from channels.voice.twilio import TwilioVoice
from tests.channels.voice.provider import CallProvider

MakeVoice = Callable[..., TwilioVoice]


@pytest.fixture
async def provider() -> AsyncIterator[CallProvider]:
    async with CallProvider().running() as running:
        assert isinstance(running, CallProvider)
        yield running


@pytest.fixture
async def open_voice(provider: CallProvider) -> AsyncIterator[MakeVoice]:
    """Makes channels through Twilio's client to the scripted provider; arguments replace settings."""
    opened: list[TwilioVoice] = []

    def make(**changes: object) -> TwilioVoice:
        channel = open_channel("voice", provider.settings(**changes))
        assert isinstance(channel, TwilioVoice)
        opened.append(channel)
        return channel

    yield make
    for channel in opened:
        await channel.close()


@pytest.fixture
def voice(open_voice: MakeVoice) -> TwilioVoice:
    return open_voice()

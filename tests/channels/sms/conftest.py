"""Shared by the tests of short messages: a scripted provider, and channels to it that are closed afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from channels.registry import open_channel
from channels.sms.generic import HttpSms
from channels.sms.twilio import TwilioSms
from tests.channels.sms.provider import Provider

MakeTwilio = Callable[..., TwilioSms]
MakeHttp = Callable[..., HttpSms]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


@pytest.fixture
async def open_sms(provider: Provider) -> AsyncIterator[MakeTwilio]:
    """Makes channels through Twilio's client to the scripted provider; arguments replace settings."""
    opened: list[TwilioSms] = []

    def make(**changes: object) -> TwilioSms:
        channel = open_channel("sms", provider.settings(**changes))
        assert isinstance(channel, TwilioSms)
        opened.append(channel)
        return channel

    yield make
    for channel in opened:
        await channel.close()


@pytest.fixture
async def open_http(provider: Provider) -> AsyncIterator[MakeHttp]:
    """Makes generic channels to the scripted provider; arguments replace settings."""
    opened: list[HttpSms] = []

    def make(**changes: object) -> HttpSms:
        settings = provider.settings()
        kept = {name: settings[name] for name in ("rate", "timeouts")}
        channel = open_channel("sms_http", {"url": f"{provider.url}/plain", **kept, **changes})
        assert isinstance(channel, HttpSms)
        opened.append(channel)
        return channel

    yield make
    for channel in opened:
        await channel.close()

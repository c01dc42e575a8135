"""A running carrier whose seconds are short, our side of it, and the official clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from twilio.rest import Client

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.records import Number
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings, ServiceSettings
from tests.channels.carrier.clients import LedAsync, LedSync
from tests.channels.carrier.conformance import DESCRIPTION, Conformance, open_conformance
from tests.channels.carrier.house import House

#: The tests of the check itself need the description; without it they are not collected.
collect_ignore = [] if DESCRIPTION.exists() else ["test_carrier_conformance.py"]

TOKEN = "0123456789abcdef" * 2
OURS = "+33644600001"
SERVICE = "MG" + "7" * 32


@pytest.fixture
async def house() -> AsyncIterator[House]:
    running = House(TOKEN)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def open_carrier(house: House) -> AsyncIterator[Callable[..., Any]]:
    """Makes carriers, with settings of one's own."""
    carriers: list[Carrier] = []

    async def make(**changes: object) -> Carrier:
        values: dict[str, object] = {
            "port": 0,
            "auth_token": TOKEN,
            "numbers": (
                NumberSettings(phone_number=OURS, sms_url=f"{house.url}/sms", voice_url=f"{house.url}/voice"),
            ),
            "services": (ServiceSettings(sid=SERVICE, senders=(OURS,), inbound_url=f"{house.url}/service"),)
            if changes.pop("with_service", False)
            else (),
            "second": 0.02,
            "pace": 0.5,
            "typing_seconds": 250,
            "words_per_second": 20,
            **changes,
        }
        carrier = Carrier(CarrierSettings.model_validate(values))
        await carrier.start()
        carriers.append(carrier)
        return carrier

    yield make
    for carrier in carriers:
        await carrier.stop()


@pytest.fixture
async def carrier(open_carrier: Callable[..., Any]) -> Carrier:
    opened: Carrier = await open_carrier()
    return opened


@pytest.fixture
def conformance() -> Conformance | None:
    return open_conformance()


@pytest.fixture
async def open_client(conformance: Conformance | None) -> AsyncIterator[Callable[..., Client]]:
    """Makes official asynchronous clients of a carrier."""
    hooks: list[LedAsync] = []

    def make(carrier: Carrier, token: str = TOKEN, account_sid: str | None = None) -> Client:
        hook = LedAsync(carrier.url, conformance)
        hooks.append(hook)
        return Client(carrier.settings.account_sid, token, account_sid, http_client=hook)

    yield make
    for hook in hooks:
        await hook.close()


@pytest.fixture
async def client(carrier: Carrier, open_client: Callable[..., Client]) -> Client:
    return open_client(carrier)


@pytest.fixture
def sync_client(carrier: Carrier, conformance: Conformance | None) -> Client:
    return Client(carrier.settings.account_sid, TOKEN, http_client=LedSync(carrier.url, conformance))


@pytest.fixture
def number(carrier: Carrier) -> Number:
    return next(iter(carrier.parts.exchange.memory.numbers.values()))

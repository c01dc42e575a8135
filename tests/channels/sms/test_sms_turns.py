"""Turns that are given from outside, and rests of one sender: others go on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from channels.http.pace import Pace
from channels.http.sending import TURN
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from channels.sms.settings import TwilioSettings
from channels.sms.twilio import TwilioSms
from domain.messages import DeliveryState
from tests.channels.mails import outcomes_of
from tests.channels.sms.texts import make_text

OURS, OTHER, ANNA = "+33700000001", "+33700000002", "+33612345678"
TOKEN = "0123456789abcdef" * 2


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    numbers = (NumberSettings(phone_number=OURS), NumberSettings(phone_number=OTHER))
    settings = {"port": 0, "auth_token": TOKEN, "numbers": numbers, "second": 0.01}
    running = Carrier(CarrierSettings.model_validate(settings))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def channel(carrier: Carrier) -> AsyncIterator[TwilioSms]:
    settings = {"account_sid": carrier.settings.account_sid, "auth_token": TOKEN, "base_url": carrier.url}
    running = TwilioSms(TwilioSettings.model_validate(settings))
    yield running
    await running.close()


async def test_a_message_leaves_at_its_turn_whatever_the_rate_of_this_process(
    carrier: Carrier, channel: TwilioSms
) -> None:
    now = time.monotonic()
    texts = [
        make_text(n, recipient=ANNA, sender=OURS, options={TURN: str(now + 0.1 * n)}) for n in range(1, 5)
    ]
    outcomes = await outcomes_of(channel, texts)
    assert {one.state for one in outcomes.values()} == {DeliveryState.SENT}
    assert 0.4 <= time.monotonic() - now < 2  # at the default rate of one a second it would have been 3


async def test_one_that_is_refused_for_too_many_goes_back_and_is_not_offered_again(
    carrier: Carrier, channel: TwilioSms
) -> None:
    rule = Rule(trick=Trick.BUSY_API, resource="messages", method="POST", seconds=30)
    carrier.parts.exchange.mischief.add(rule)
    now = str(time.monotonic())
    outcomes = await outcomes_of(channel, [make_text(1, recipient=ANNA, sender=OURS, options={TURN: now})])
    assert (outcomes[1].state, outcomes[1].reason) == (DeliveryState.DEFERRED, "throttled")
    assert 28 < channel.pace.rests()[""] <= 30
    outcomes = await outcomes_of(channel, [make_text(2, recipient=ANNA, sender=OTHER, options={TURN: now})])
    assert outcomes[2].reason == "throttled"  # the account rests, nobody asked


async def test_a_full_queue_of_one_sender_lets_others_go_on(carrier: Carrier, channel: TwilioSms) -> None:
    now = str(time.monotonic())
    full = "+15005550008"  # the provider's magic number whose queue is full
    outcomes = await outcomes_of(channel, [make_text(1, recipient=ANNA, sender=full, options={TURN: now})])
    assert outcomes[1].reason == "throttled"
    assert set(channel.pace.rests()) == {full}
    outcomes = await outcomes_of(channel, [make_text(2, recipient=ANNA, sender=OURS, options={TURN: now})])
    assert outcomes[2].state is DeliveryState.SENT


async def test_a_rest_that_begins_while_a_turn_is_awaited_voids_it() -> None:
    pace = Pace({}, 1, 30, 120)
    pace.rest(5)
    assert not await pace.keep(OURS, time.monotonic())

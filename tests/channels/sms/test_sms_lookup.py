"""A message whose sending ended in doubt, looked up in the provider's list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Unavailable
from domain.messages import DeliveryState
from tests.channels.mails import outcomes_of
from tests.channels.sms.conftest import MakeTwilio
from tests.channels.sms.provider import (
    BROKEN,
    CUT_AFTER,
    CUT_BEFORE,
    SERVICE,
    Provider,
    Script,
    refusal,
)
from tests.channels.sms.texts import make_text


def _around() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(minutes=1), now + timedelta(minutes=1)


@pytest.mark.parametrize("script", [CUT_AFTER, BROKEN, Script(body=b"<html>")])
async def test_a_message_that_was_taken_is_found_and_never_sent_again(
    provider: Provider, open_sms: MakeTwilio, script: Script
) -> None:
    provider.script.append(script)
    channel, message = open_sms(), make_text(1, body="It’s “here” \n")
    assert (await outcomes_of(channel, [message]))[1].state is DeliveryState.UNCERTAIN
    looked = await channel.look_up(message, *_around())
    assert looked.found is not None
    assert looked.found.provider_id == provider.messages[0]["sid"]
    assert looked.found.delivery is DeliveryState.SENT
    assert len(provider.messages) == 1


async def test_a_message_that_was_not_taken_is_not_found(provider: Provider, open_sms: MakeTwilio) -> None:
    provider.script.append(CUT_BEFORE)
    channel, message = open_sms(), make_text(1)
    assert (await outcomes_of(channel, [message]))[1].state is DeliveryState.UNCERTAIN
    assert (await channel.look_up(message, *_around())) == await channel.look_up(make_text(2), *_around())
    assert (await channel.look_up(message, *_around())).candidates == 0


async def test_another_text_another_time_or_another_message_of_ours_is_not_it(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel, message = open_sms(), make_text(1, body="one")
    receipt = await channel.send(message)
    began, ended = _around()
    day = timedelta(days=1)
    assert (await channel.look_up(make_text(1, body="two"), began, ended)).found is None
    assert (await channel.look_up(message, began - day, ended - day)).found is None
    assert (await channel.look_up(message, began, ended, taken={receipt.provider_id})).found is None
    assert (await channel.look_up(make_text(1, body="one", sender="CLYTIE"), began, ended)).found is None
    assert (await channel.look_up(message, began, ended)).found is not None


async def test_two_of_the_same_are_left_to_callbacks_or_a_person(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel = open_sms()
    for key in (1, 2):
        await channel.send(make_text(key, body="same", recipient="+33612345678"))
    looked = await channel.look_up(make_text(1, body="same", recipient="+33612345678"), *_around())
    assert (looked.found, looked.candidates) == (None, 2)


async def test_a_message_by_a_service_is_found_whatever_its_number(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel, message = open_sms(), make_text(1, sender=SERVICE)
    await channel.send(message)
    provider.messages[0]["from"] = "+33700000009"  # chosen by the service, after it was queued
    assert (await channel.look_up(message, *_around())).found is not None


async def test_one_that_the_provider_refused_in_the_meantime_is_rejected(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel, message = open_sms(), make_text(1)
    await channel.send(message)
    provider.messages[0] |= {"status": "failed", "error_code": 30034}
    looked = await channel.look_up(message, *_around())
    assert looked.found is not None
    assert (looked.found.delivery, looked.found.reason) == (DeliveryState.REJECTED, "sender_unregistered")


async def test_what_arrived_is_not_taken_for_what_was_sent(provider: Provider, open_sms: MakeTwilio) -> None:
    channel, message = open_sms(), make_text(1)
    await channel.send(message)
    provider.messages[0]["direction"] = "inbound"
    assert (await channel.look_up(message, *_around())).candidates == 0


async def test_a_list_that_cannot_be_read_says_nothing(
    provider: Provider, open_sms: MakeTwilio, free_port: int
) -> None:
    provider.script.append(refusal(20500, 500))
    with pytest.raises(Unavailable, match="list cannot be read"):
        await open_sms().look_up(make_text(1), *_around())
    with pytest.raises(Unavailable, match="list cannot be read"):
        await open_sms(base_url=f"http://127.0.0.1:{free_port}").look_up(make_text(1), *_around())
    with pytest.raises(Unavailable, match="no account"):
        await open_sms(account_sid="", auth_token="").look_up(make_text(1), *_around())


async def test_what_was_never_offered_is_not_asked_for(provider: Provider, open_sms: MakeTwilio) -> None:
    looked = await open_sms().look_up(make_text(1, recipient="nobody"), *_around())
    assert (looked.found, looked.candidates, provider.asked) == (None, 0, 0)


async def test_the_state_and_price_of_one_message_can_be_asked_for(
    provider: Provider, open_sms: MakeTwilio
) -> None:
    channel = open_sms()
    receipt = await channel.send(make_text(1))
    provider.messages[0] |= {"status": "delivered", "price": "-0.0798", "price_unit": "EUR"}
    report = await channel.fetch_report(receipt.provider_id)
    assert report is not None
    assert (report.status, report.price, report.currency) == ("delivered", "-0.0798", "EUR")
    assert await channel.fetch_report("SM" + "f" * 32) is None

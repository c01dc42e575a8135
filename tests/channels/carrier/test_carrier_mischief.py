"""Misbehaviour on command: by rule, by a header, by the recipient's number."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import (
    ENDINGS,
    OF_ANSWERS,
    OF_CALLBACKS,
    Mischief,
    Occasion,
    Rule,
    Trick,
)
from channels.sandbox.carrier.moves import CALL_FINAL, CALL_MOVES, MESSAGE_FINAL, MESSAGE_MOVES
from tests.channels.carrier.conftest import OURS, TOKEN
from tests.channels.carrier.house import House, eventually

ANNA = "+33639980001"
STORY = "+33639980"


async def send(client: Client, house: House, to: str = ANNA) -> Any:
    return await client.messages.create_async(
        to=to, from_=OURS, body="Bonjour", status_callback=f"{house.url}/status"
    )


def states(house: House) -> list[str]:
    return [one["MessageStatus"] for one in house.about("/status")]


async def test_callbacks_come_backwards(carrier: Carrier, client: Client, house: House) -> None:
    carrier.parts.exchange.mischief.add(Rule(trick=Trick.BACKWARDS))
    await send(client, house)
    await house.wait_for("/status", 3)
    assert states(house) == ["delivered", "sent", "queued"]


async def test_callbacks_come_twice(client: Client, house: House) -> None:
    await send(client, house, STORY + "912")
    await house.wait_for("/status", 6)
    assert states(house) == ["queued", "queued", "sent", "sent", "delivered", "delivered"]


async def test_a_callback_is_missing(carrier: Carrier, client: Client, house: House) -> None:
    carrier.parts.exchange.mischief.add(Rule(trick=Trick.MISSING, event="sent"))
    await send(client, house)
    await house.wait_for("/status", 2)
    assert states(house) == ["queued", "delivered"]


async def test_a_late_callback_is_overtaken(carrier: Carrier, client: Client, house: House) -> None:
    carrier.parts.exchange.mischief.add(Rule(trick=Trick.LATE, event="queued", seconds=5))
    await send(client, house)
    await house.wait_for("/status", 3)
    assert states(house) == ["sent", "delivered", "queued"]


async def test_a_forged_callback_does_not_hold(client: Client, house: House) -> None:
    await send(client, house, STORY + "915")
    await house.wait_for("/status", 3)
    assert not any(one.signed for one in house.told)


async def test_the_interface_is_busy_the_next_two_times_and_says_for_how_long(
    carrier: Carrier, client: Client, house: House
) -> None:
    carrier.parts.exchange.mischief.add(
        Rule(trick=Trick.BUSY_API, resource="messages", method="POST", times=2, seconds=3)
    )
    for _ in range(2):
        with pytest.raises(TwilioRestException) as refused:
            await send(client, house)
        assert (refused.value.status, refused.value.code) == (429, 20429)
    assert client.http_client._test_only_last_response.headers["Retry-After"] == "3"
    assert (await send(client, house)).status == "queued"


@pytest.mark.parametrize(("ending", "accepted"), [("923", 0), ("924", 1)])
async def test_a_connection_drops_before_or_after_acceptance(
    carrier: Carrier, client: Client, house: House, ending: str, accepted: int
) -> None:
    with pytest.raises(aiohttp.ClientError):
        await send(client, house, STORY + ending)
    assert len(carrier.parts.exchange.memory.messages) == accepted
    found = await client.messages.list_async(to=STORY + ending, from_=OURS)
    assert len(found) == accepted


async def test_silence_after_acceptance_lasts_as_long_as_patience(
    carrier: Carrier, client: Client, house: House
) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(client, house, STORY + "925"), 0.3)
    await house.wait_for("/status", 3)
    assert len(carrier.parts.exchange.memory.messages) == 1


async def test_an_answer_is_slow_garbled_broken_or_refuses_the_login(
    carrier: Carrier, client: Client, house: House
) -> None:
    assert (await send(client, house, STORY + "926")).status == "queued"
    with pytest.raises(ValueError):
        await send(client, house, STORY + "927")
    assert len(carrier.parts.exchange.memory.messages) == 2
    for trick, status in ((Trick.BROKEN_API, 503), (Trick.FORBIDDEN, 401)):
        carrier.parts.exchange.mischief.add(Rule(trick=trick, times=1))
        with pytest.raises(TwilioRestException) as refused:
            await send(client, house)
        assert refused.value.status == status


@pytest.mark.parametrize(("ending", "code"), [("901", "30003"), ("902", "30005"), ("904", "30007")])
async def test_a_number_is_not_reached(client: Client, house: House, ending: str, code: str) -> None:
    await send(client, house, STORY + ending)
    told = await house.wait_for("/status", 3)
    assert (told[-1]["MessageStatus"], told[-1]["ErrorCode"]) == ("undelivered", code)


async def test_an_undelivered_message_is_on_no_phone(carrier: Carrier, client: Client, house: House) -> None:
    await send(client, house, STORY + "901")
    await house.wait_for("/status", 3)
    assert (await carrier.phones.show_phone(STORY + "901")).texts == ()


async def test_a_message_without_report_stays_sent_though_it_arrived(
    carrier: Carrier, client: Client, house: House
) -> None:
    message = await send(client, house, STORY + "907")
    await eventually(lambda: carrier.parts.exchange.memory.messages[message.sid].arrived)
    assert (await client.messages(message.sid).fetch_async()).status == "sent"
    assert len((await carrier.phones.show_phone(STORY + "907")).texts) == 1


async def test_an_opted_out_number_is_refused(client: Client, house: House) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await send(client, house, STORY + "908")
    assert refused.value.code == 21610


async def test_more_requests_than_allowed_are_refused(
    open_carrier: Callable[..., Any], open_client: Callable[..., Client], house: House
) -> None:
    client = open_client(await open_carrier(requests_per_second=3))
    answers = await asyncio.gather(*(send(client, house) for _ in range(6)), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, TwilioRestException)]
    assert len(refused) >= 2
    assert {one.code for one in refused} == {20429}


async def test_one_request_asks_for_a_trick_by_its_header(carrier: Carrier) -> None:
    headers = {
        "Authorization": aiohttp.encode_basic_auth(carrier.settings.account_sid, TOKEN),
        "X-Carrier-Trick": "broken-api",
    }
    url = f"{carrier.url}/2010-04-01/Accounts/{carrier.settings.account_sid}/Messages.json"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, 20503)


def test_every_trick_of_answers_and_callbacks_can_be_had_by_a_number() -> None:
    reachable = {trick for trick, _ in ENDINGS.values()}
    assert (OF_ANSWERS | OF_CALLBACKS) - reachable == {Trick.FORBIDDEN}


def test_ordinary_numbers_never_misbehave() -> None:
    mischief = Mischief()
    for ending in ENDINGS:
        assert mischief.choose(frozenset(Trick), Occasion("messages", "POST", "+3361234" + ending)) == []


@given(st.integers(1, 5), st.integers(0, 10))
def test_a_rule_for_the_next_n_is_used_n_times(times: int, occasions: int) -> None:
    mischief = Mischief()
    mischief.add(Rule(trick=Trick.KEPT, times=times, to_ends="7"))
    for _ in range(occasions):
        mischief.choose(OF_ANSWERS, Occasion("messages", "POST", "+338"))
    used = sum(
        bool(mischief.choose(OF_ANSWERS, Occasion("messages", "POST", "+337"))) for _ in range(occasions)
    )
    assert used == min(times, occasions)


def test_final_states_are_those_from_which_nothing_moves() -> None:
    for moves, final in ((MESSAGE_MOVES, MESSAGE_FINAL), (CALL_MOVES, CALL_FINAL)):
        targets = set().union(*moves.values())
        assert targets - set(moves) <= final
        assert not set(moves) & final

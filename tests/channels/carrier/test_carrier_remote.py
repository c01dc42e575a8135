"""The phones and rules from another process: the same port, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from twilio.rest import Client

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.phone import Phones
from channels.sandbox.carrier.remote import CarrierLink, RemoteControl, RemotePhones
from channels.sandbox.carrier.settings import CarrierSettings
from domain.errors import ConfigurationError, Conflict, InvalidInput, NotFound, Unavailable
from tests.channels.carrier.conftest import OURS, TOKEN
from tests.channels.carrier.house import House, eventually

ANNA, BEN = "+33639980001", "+33639980002"


@pytest.fixture
async def link(carrier: Carrier) -> AsyncIterator[CarrierLink]:
    opened = CarrierLink(carrier.url, carrier.settings.account_sid, TOKEN)
    yield opened
    await opened.close()


async def test_a_phone_does_everything_from_afar(carrier: Carrier, link: CarrierLink, house: House) -> None:
    phones: Phones = RemotePhones(link)
    await phones.add_phone(ANNA, "Anna")
    await phones.add_phone("client:ben", "Ben")
    await phones.send_text(ANNA, OURS, "Bonjour", [("image/png", b"cat")])
    picture = (await phones.show_phone(ANNA)).texts[0].attachments[0]
    assert await phones.fetch_attachment(picture.sid) == ("image/png", b"cat")
    with pytest.raises(NotFound):
        await phones.fetch_attachment("ME" + "0" * 32)
    house.documents["/voice"] = (
        '<Response><Gather input="dtmf speech" numDigits="2" action="/chosen"><Say>Choose</Say></Gather></Response>'
    )
    house.documents["/chosen"] = '<Response><Dial timeout="250"><Client>ben</Client></Dial></Response>'
    sid = await phones.call(ANNA, OURS)
    await eventually(lambda: carrier.parts.switch.lines[sid].listening)
    await phones.press(sid, "42")
    while not any(one.ringing for one in await phones.list_phones()):
        await phones.wait(carrier.parts.exchange.version, 0.5)
    summaries = {one.number: one for one in await phones.list_phones()}
    assert (summaries[ANNA].name, summaries[ANNA].texts, summaries[ANNA].talking) == ("Anna", 1, True)
    ringing = (await phones.show_phone("client:ben")).calls[0]
    await phones.answer(ringing.sid)
    await eventually(lambda: carrier.parts.switch.lines[sid].peers)
    await phones.speak(ringing.sid, "Ben here")
    call = (await phones.show_phone(ANNA)).calls[0]
    assert [(one.kind, one.text) for one in call.sounds if one.kind in ("said", "keys", "voice")] == [
        ("said", "Choose"),
        ("keys", "42"),
        ("voice", "Ben here"),
    ]
    await phones.hang_up(sid)
    assert (await phones.show_phone(ANNA)).calls[0].state == "ended"
    assert await phones.show_phone(ANNA) == await carrier.phones.show_phone(ANNA)


async def test_a_wait_ends_with_a_change_or_with_its_time(carrier: Carrier, link: CarrierLink) -> None:
    phones = RemotePhones(link)
    version = await phones.wait(-1, 0)
    assert await phones.wait(version, 0.05) == version
    waiting = asyncio.create_task(phones.wait(version, 10))
    await asyncio.sleep(0.05)
    await carrier.phones.add_phone(ANNA)
    assert await asyncio.wait_for(waiting, 2) > version


async def test_errors_are_the_same_from_afar(carrier: Carrier, link: CarrierLink) -> None:
    phones = RemotePhones(link)
    with pytest.raises(InvalidInput, match="number"):
        await phones.add_phone("12")
    with pytest.raises(NotFound):
        await phones.call(ANNA, "+33600000000")
    with pytest.raises(NotFound):
        await phones.answer("CA" + "0" * 32)
    sid = await phones.call(ANNA, OURS)
    with pytest.raises(Conflict):
        await phones.answer(sid)
    with pytest.raises(InvalidInput, match="to"):
        await link.ask("POST", f"/phones/{ANNA}/texts", {"body": "x"})


async def test_rules_are_added_listed_and_taken_back(link: CarrierLink, client: Client, house: House) -> None:
    control = RemoteControl(link)
    number = await control.add_rule(Rule(trick=Trick.TWICE, times=5))
    assert (await control.list_rules())[number].trick is Trick.TWICE
    await control.remove_rule(number)
    await control.add_rule(Rule(trick=Trick.MISSING))
    await control.behave()
    assert await control.list_rules() == {}
    service = await control.add_service([OURS], status_callback=f"{house.url}/status")
    await client.messages.create_async(to=ANNA, messaging_service_sid=service, body="x")
    await house.wait_for("/status", 3)
    assert [one["status"] for one in await control.list_requests()] == [200, 200, 200]
    assert await control.list_problems() == []


async def test_the_controls_are_closed_to_strangers(carrier: Carrier) -> None:
    stranger = CarrierLink(carrier.url, carrier.settings.account_sid, "wrong")
    with pytest.raises(Unavailable, match="401"):
        await RemotePhones(stranger).list_phones()
    await stranger.close()
    async with aiohttp.ClientSession() as session, session.post(f"{carrier.url}/control/rules") as answer:
        assert answer.status == 401


async def test_a_carrier_that_is_not_there_is_unavailable(free_port: int) -> None:
    link = CarrierLink(f"http://127.0.0.1:{free_port}", "AC" + "0" * 32, TOKEN)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await RemotePhones(link).list_phones()
    await link.close()


async def test_a_port_that_is_taken_is_explained(carrier: Carrier) -> None:
    with pytest.raises(ConfigurationError, match=r"carrier\.port"):
        await Carrier(CarrierSettings(port=carrier.port)).start()


async def test_two_carriers_left_alone_have_different_secrets() -> None:
    assert CarrierSettings().auth_token != CarrierSettings().auth_token

"""Messages that people send: told to us, answered by our document, STOP heeded by the carrier itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.twiml.messaging_response import Message, MessagingResponse

from channels.sandbox.carrier.carrier import Carrier
from domain.errors import InvalidInput, NotFound
from tests.channels.carrier.conftest import OURS, SERVICE, TOKEN
from tests.channels.carrier.house import House, eventually

ANNA = "+33639980001"


async def test_a_text_of_a_person_is_told_and_answered(
    carrier: Carrier, client: Client, house: House
) -> None:
    reply = MessagingResponse()
    reply.message("Merci Anna", status_callback="/status")
    house.documents["/sms"] = str(reply)
    sid = await carrier.phones.send_text(ANNA, OURS, "Bonjour à vous")
    told = (await house.wait_for("/sms"))[0]
    assert (told["MessageSid"], told["From"], told["To"], told["Body"]) == (sid, ANNA, OURS, "Bonjour à vous")
    assert (told["NumMedia"], told["SmsStatus"]) == ("0", "received")
    await house.wait_for("/status", 3)
    assert all(one.signed for one in house.told)
    phone = await carrier.phones.show_phone(ANNA)
    assert [(text.mine, text.body) for text in phone.texts] == [
        (True, "Bonjour à vous"),
        (False, "Merci Anna"),
    ]
    listed = await client.messages.list_async(from_=ANNA)
    assert (listed[0].direction, listed[0].status) == ("inbound", "received")


async def test_a_picture_is_told_and_fetched_with_the_credentials(carrier: Carrier, house: House) -> None:
    await carrier.phones.send_text(ANNA, OURS, "", [("image/png", b"\x89PNG dog")])
    told = (await house.wait_for("/sms"))[0]
    assert (told["NumMedia"], told["MediaContentType0"]) == ("1", "image/png")
    login = {"Authorization": aiohttp.encode_basic_auth(carrier.settings.account_sid, TOKEN)}
    async with aiohttp.ClientSession() as session:
        async with session.get(told["MediaUrl0"]) as refused:
            assert refused.status == 401
        async with session.get(told["MediaUrl0"], headers=login) as given:
            assert (given.content_type, await given.read()) == ("image/png", b"\x89PNG dog")
            assert given.history[0].status == 307


async def test_stop_is_answered_heeded_and_taken_back_by_start(
    carrier: Carrier, client: Client, house: House
) -> None:
    await carrier.phones.send_text(ANNA, OURS, " stop ")
    await house.wait_for("/sms")
    with pytest.raises(TwilioRestException) as refused:
        await client.messages.create_async(to=ANNA, from_=OURS, body="x")
    assert refused.value.code == 21610
    await carrier.phones.send_text(ANNA, OURS, "START")
    assert (await client.messages.create_async(to=ANNA, from_=OURS, body="x")).status == "queued"
    texts = await eventually(
        lambda: [one for one in carrier.parts.exchange.memory.messages_with(ANNA) if one.arrived][2:]
    )
    assert "re-subscribed" in " ".join(one.body for one in carrier.parts.exchange.memory.messages_with(ANNA))
    assert texts


async def test_a_service_is_told_of_its_numbers_and_of_the_keyword(
    open_carrier: Callable[..., Any], house: House
) -> None:
    carrier = await open_carrier(with_service=True)
    await carrier.phones.send_text(ANNA, OURS, "Stop")
    told = (await house.wait_for("/service"))[0]
    assert (told["MessagingServiceSid"], told["OptOutType"]) == (SERVICE, "STOP")
    assert house.about("/sms") == []


async def test_a_document_may_redirect_and_send_pictures(carrier: Carrier, house: House) -> None:
    first, second = MessagingResponse(), MessagingResponse()
    first.redirect("/next")
    message = Message()
    message.body("Voici")
    message.media("/cat.png")
    second.append(message)
    house.documents |= {"/sms": str(first), "/next": str(second)}
    house.files["/cat.png"] = ("image/png", b"cat")
    await carrier.phones.send_text(ANNA, OURS, "photo?")
    await eventually(
        lambda: [one for one in carrier.parts.exchange.memory.messages_with(ANNA) if one.arrived]
    )
    reply = (await carrier.phones.show_phone(ANNA)).texts[-1]
    assert (reply.body, len(reply.attachments)) == ("Voici", 1)


async def test_when_we_fail_the_fallback_is_asked_and_the_problem_noted(
    carrier: Carrier, client: Client, house: House
) -> None:
    number = (await client.incoming_phone_numbers.list_async())[0]
    await client.incoming_phone_numbers(number.sid).update_async(sms_fallback_url=f"{house.url}/fallback")
    house.statuses["/sms"] = 503
    await carrier.phones.send_text(ANNA, OURS, "hello")
    told = (await house.wait_for("/fallback"))[0]
    assert (told["ErrorCode"], told["ErrorUrl"]) == ("11200", f"{house.url}/sms")
    house.statuses["/fallback"] = 500
    await carrier.phones.send_text(ANNA, OURS, "hello again")
    await eventually(lambda: carrier.parts.exchange.problems)
    assert carrier.parts.exchange.problems[0].code == 11200


@pytest.mark.parametrize("document", ["no xml", "<!DOCTYPE x><Response/>", "<Antwort/>"])
async def test_a_document_that_is_none_is_noted_and_answers_nothing(
    carrier: Carrier, house: House, document: str
) -> None:
    house.documents["/sms"] = document
    await carrier.phones.send_text(ANNA, OURS, "hello")
    await eventually(lambda: carrier.parts.exchange.problems)
    assert carrier.parts.exchange.problems[0].code in (12100, 12200)
    assert len(carrier.parts.exchange.memory.messages) == 1


async def test_a_text_is_told_twice_late_forged_or_not_at_all(carrier: Carrier, house: House) -> None:
    await carrier.phones.send_text("+33639980912", OURS, "twice")
    twice = await house.wait_for("/sms", 2)
    assert twice[0]["MessageSid"] == twice[1]["MessageSid"]
    await carrier.phones.send_text("+33639980914", OURS, "missing")
    await carrier.phones.send_text("+33639980913", OURS, "late")
    await carrier.phones.send_text("+33639980915", OURS, "forged")
    told = await house.wait_for("/sms", 4)
    assert [one["Body"] for one in told[2:]] == ["forged", "late"]
    assert [one.signed for one in house.told] == [True, True, False, True]


async def test_an_address_may_want_to_be_asked_by_get(carrier: Carrier, client: Client, house: House) -> None:
    number = (await client.incoming_phone_numbers.list_async())[0]
    await client.incoming_phone_numbers(number.sid).update_async(
        sms_url=f"{house.url}/get?a=1%202", sms_method="GET"
    )
    await carrier.phones.send_text(ANNA, OURS, "Ça va & bien ?")
    told = (await house.wait_for("/get"))[0]
    assert (told["a"], told["Body"]) == ("1 2", "Ça va & bien ?")
    assert all(one.signed for one in house.told)


async def test_a_phone_refuses_what_makes_no_sense(carrier: Carrier) -> None:
    with pytest.raises(InvalidInput, match="body"):
        await carrier.phones.send_text(ANNA, OURS, "")
    with pytest.raises(NotFound):
        await carrier.phones.send_text(ANNA, "+33600000000", "x")
    with pytest.raises(InvalidInput, match="number"):
        await carrier.phones.add_phone("12")

"""Messages through the official clients: accepted, told of, listed, withdrawn, emptied, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from channels.sandbox.carrier.carrier import Carrier
from tests.channels.carrier.clients import LedAsync
from tests.channels.carrier.conformance import Conformance
from tests.channels.carrier.conftest import OURS, SERVICE, TOKEN
from tests.channels.carrier.house import House, eventually

ANNA = "+33639980001"


async def test_a_message_goes_its_way_and_tells_of_every_step(client: Client, house: House) -> None:
    message = await client.messages.create_async(
        to=ANNA, from_=OURS, body="Bonjour", status_callback=f"{house.url}/status/token-1?x=1"
    )
    assert message.status == "queued"
    assert message.sid.startswith("SM")
    told = await house.wait_for("/status/token-1", 3)
    assert [one["MessageStatus"] for one in told] == ["queued", "sent", "delivered"]
    assert all(one["MessageSid"] == message.sid and one["To"] == ANNA for one in told)
    assert all(one.signed for one in house.told)
    after = await client.messages(message.sid).fetch_async()
    assert (after.status, after.num_segments, after.error_code) == ("delivered", "1", None)
    assert after.date_sent is not None


async def test_the_synchronous_client_is_served_as_well(sync_client: Client) -> None:
    message = await asyncio.to_thread(sync_client.messages.create, to=ANNA, from_=OURS, body="Bonjour")
    assert (await asyncio.to_thread(sync_client.messages(message.sid).fetch)).body == "Bonjour"


async def test_segments_are_counted_as_the_provider_counts_them(client: Client) -> None:
    message = await client.messages.create_async(to=ANNA, from_=OURS, body="é" * 161)
    assert message.num_segments == "2"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "12", "from_": OURS, "body": "x"}, 21211),
        ({"to": ANNA, "from_": "+33612345678", "body": "x"}, 21606),
        ({"to": ANNA, "from_": OURS}, 21602),
        ({"to": ANNA, "from_": OURS, "body": "x" * 1601}, 21617),
        ({"to": ANNA, "body": "x"}, 21603),
        ({"to": ANNA, "messaging_service_sid": "MG" + "0" * 32, "body": "x"}, 21701),
        ({"to": ANNA, "from_": OURS, "body": "x", "status_callback": "nowhere"}, 21609),
        ({"to": "+15005550001", "from_": OURS, "body": "x"}, 21211),
        ({"to": "+15005550002", "from_": OURS, "body": "x"}, 21612),
        ({"to": "+15005550003", "from_": OURS, "body": "x"}, 21408),
        ({"to": "+15005550004", "from_": OURS, "body": "x"}, 21610),
        ({"to": "+15005550009", "from_": OURS, "body": "x"}, 21614),
        ({"to": ANNA, "from_": "+15005550008", "body": "x"}, 21611),
        ({"to": ANNA, "from_": OURS, "media_url": ["http://127.0.0.1/x.png"] * 11}, 21623),
    ],
)
async def test_what_the_provider_refuses_is_refused_with_its_code(
    client: Client, fields: dict[str, Any], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await client.messages.create_async(**fields)
    assert refused.value.code == code


async def test_an_alphanumeric_sender_is_taken(client: Client) -> None:
    assert (await client.messages.create_async(to=ANNA, from_="Clytie", body="x")).from_ == "Clytie"


async def test_a_service_chooses_its_senders_in_turn(
    open_carrier: Callable[..., Any], open_client: Callable[..., Client], house: House
) -> None:
    client = open_client(await open_carrier(with_service=True))
    message = await client.messages.create_async(
        to=ANNA, messaging_service_sid=SERVICE, body="x", status_callback=f"{house.url}/status"
    )
    assert (message.status, message.num_segments, message.from_) == ("accepted", "0", OURS)
    told = await house.wait_for("/status", 3)
    assert told[0]["MessagingServiceSid"] == SERVICE


async def test_lists_are_filtered_and_paged_newest_first(carrier: Carrier, client: Client) -> None:
    for place in range(7):
        await client.messages.create_async(
            to=ANNA if place % 2 else "+33639980002", from_=OURS, body=str(place)
        )
    listed = await client.messages.list_async(page_size=2)
    assert [one.body for one in listed] == list("6543210")
    assert [one.body for one in await client.messages.list_async(to=ANNA, from_=OURS)] == list("531")
    await eventually(
        lambda: all(one.status == "delivered" for one in carrier.parts.exchange.memory.messages.values())
    )
    today = datetime.now(UTC)
    before = await client.messages.list_async(date_sent_before=today - timedelta(days=2))
    after = await client.messages.list_async(to=ANNA, date_sent_after=today - timedelta(hours=1))
    assert (len(before), len(after)) == (0, 3)


async def test_a_page_goes_on_where_it_stopped_although_messages_came(client: Client) -> None:
    for place in range(4):
        await client.messages.create_async(to=ANNA, from_=OURS, body=str(place))
    page = await client.messages.page_async(page_size=2)
    await client.messages.create_async(to=ANNA, from_=OURS, body="new")
    following = await page.next_page_async()
    assert following is not None
    assert [one.body for one in following] == ["1", "0"]


async def test_a_waiting_message_is_withdrawn_and_a_sent_one_is_not(
    open_carrier: Callable[..., Any], open_client: Callable[..., Client]
) -> None:
    client = open_client(await open_carrier(messages_per_second=0.001))
    first = await client.messages.create_async(to=ANNA, from_=OURS, body="first")
    second = await client.messages.create_async(to=ANNA, from_=OURS, body="second")
    cancelled = await client.messages(second.sid).update_async(status="canceled")
    assert cancelled.status == "canceled"
    with pytest.raises(TwilioRestException) as refused:
        await client.messages(second.sid).update_async(status="canceled")
    assert refused.value.code == 30409
    assert (await client.messages(first.sid).fetch_async()).status != "canceled"


async def test_a_message_that_waited_too_long_fails(
    open_carrier: Callable[..., Any], open_client: Callable[..., Client], house: House
) -> None:
    client = open_client(await open_carrier(messages_per_second=0.01))
    await client.messages.create_async(to=ANNA, from_=OURS, body="first")
    await client.messages.create_async(
        to=ANNA, from_=OURS, body="late", validity_period=5, status_callback=f"{house.url}/status"
    )
    told = await house.wait_for("/status", 2)
    assert (told[-1]["MessageStatus"], told[-1]["ErrorCode"]) == ("failed", "30036")


async def test_a_message_is_emptied_then_forgotten(client: Client, carrier: Carrier) -> None:
    message = await client.messages.create_async(to=ANNA, from_=OURS, body="secret")
    with pytest.raises(TwilioRestException) as early:
        await client.messages(message.sid).delete_async()
    assert early.value.code == 20009
    await eventually(lambda: carrier.parts.exchange.memory.messages[message.sid].status == "delivered")
    assert (await client.messages(message.sid).update_async(body="")).body == ""
    assert await client.messages(message.sid).delete_async()
    with pytest.raises(TwilioRestException) as gone:
        await client.messages(message.sid).fetch_async()
    assert (gone.value.status, gone.value.code) == (404, 20404)


async def test_media_are_fetched_and_given(client: Client, house: House, carrier: Carrier) -> None:
    house.files["/cat.png"] = ("image/png", b"\x89PNG cat")
    message = await client.messages.create_async(to=ANNA, from_=OURS, media_url=[f"{house.url}/cat.png"])
    assert (message.sid[:2], message.num_media) == ("MM", "1")
    await eventually(lambda: carrier.parts.exchange.memory.messages[message.sid].status == "delivered")
    media = await client.messages(message.sid).media.list_async()
    assert media[0].content_type == "image/png"
    assert (await client.messages(message.sid).media(media[0].sid).fetch_async()).parent_sid == message.sid
    phone = await carrier.phones.show_phone(ANNA)
    assert phone.texts[0].attachments[0].content_type == "image/png"
    await client.messages(message.sid).media(media[0].sid).delete_async()
    assert await client.messages(message.sid).media.list_async() == []


async def test_media_that_cannot_be_had_fail_the_message(client: Client, house: House) -> None:
    house.statuses["/none.png"] = 404
    await client.messages.create_async(
        to=ANNA, from_=OURS, media_url=[f"{house.url}/none.png"], status_callback=f"{house.url}/status"
    )
    told = await house.wait_for("/status", 2)
    assert (told[-1]["MessageStatus"], told[-1]["ErrorCode"]) == ("failed", "11200")


async def test_nothing_outside_this_machine_is_ever_asked(client: Client, carrier: Carrier) -> None:
    await client.messages.create_async(
        to=ANNA, from_=OURS, body="x", status_callback="https://crm.example.com/status"
    )
    await eventually(lambda: carrier.parts.courier.log)
    assert "not on this machine" in carrier.parts.courier.log[0].error


async def test_a_public_address_is_signed_and_its_route_is_asked(
    open_carrier: Callable[..., Any], open_client: Callable[..., Client], house: House
) -> None:
    house.public = "https://crm.example.com"
    carrier = await open_carrier(routes={"https://crm.example.com": house.url})
    await open_client(carrier).messages.create_async(
        to=ANNA, from_=OURS, body="x", status_callback="https://crm.example.com/status?a=b%20c"
    )
    await house.wait_for("/status", 3)
    assert all(one.signed for one in house.told)


async def test_a_scheduled_message_waits_and_can_be_withdrawn(
    open_carrier: Callable[..., Any], open_client: Callable[..., Client]
) -> None:
    client = open_client(await open_carrier(with_service=True))
    message = await client.messages.create_async(
        to=ANNA,
        messaging_service_sid=SERVICE,
        body="later",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert message.status == "scheduled"
    assert (await client.messages(message.sid).update_async(status="canceled")).status == "canceled"


async def test_feedback_is_taken(client: Client) -> None:
    message = await client.messages.create_async(to=ANNA, from_=OURS, body="x")
    feedback = await client.messages(message.sid).feedback.create_async(outcome="confirmed")
    assert feedback.outcome == "confirmed"


async def test_wrong_credentials_are_refused(carrier: Carrier, open_client: Callable[..., Client]) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await open_client(carrier, "wrong").messages("SM" + "0" * 32).fetch_async()
    assert (refused.value.status, refused.value.code) == (401, 20003)


async def test_an_api_key_opens_the_interface_too(
    open_carrier: Callable[..., Any], conformance: Conformance | None
) -> None:
    key = "SK" + "1" * 32
    carrier = await open_carrier(api_keys={key: "its secret"})
    hook = LedAsync(carrier.url, conformance)
    client = Client(key, "its secret", carrier.settings.account_sid, http_client=hook)
    assert await client.messages.list_async() == []
    await hook.close()


async def test_a_subaccount_has_its_own_secret_numbers_and_messages(
    carrier: Carrier, client: Client, open_client: Callable[..., Client], house: House
) -> None:
    sub = await client.api.accounts.create_async(friendly_name="Sales")
    assert {one.friendly_name for one in await client.api.accounts.list_async()} == {"Sales", "Test account"}
    theirs = open_client(carrier, TOKEN, sub.sid)  # the owner may use its subaccount
    number = await theirs.incoming_phone_numbers.create_async(
        phone_number="+33644600077", sms_url=f"{house.url}/sub"
    )
    house.token = sub.auth_token
    await theirs.messages.create_async(
        to=ANNA, from_="+33644600077", body="x", status_callback=f"{house.url}/status"
    )
    await house.wait_for("/status", 3)
    assert all(one.signed for one in house.told)
    assert await client.messages.list_async() == []
    renamed = await theirs.incoming_phone_numbers(number.sid).update_async(friendly_name="Sales line")
    assert renamed.friendly_name == "Sales line"
    assert len(await theirs.incoming_phone_numbers.list_async(phone_number="+33644600077")) == 1
    assert await theirs.incoming_phone_numbers(number.sid).delete_async()
    closed = await client.api.accounts(sub.sid).update_async(status="suspended")
    assert closed.status == "suspended"

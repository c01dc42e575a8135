"""The channel against the test carrier: reports, arrivals and doubt as the provider makes them, all under its description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from channels.base import CallbackRequest
from channels.registry import open_channel
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings, ServiceSettings
from channels.sms.inbound import InboundSms, read_inbound
from channels.sms.keywords import Command
from channels.sms.reports import Report
from channels.sms.statuses import furthest
from channels.sms.twilio import TwilioSms
from channels.twilio.signatures import seen_url
from domain.errors import InvalidInput
from domain.messages import DeliveryState
from tests.channels.carrier.conformance import open_conformance, watch
from tests.channels.mails import outcomes_of
from tests.channels.scripted import eventually
from tests.channels.sms.texts import SENDER, make_text

TOKEN = "0123456789abcdef" * 2
SERVICE = "MG" + "7" * 32
PUBLIC = "https://hub.example"
ANNA = "+33612345678"


@dataclass
class Hub:
    """A carrier, a channel to it, and our door: behind a proxy, so that what is signed is the public address."""

    carrier: Carrier
    channel: TwilioSms
    reports: list[Report] = field(default_factory=list)
    arrivals: list[InboundSms] = field(default_factory=list)
    refused: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        url = seen_url(PUBLIC, request.raw_path)
        call = CallbackRequest(request.method, url, dict(request.headers), await request.read())
        try:
            if request.path.endswith("/inbound"):
                self.channel.verify(call)
                self.arrivals.append(read_inbound(call.body))
            elif (report := self.channel.parse_report(call)) is not None:
                self.reports.append(report)
        except InvalidInput:
            self.refused += 1
            return web.Response(status=403)
        return web.Response(text="<Response/>", content_type="text/xml")

    def statuses(self, token: str) -> list[str]:
        return [report.status for report in self.reports if report.token == token]

    async def settled(self, token: str, end: str) -> None:
        await eventually(lambda: furthest(self.statuses(token)) == end)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    app = web.Application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    started: list[Hub] = []

    async def answer(request: web.Request) -> web.Response:
        return await started[0].answer(request)

    app.router.add_route("*", "/{path:.*}", answer)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    inbound = f"{PUBLIC}/callbacks/sms/inbound"
    carrier = Carrier(
        CarrierSettings.model_validate(
            {
                "port": 0,
                "auth_token": TOKEN,
                "numbers": (NumberSettings(phone_number=SENDER, sms_url=inbound),),
                "services": (ServiceSettings(sid=SERVICE, senders=(SENDER,), inbound_url=inbound),),
                "routes": {PUBLIC: f"http://127.0.0.1:{runner.addresses[0][1]}"},
                "second": 0.01,
            }
        )
    )
    await carrier.start()
    settings = {
        "account_sid": carrier.settings.account_sid,
        "auth_token": TOKEN,
        "base_url": carrier.url,
        "callback_url": f"{PUBLIC}/callbacks/sms",
        "rate": 1000,
        "timeouts": {"connect": 2, "answer": 1, "turn": 10, "grace": 0.3},
    }
    channel = open_channel("sms", settings)
    assert isinstance(channel, TwilioSms)
    assert channel._client is not None
    watch(channel._client.http_client, open_conformance())
    started.append(Hub(carrier, channel))
    yield started[0]
    await channel.close()
    await carrier.stop()
    await runner.cleanup()


def _misbehave(hub: Hub, trick: Trick, **values: Any) -> None:
    hub.carrier.parts.exchange.mischief.add(Rule(trick=trick, **values))


def _around() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(minutes=1), now + timedelta(minutes=1)


async def test_a_message_is_sent_and_its_delivery_reported(hub: Hub) -> None:
    receipt = await hub.channel.send(make_text(1, options={"token": "one", "validity": "600"}))
    await hub.settled("one", "delivered")
    assert {report.provider_id for report in hub.reports} == {receipt.provider_id}
    assert hub.refused == 0


async def test_a_message_goes_by_a_service(hub: Hub) -> None:
    await hub.channel.send(make_text(1, sender=SERVICE, options={"token": "one"}))
    await hub.settled("one", "delivered")


@pytest.mark.parametrize("trick", [Trick.BACKWARDS, Trick.TWICE, Trick.LATE])
async def test_reports_that_come_oddly_come_to_the_same_end(hub: Hub, trick: Trick) -> None:
    _misbehave(hub, trick, seconds=1)
    await hub.channel.send(make_text(1, options={"token": "one"}))
    await hub.settled("one", "delivered")


async def test_a_forged_report_is_refused(hub: Hub) -> None:
    _misbehave(hub, Trick.FORGED)
    await hub.channel.send(make_text(1, options={"token": "one"}))
    await eventually(lambda: hub.refused > 1)
    assert hub.reports == []


async def test_without_reports_the_state_can_be_asked_for(hub: Hub) -> None:
    _misbehave(hub, Trick.MISSING)
    receipt = await hub.channel.send(make_text(1, options={"token": "one"}))
    seen: list[str] = []
    while not seen or seen[-1] != "delivered":
        report = await hub.channel.fetch_report(receipt.provider_id)
        assert report is not None
        seen.append(report.status)
        await asyncio.sleep(0.005)
    assert hub.reports == []


@pytest.mark.parametrize(
    ("code", "reason"), [(30003, "number_unreachable"), (30005, "number_unknown"), (30006, "number_fixed")]
)
async def test_a_message_that_does_not_arrive_says_why(hub: Hub, code: int, reason: str) -> None:
    _misbehave(hub, Trick.UNDELIVERED, code=code)
    await hub.channel.send(make_text(1, options={"token": "one"}))
    await hub.settled("one", "undelivered")
    assert next(report.reason for report in hub.reports if report.reason) == reason


@pytest.mark.parametrize(
    ("trick", "state"),
    [
        (Trick.KEPT, DeliveryState.UNCERTAIN),
        (Trick.SILENT, DeliveryState.UNCERTAIN),
        (Trick.GARBLED, DeliveryState.UNCERTAIN),
        (Trick.LOST, DeliveryState.UNCERTAIN),
        (Trick.FORBIDDEN, DeliveryState.DEFERRED),
        (Trick.OPTED_OUT, DeliveryState.REJECTED),
    ],
)
async def test_an_odd_answer_leaves_the_delivery_in_its_right_state(
    hub: Hub, trick: Trick, state: DeliveryState
) -> None:
    _misbehave(hub, trick, times=1)
    outcome = (await outcomes_of(hub.channel, [make_text(1)]))[1]
    assert outcome.state is state


async def test_a_send_in_doubt_is_settled_by_its_report(hub: Hub) -> None:
    _misbehave(hub, Trick.KEPT, times=1)
    outcome = (await outcomes_of(hub.channel, [make_text(1, options={"token": "one"})]))[1]
    assert outcome.state is DeliveryState.UNCERTAIN
    await hub.settled("one", "delivered")
    assert {report.delivery for report in hub.reports} == {DeliveryState.SENT}


async def test_a_send_in_doubt_is_settled_by_looking_it_up(hub: Hub) -> None:
    _misbehave(hub, Trick.MISSING)
    _misbehave(hub, Trick.KEPT, times=1)
    message = make_text(1, body="Was it you — or “somebody” else?")
    assert (await outcomes_of(hub.channel, [message]))[1].state is DeliveryState.UNCERTAIN
    looked = await hub.channel.look_up(message, *_around())
    assert looked.found is not None
    assert looked.found.delivery is DeliveryState.SENT
    lost = make_text(2)
    _misbehave(hub, Trick.LOST, times=1)
    assert (await outcomes_of(hub.channel, [lost]))[2].state is DeliveryState.UNCERTAIN
    assert (await hub.channel.look_up(lost, *_around())).candidates == 0


async def test_too_many_requests_only_delay(hub: Hub) -> None:
    _misbehave(hub, Trick.BUSY_API, times=3, seconds=0)
    outcomes = await outcomes_of(hub.channel, [make_text(key) for key in range(10)])
    assert {outcome.state for outcome in outcomes.values()} == {DeliveryState.SENT}
    assert len(hub.carrier.parts.exchange.memory.messages) == 10


async def test_a_campaign_with_timeouts_after_acceptance_sends_no_number_twice(hub: Hub) -> None:
    _misbehave(hub, Trick.KEPT, to_ends="7")
    _misbehave(hub, Trick.BUSY_API, times=20, seconds=0)
    outcomes = await outcomes_of(hub.channel, [make_text(key) for key in range(200)])
    taken = [message.to for message in hub.carrier.parts.exchange.memory.messages.values()]
    assert sorted(taken) == sorted(make_text(key).recipient for key in range(200))
    uncertain = {key for key, outcome in outcomes.items() if outcome.state is DeliveryState.UNCERTAIN}
    assert uncertain == {key for key in range(200) if key % 10 == 7}
    for key in sorted(uncertain):
        assert (await hub.channel.look_up(make_text(key), *_around())).found is not None


async def test_a_message_arrives_from_a_phone_with_its_picture(hub: Hub) -> None:
    await hub.carrier.phones.send_text(ANNA, SENDER, "Voilà 👍", [("image/png", b"\x89PNG dog")])
    await eventually(lambda: bool(hub.arrivals))
    (message,) = hub.arrivals
    assert (message.sender, message.recipient, message.body) == (ANNA, SENDER, "Voilà 👍")
    media = await hub.channel.fetch_media(message.media[0].url)
    assert (media.content_type, media.content) == ("image/png", b"\x89PNG dog")


async def test_after_stop_the_provider_refuses_and_after_start_it_sends_again(hub: Hub) -> None:
    to_anna = make_text(1, recipient=ANNA, sender=SERVICE)  # the number that Anna writes to is in it
    await hub.carrier.phones.send_text(ANNA, SENDER, "Stop")
    await eventually(lambda: len(hub.arrivals) == 1)
    assert hub.arrivals[0].command is Command.STOP
    refused = (await outcomes_of(hub.channel, [to_anna]))[1]
    assert (refused.state, refused.reason) == (DeliveryState.REJECTED, "opted_out")
    await hub.carrier.phones.send_text(ANNA, SENDER, "START")
    await eventually(lambda: len(hub.arrivals) == 2)
    assert hub.arrivals[1].command is Command.START
    assert (await outcomes_of(hub.channel, [to_anna]))[1].state is DeliveryState.SENT

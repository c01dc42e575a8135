"""Our SMS channel and the carrier, which share no code for what they say to each other: they understand one another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from channels.base import CallbackRequest
from channels.registry import open_channel
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sms.inbound import InboundSms, read_inbound
from channels.sms.reports import Report
from channels.sms.twilio import TwilioSms
from domain.errors import InvalidInput
from domain.messages import DeliveryState, Outbound, Outcome
from tests.channels.carrier.conftest import OURS, TOKEN
from tests.channels.carrier.house import eventually

STORY = "+33639980"


class Hub:
    """Our callback routes, as the web room will have them."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.arrived: list[InboundSms] = []
        self.refused = 0
        self.url = ""
        self.channel: TwilioSms | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/callbacks/sms"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        assert self.channel is not None
        body = await request.read()
        asked = CallbackRequest(request.method, str(request.url), dict(request.headers), body)
        try:
            if request.path.endswith("/inbound"):
                self.channel.verify(asked)
                self.arrived.append(read_inbound(body))
            elif (report := self.channel.parse_report(asked)) is not None:
                self.reports.append(report)
        except InvalidInput:
            self.refused += 1
            return web.Response(status=403)
        return web.Response(text="<Response/>", content_type="text/xml")

    def about(self, token: str) -> list[str]:
        return [one.status for one in self.reports if one.token == token]


@pytest.fixture
async def hub(carrier: Carrier) -> AsyncIterator[Hub]:
    hub = Hub()
    await hub.start()
    settings = {
        "account_sid": carrier.settings.account_sid,
        "auth_token": TOKEN,
        "base_url": carrier.url,
        "callback_url": hub.url,
        "rate": 1000,
        "timeouts": {"answer": 0.5},
    }
    channel = open_channel("sms", settings)
    assert isinstance(channel, TwilioSms)
    hub.channel = channel
    number = next(iter(carrier.parts.exchange.memory.numbers.values()))
    number.sms_url = f"{hub.url}/inbound"
    yield hub
    await channel.close()
    await hub.stop()


def text(key: int, recipient: str) -> Outbound:
    return Outbound(key, 1, OURS, recipient, f"Bonjour {key}".encode(), options={"token": f"token-{key}"})


async def deliver(hub: Hub, *messages: Outbound) -> dict[int, Outcome]:
    assert hub.channel is not None
    outcomes: dict[int, Outcome] = {}
    await hub.channel.deliver(messages, lambda outcome: outcomes.update({outcome.key: outcome}))
    return outcomes


async def test_a_batch_arrives_and_is_reported(carrier: Carrier, hub: Hub) -> None:
    outcomes = await deliver(hub, *(text(key, f"{STORY}{key:03}") for key in range(1, 31)))
    assert {one.state for one in outcomes.values()} == {DeliveryState.SENT}
    await eventually(lambda: all(hub.about(f"token-{key}")[-1:] == ["delivered"] for key in range(1, 31)))
    assert hub.refused == 0
    phone = await carrier.phones.show_phone(f"{STORY}007")
    assert [one.body for one in phone.texts] == ["Bonjour 7"]


@pytest.mark.parametrize(("ending", "code"), [("901", 30003), ("904", 30007)])
async def test_what_is_not_delivered_is_reported_with_its_reason(hub: Hub, ending: str, code: int) -> None:
    await deliver(hub, text(1, STORY + ending))
    await eventually(lambda: hub.about("token-1")[-1:] == ["undelivered"])
    assert hub.reports[-1].reason
    assert hub.reports[-1].code == code


async def test_one_who_opted_out_is_rejected_as_that(carrier: Carrier, hub: Hub) -> None:
    await carrier.phones.send_text(STORY + "001", OURS, "STOP")
    await eventually(lambda: hub.arrived)
    assert hub.arrived[0].command is not None
    outcome = (await deliver(hub, text(1, STORY + "001")))[1]
    assert (outcome.state, outcome.reason) == (DeliveryState.REJECTED, "opted_out")


@pytest.mark.parametrize(("ending", "found"), [("923", False), ("924", True), ("925", True), ("927", True)])
async def test_a_lost_answer_is_uncertain_and_settled_by_the_list_or_a_report(
    carrier: Carrier, hub: Hub, ending: str, found: bool
) -> None:
    message = text(1, STORY + ending)
    began = datetime.now(UTC)
    outcome = (await deliver(hub, message))[1]
    assert outcome.state is DeliveryState.UNCERTAIN
    assert hub.channel is not None
    looked = await hub.channel.look_up(message, began, datetime.now(UTC) + timedelta(seconds=1))
    assert (looked.found is not None) == found
    assert len(carrier.parts.exchange.memory.messages) == int(found)
    if found:
        await eventually(lambda: hub.about("token-1")[-1:] == ["delivered"])


async def test_a_busy_interface_delays_and_loses_nothing(carrier: Carrier, hub: Hub) -> None:
    carrier.parts.exchange.mischief.add(Rule(trick=Trick.BUSY_API, times=2, seconds=1))
    outcomes = await asyncio.wait_for(
        deliver(hub, *(text(key, f"{STORY}{key:03}") for key in range(1, 6))), 20
    )
    assert {one.state for one in outcomes.values()} == {DeliveryState.SENT}
    assert len(carrier.parts.exchange.memory.messages) == 5


@pytest.mark.parametrize("trick", [Trick.BACKWARDS, Trick.TWICE])
async def test_reports_in_any_order_and_number_hold(carrier: Carrier, hub: Hub, trick: Trick) -> None:
    carrier.parts.exchange.mischief.add(Rule(trick=trick))
    await deliver(hub, text(1, STORY + "001"))
    await eventually(lambda: {"queued", "delivered"} <= set(hub.about("token-1")))
    assert hub.refused == 0


async def test_a_forged_report_is_refused(hub: Hub) -> None:
    await deliver(hub, text(1, STORY + "915"))
    await eventually(lambda: hub.refused == 3)
    assert hub.reports == []


async def test_a_picture_that_arrives_is_fetched(carrier: Carrier, hub: Hub) -> None:
    await carrier.phones.send_text(STORY + "001", OURS, "Voilà", [("image/png", b"\x89PNG")])
    await eventually(lambda: hub.arrived)
    arrived = hub.arrived[0]
    assert (arrived.body, arrived.country) == ("Voilà", "FR")
    assert hub.channel is not None
    media = await hub.channel.fetch_media(arrived.media[0].url)
    assert (media.content_type, media.content) == ("image/png", b"\x89PNG")

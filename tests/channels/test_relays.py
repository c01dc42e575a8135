"""Several relays: the first that takes the author's mail and can be reached; never a second copy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from channels.mail.sending.circuits import Circuit
from channels.mail.settings import Encryption, MailSettings, RelaySettings, Timeouts, WarmUp
from channels.mail.smtp import MailChannel
from domain.messages import DeliveryState, Outbound, Outcome
from tests.channels.mails import make_message, outcomes_of
from tests.channels.scripted import Cut, ScriptedServer


class Two:
    """Two relays, the first before the second, and a channel that uses both."""

    def __init__(self, first: ScriptedServer, second: ScriptedServer) -> None:
        self.first = first
        self.second = second
        self.channels: list[MailChannel] = []

    def channel(
        self, first: dict[str, Any] | None = None, second: dict[str, Any] | None = None
    ) -> MailChannel:
        shared = {"encryption": Encryption.NEVER, "connections": 2, "timeouts": Timeouts(quit=0.5, grace=0.5)}
        relays = (
            RelaySettings(
                **{"name": "first", "port": self.first.port, "priority": 1, **shared, **(first or {})}
            ),
            RelaySettings(
                **{"name": "second", "port": self.second.port, "priority": 2, **shared, **(second or {})}
            ),
        )
        channel = MailChannel(MailSettings(relays=relays))
        self.channels.append(channel)
        return channel


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(ScriptedServer().running())
        second = await stack.enter_async_context(ScriptedServer().running())
        pair = Two(first, second)
        yield pair
        for channel in pair.channels:
            await channel.close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mails(count: int) -> list[Outbound]:
    return [make_message(key) for key in range(1, count + 1)]


async def test_the_first_relay_takes_everything_while_it_can_be_reached(two: Two) -> None:
    outcomes = await outcomes_of(two.channel(), mails(5))
    assert {(o.state, o.relay) for o in outcomes.values()} == {(DeliveryState.SENT, "first")}
    assert two.second.connections == 0


async def test_when_it_cannot_be_reached_the_next_one_takes_over_in_the_same_attempt(two: Two) -> None:
    outcomes = await outcomes_of(two.channel({"port": closed_port()}), mails(20))
    assert {(o.state, o.relay) for o in outcomes.values()} == {(DeliveryState.SENT, "second")}
    assert len(two.second.mails) == 20


@pytest.mark.parametrize(
    ("settings", "always"),
    [
        ({"encryption": Encryption.REQUIRED}, {}),
        ({"username": "u", "password": "p", "plain_login": True}, {"AUTH": b"535 5.7.8 no\r\n"}),
        ({}, {"greeting": b"421 4.3.2 too busy\r\n"}),
        ({}, {"greeting": Cut()}),
    ],
    ids=["no TLS", "login refused", "421 at the greeting", "cut at the greeting"],
)
async def test_a_relay_that_does_not_let_us_in_counts_as_away(
    two: Two, settings: dict[str, Any], always: dict[str, Any]
) -> None:
    two.first.extensions = (*two.first.extensions, "AUTH PLAIN")
    two.first.always.update(always)
    outcomes = await outcomes_of(two.channel(settings), mails(3))
    assert {(o.state, o.relay) for o in outcomes.values()} == {(DeliveryState.SENT, "second")}


@pytest.mark.parametrize(
    ("answer", "state"),
    [(b"550 5.1.1 nobody\r\n", DeliveryState.REJECTED), (b"451 4.3.0 later\r\n", DeliveryState.DEFERRED)],
)
async def test_a_refusal_is_an_answer_and_goes_to_no_other_relay(
    two: Two, answer: bytes, state: DeliveryState
) -> None:
    two.first.always["RCPT"] = answer
    outcomes = await outcomes_of(two.channel(), mails(3))
    assert {(o.state, o.relay) for o in outcomes.values()} == {(state, "first")}
    assert two.second.connections == 0


async def test_what_a_relay_may_have_taken_is_never_given_to_another(two: Two) -> None:
    two.first.always["content"] = Cut()
    outcomes = await outcomes_of(two.channel({"connections": 1}), mails(1))
    assert outcomes[1].state is DeliveryState.UNCERTAIN
    assert two.second.connections == 0


async def test_a_relay_that_is_back_is_used_again_after_one_probe(two: Two) -> None:
    two.first.always["greeting"] = b"421 4.3.2 too busy\r\n"
    channel = two.channel()
    await outcomes_of(channel, mails(3))
    attempts = two.first.connections
    await outcomes_of(channel, mails(3))
    assert two.first.connections == attempts
    assert channel.relays.some_are_away
    del two.first.always["greeting"]
    await asyncio.sleep(1.05)
    outcomes = await outcomes_of(channel, mails(3))
    assert sorted(o.relay for o in outcomes.values()) == ["first", "second", "second"]
    outcomes = await outcomes_of(channel, mails(3))
    assert {o.relay for o in outcomes.values()} == {"first"}
    assert not channel.relays.some_are_away


async def test_when_all_are_away_the_message_waits(two: Two) -> None:
    channel = two.channel({"port": closed_port()}, {"port": closed_port()})
    outcomes = await outcomes_of(channel, mails(3))
    assert {(o.state, o.reason) for o in outcomes.values()} == {(DeliveryState.DEFERRED, "connection_failed")}
    names, wait = channel.relays.candidates(make_message(), set())
    assert names == []
    assert 0 < wait <= 1


async def test_authors_are_served_by_their_own_relays(two: Two) -> None:
    channel = two.channel({"serves": ("example.org", "boss@example.com")}, {"serves": ("example.com",)})
    authors = ["news@example.org", "Boss@example.com", "sales@example.com", "x@example.net"]
    messages = [make_message(key, options={"from": author}) for key, author in enumerate(authors, start=1)]
    outcomes = await outcomes_of(channel, messages)
    assert [outcomes[key].relay for key in (1, 2, 3)] == ["first", "first", "second"]
    assert (outcomes[4].state, outcomes[4].reason) == (DeliveryState.DEFERRED, "routing_failed")


async def test_a_cancelled_delivery_settles_everything_once(two: Two) -> None:
    settled: list[Outcome] = []
    task = asyncio.create_task(two.channel({"port": closed_port()}).deliver(mails(50), settled.append))
    await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(outcome.key for outcome in settled) == list(range(1, 51))


async def test_an_error_in_settling_reaches_the_caller(two: Two) -> None:
    def fail(outcome: Outcome) -> None:
        raise ValueError(outcome.key)

    with pytest.raises(ValueError, match="1"):
        await two.channel().deliver(mails(1), fail)


def test_a_circuit_lets_one_message_through_after_each_rest() -> None:
    circuit = Circuit()
    assert circuit.room(0) is None
    rests = []
    now = 0.0
    for _ in range(8):
        circuit.fail(now)
        rests.append(circuit.until - now)
        assert circuit.room(now) == 0
        now = circuit.until
        assert circuit.room(now) == 1
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
    circuit.succeed()
    assert circuit.room(now) is None


def test_a_warm_up_says_how_much_goes_out_on_each_day() -> None:
    plan = WarmUp(start=date(2026, 11, 2), days=(50, 100))
    assert [plan.limit(date(2026, 11, day)) for day in (1, 2, 3, 4)] == [0, 50, 100, None]


def test_two_relays_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="name"):
        MailSettings(relays=(RelaySettings(host="a"), RelaySettings(host="a", port=26)))


async def test_a_relay_with_limits_takes_only_what_it_was_asked_about(two: Two) -> None:
    channel = two.channel({"port": closed_port()}, {"warm_up": {"start": "2999-01-01", "days": (10,)}})
    meant = [mail._replace(options={"relay": "first"}) for mail in mails(3)]
    outcomes = await outcomes_of(channel, meant)
    assert {(o.state, o.reason, o.relay) for o in outcomes.values()} == {
        (DeliveryState.DEFERRED, "interrupted", "first")  # tried again at once, after the limits were asked
    }
    assert two.second.connections == 0
    names, _ = channel.relays.candidates(meant[0], set())
    assert names == ["second"]
    again = await outcomes_of(channel, [meant[0]._replace(options={"relay": "second"})])
    assert [o.relay for o in again.values()] == ["second"]


async def test_a_relay_that_may_be_back_is_a_candidate_for_one_message(two: Two) -> None:
    channel = two.channel({"port": closed_port()})
    await outcomes_of(channel, mails(1))
    await asyncio.sleep(1.05)  # its first rest
    probed: set[str] = set()
    assert channel.relays.candidates(make_message(1), probed) == (["first", "second"], 0.0)
    assert channel.relays.candidates(make_message(2), probed) == (["second"], 0.0)

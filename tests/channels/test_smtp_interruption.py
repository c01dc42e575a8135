"""Cancelling and closing: nothing is lost, nothing settled twice, and no empty message is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from channels.mail.settings import Timeouts
from channels.mail.smtp import MailChannel
from domain.messages import DeliveryState, Outcome
from tests.channels.mails import make_message, outcomes_of
from tests.channels.scripted import SILENCE, Pause, ScriptedServer, eventually

OpenChannel = Callable[..., MailChannel]
SENT, DEFERRED, UNCERTAIN = DeliveryState.SENT, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN


async def _deliver_until(
    server: ScriptedServer, channel: MailChannel, step: str, count: int
) -> tuple[asyncio.Task[None], list[Outcome]]:
    """Begin to deliver, return when the server has come to `step` of its script."""
    settled: list[Outcome] = []
    messages = [make_message(key) for key in range(1, count + 1)]
    task = asyncio.create_task(channel.deliver(messages, settled.append))
    await asyncio.wait_for(server.reached[step].wait(), 5)
    return task, settled


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_cancelled_before_content_everything_is_interrupted(
    server: ScriptedServer, open_channel: OpenChannel, step: str, pipelining: bool
) -> None:
    server.say(step, SILENCE)
    task, settled = await _deliver_until(server, open_channel(server.port, pipelining=pipelining), step, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert Counter((o.state, o.reason) for o in settled) == {(DEFERRED, "interrupted"): 5}
    assert sorted(o.key for o in settled) == [1, 2, 3, 4, 5]
    assert not server.complete


async def test_cancelled_after_the_dot_that_message_is_uncertain(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("content", b"250 ok\r\n", SILENCE)
    channel = open_channel(server.port, timeouts=Timeouts(grace=0.05, quit=0.1))
    task, settled = await _deliver_until(server, channel, "content", 5)
    await eventually(lambda: len(server.complete) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    states = {o.key: (o.state, o.reason) for o in settled}
    interrupted = (DEFERRED, "interrupted")
    assert states == {
        1: (SENT, ""),
        2: (UNCERTAIN, "interrupted"),
        3: interrupted,
        4: interrupted,
        5: interrupted,
    }
    assert len(settled) == 5


async def test_cancelled_after_the_dot_an_answer_within_the_grace_counts(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("content", Pause(0.2, b"250 ok\r\n"))
    channel = open_channel(server.port, timeouts=Timeouts(grace=3, quit=0.1))
    task, settled = await _deliver_until(server, channel, "content", 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {o.key: o.state for o in settled} == {1: SENT, 2: DEFERRED, 3: DEFERRED}
    assert [mail[1] for mail in server.complete] == ["user1@example.com"]


async def test_cancelled_inside_a_long_content_it_is_deferred(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.stop_in_content = True
    server.extensions = ("PIPELINING",)
    content = b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 500_000 + b".\r\n"
    settled: list[Outcome] = []
    channel = open_channel(server.port)
    task = asyncio.create_task(channel.deliver([make_message(content=content)], settled.append))
    await asyncio.wait_for(server.reached["DATA"].wait(), 5)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(o.state, o.reason) for o in settled] == [(DEFERRED, "interrupted")]


async def test_a_cancelled_batch_does_not_touch_another_one(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("content", Pause(0.3, b"250 ok\r\n"))
    channel = open_channel(server.port)
    task, settled = await _deliver_until(server, channel, "content", 10)
    other = asyncio.create_task(outcomes_of(channel, [make_message(key) for key in range(100, 110)]))
    await asyncio.sleep(0)
    task.cancel()
    outcomes = await other
    assert {outcome.state for outcome in outcomes.values()} == {SENT}
    assert Counter(o.state for o in settled) == {SENT: 1, DEFERRED: 9}
    # The commands of message 2 were on the way already; they are not ended with an empty message.
    assert all(content.startswith(b"Subject") for _, _, content in server.complete)


async def test_close_interrupts_a_delivery_under_way(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    server.say("content", SILENCE)
    channel = open_channel(server.port, timeouts=Timeouts(grace=0.05, quit=0.05))
    task, settled = await _deliver_until(server, channel, "content", 4)
    await channel.close()
    await task
    assert {o.key: o.state for o in settled} == {1: UNCERTAIN, 2: DEFERRED, 3: DEFERRED, 4: DEFERRED}
    assert {o.reason for o in settled} == {"interrupted"}


async def test_cancelling_at_any_moment_settles_each_once(
    server: ScriptedServer, open_channel: OpenChannel
) -> None:
    channel = open_channel(server.port, connections=3, timeouts=Timeouts(grace=1, quit=0.2))
    for round_ in range(40):
        settled: list[Outcome] = []
        messages = [make_message(1000 * round_ + key) for key in range(60)]
        task = asyncio.create_task(channel.deliver(messages, settled.append))
        for _ in range(3 * round_ + 1):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert sorted(o.key for o in settled) == [message.key for message in messages]
        sent = {o.key for o in settled if o.state is SENT}
        arrived = {int(mail[1][4:].partition("@")[0]) for mail in server.mails}
        assert {key for key in arrived if key // 1000 == round_} == sent
    assert all(content.startswith(b"Subject") for _, _, content in server.complete)

"""Whatever the provider does, and whenever sending is interrupted: each message is settled once, and none goes twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

import pytest

from channels.registry import open_channel
from domain.messages import DeliveryState, Outcome
from tests.channels.sms import provider as sms
from tests.channels.sms.texts import key_of, make_text

_ANSWERS = [
    *[sms.TAKE] * 6,
    *(sms.CUT_BEFORE, sms.CUT_AFTER, sms.BROKEN, sms.BUSY, sms.AWAY, sms.GARBAGE),
    sms.refusal(21610),
    sms.Script(delay=0.05),
    sms.Script(delay=0.4),
]


@pytest.mark.parametrize("ending", ["left alone", "cancelled", "closed"])
@pytest.mark.parametrize("seed", range(3))
async def test_no_number_gets_a_message_twice_and_none_is_forgotten(seed: int, ending: str) -> None:
    chance = random.Random(seed)
    async with sms.Provider().running() as running:
        running.script.extend(chance.choice(_ANSWERS) for _ in range(200))
        waits = {"answer": 0.2, "turn": 5, "grace": 0.1}
        settings = running.settings(connections=chance.choice([2, 5, 20]), timeouts=waits)
        channel = open_channel("sms", settings)
        settled: list[Outcome] = []
        task = asyncio.create_task(channel.deliver([make_text(key) for key in range(40)], settled.append))
        await asyncio.sleep(chance.random() * 0.2)
        if ending == "cancelled":
            task.cancel()
        elif ending == "closed":
            await channel.close()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await channel.close()
    arrived = Counter(key_of(message["to"]) for message in running.messages)
    assert sorted(outcome.key for outcome in settled) == list(range(40))
    assert max(arrived.values(), default=1) == 1
    sent = {outcome.key for outcome in settled if outcome.state is DeliveryState.SENT}
    uncertain = {outcome.key for outcome in settled if outcome.state is DeliveryState.UNCERTAIN}
    assert sent <= set(arrived) <= sent | uncertain

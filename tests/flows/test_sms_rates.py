"""The rate of a number holds over worker processes, counted in parts, and so does the rest that the provider asks for."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.records import Message
from domain.clock import SystemClock
from outbox.letters.letter import LetterKind
from outbox.texts.letters import SmsLetter, write_sms
from storage.pool import Pool, transaction
from tests.flows.test_kill_texters import OURS, SETTINGS, TOKEN
from tests.flows.test_kill_texters import carrier as carrier

RATE = 20.0  #: parts a second
TEXTS = 60
BODY = "x" * 200  #: two parts
WORKERS = 2


class Crowd:
    """Worker processes that send short messages."""

    def __init__(self, database_url: str, carrier: Carrier) -> None:
        order = {
            "database_url": database_url,
            "outbox": SETTINGS.model_copy(update={"sending_lease": 60, "claim_lease": 30}).model_dump(
                mode="json"
            ),
            "sms": {
                "account_sid": carrier.settings.account_sid,
                "auth_token": TOKEN,
                "base_url": carrier.url,
                "rate": RATE,
                "connections": 10,
                "timeouts": {"connect": 2, "answer": 5, "turn": 5, "grace": 0.3},
            },
        }
        self.workers = [
            subprocess.Popen([sys.executable, "-m", "tests.flows.sms_worker", json.dumps(order)])
            for _ in range(WORKERS)
        ]

    def end(self) -> None:
        """End all processes."""
        for process in self.workers:
            process.kill()
            process.wait()


@pytest.fixture
async def crowd(pool: Pool, database_url: str, carrier: Carrier) -> AsyncIterator[Crowd]:
    crowd = Crowd(database_url, carrier)
    yield crowd
    crowd.end()


async def write(pool: Pool, count: int, first: int = 0) -> None:
    async with transaction(pool) as connection:
        for number in range(first, first + count):
            letter = SmsLetter(LetterKind.TRANSACTIONAL, OURS, f"+336120{number:05}", BODY)
            await write_sms(connection, letter, SystemClock())


async def taken(carrier: Carrier, count: int, seconds: float) -> list[Message]:
    """All that the carrier has, as soon as it is so many, in their order."""
    async with asyncio.timeout(seconds):
        while len(carrier.parts.exchange.memory.messages) < count:  # noqa: ASYNC110 - other processes send
            await asyncio.sleep(0.1)
    return sorted(carrier.parts.exchange.memory.messages.values(), key=lambda one: one.created)


def busiest(moments: list[datetime], seconds: float) -> int:
    """The most messages in any stretch of so many seconds."""
    span = timedelta(seconds=seconds)
    return max(sum(begin <= one < begin + span for one in moments) for begin in moments)


@pytest.mark.timeout(120)
async def test_two_processes_together_keep_to_the_rate_of_a_number_in_parts(
    pool: Pool, carrier: Carrier, crowd: Crowd
) -> None:
    await write(pool, TEXTS)
    messages = await taken(carrier, TEXTS, 60)
    moments = [one.created for one in messages]
    assert {one.segments for one in messages} == {2}
    allowed = RATE / 2
    # requests are late on a busy machine, and the next ones on time: each process by itself would send twice as many
    assert busiest(moments, 2.0) <= 1.5 * 2 * allowed
    took = (moments[-1] - moments[0]).total_seconds()
    assert took >= (TEXTS - 1) / allowed - 1
    assert took <= 2 * TEXTS / allowed  # and the rate is used
    assert len({one.to for one in messages}) == TEXTS


@pytest.mark.timeout(120)
async def test_when_the_provider_asks_one_process_to_rest_all_do_and_nothing_counts_as_tried(
    pool: Pool, carrier: Carrier, crowd: Crowd
) -> None:
    rule = Rule(trick=Trick.BUSY_API, resource="messages", method="POST", seconds=4, times=2)
    carrier.parts.exchange.mischief.add(rule)
    await write(pool, 30)
    messages = await taken(carrier, 30, 60)
    until = await pool.fetchval("SELECT rest_until FROM sms_paces WHERE key = ''")
    assert until is not None
    # what was under way when the first 429 came may have gone through; from then on all rest
    began = until - timedelta(seconds=4)
    assert not [one for one in messages if began + timedelta(seconds=1) < one.created < until]

    async with asyncio.timeout(20):
        while await pool.fetchval("SELECT count(*) FROM deliveries WHERE state <> 'sent'"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await pool.fetchval("SELECT max(attempt) FROM deliveries") == 1
    assert await pool.fetchval("SELECT count(*) FROM delivery_attempts") == 0
    assert await pool.fetchval("SELECT count(*) FROM events WHERE type = 'Deferred'") == 0

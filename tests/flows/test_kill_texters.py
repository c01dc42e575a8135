"""Workers that send short messages are killed and stopped at random moments, and the provider takes messages without
answering: no number gets a message twice, none is lost, and the provider's list settles whatever it has.

CLYTIE_TEST_KILLS sets how many blows there are (8), CLYTIE_TEST_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import time

import pytest

from campaigns.drafts import CampaignInput, create_campaign
from campaigns.launch import launch
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from domain.clock import SystemClock
from domain.messages import ChannelKind
from outbox.composing import MailKitchen
from outbox.letters.letter import LetterKind
from outbox.settings import OutboxSettings
from outbox.texts.hours import TextHours
from outbox.texts.letters import SmsLetter, write_sms
from storage.pool import Pool, transaction
from tests.flows.sms_worker import KEYS

TEXTS = 900
KILLS = int(os.environ.get("CLYTIE_TEST_KILLS", "8"))
OURS = "+33700000001"
TOKEN = "0123456789abcdef" * 2
SETTINGS = OutboxSettings(
    claim_lease=2,
    sending_lease=2.5,
    lease_margin=0.5,
    poll=0.2,
    stop_grace=3,
    retry_after=0.5,
    retry_limit=1,
    text_hours=TextHours(begin=time(0), end=time(23, 59, 59, 999_999), days=(1, 2, 3, 4, 5, 6, 7)),
)
_SEED = """
WITH people AS (
    INSERT INTO contacts (name, given_name) SELECT 'Person ' || n, 'P' || n FROM generate_series(1, $1::int) AS n
    RETURNING id
), addressed AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT id, 'phone', '+336130' || to_char(id, 'FM00000'), 'phone' FROM people
)
INSERT INTO consents (contact_id, purpose, state, since) SELECT id, 'texts', 'granted', now() FROM people
"""


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    settings = {
        "port": 0,
        "auth_token": TOKEN,
        "numbers": (NumberSettings(phone_number=OURS),),
        "second": 0.05,
    }
    running = Carrier(CarrierSettings.model_validate(settings))
    await running.start()
    yield running
    await running.stop()


class Texters:
    """Worker processes that send through a carrier."""

    def __init__(self, database_url: str, carrier: Carrier) -> None:
        self._order = json.dumps(
            {
                "database_url": database_url,
                "outbox": SETTINGS.model_dump(),
                "sms": {
                    "account_sid": carrier.settings.account_sid,
                    "auth_token": TOKEN,
                    "base_url": carrier.url,
                    "rate": 1000,
                    "connections": 4,
                    "timeouts": {"connect": 2, "answer": 0.6, "turn": 5, "grace": 0.3},
                },
            }
        )
        self.workers = [self._start() for _ in range(2)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.flows.sms_worker", self._order], stderr=subprocess.DEVNULL
        )

    async def strike(self, place: int, dice: random.Random) -> None:
        """Kill a worker, or stop it for longer than its leases."""
        process = self.workers[place]
        if dice.random() < 0.7:
            process.kill()
            process.wait()
            self.workers[place] = self._start()
        else:
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(SETTINGS.sending_lease + dice.uniform(0.3, 1))
            process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End all processes."""
        for process in self.workers:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


async def write_texts(pool: Pool) -> None:
    """Half of them are letters, half belong to a campaign."""
    await pool.execute(_SEED, TEXTS // 2)
    segment = await pool.fetchval(
        "INSERT INTO segments (name, condition) VALUES ('all', $1) RETURNING id", {"all": []}
    )
    source = {"sender": OURS, "text": "Dear {{ contact.given_name }}, we are open on Friday."}
    async with pool.acquire() as connection:
        given = CampaignInput(name="Friday", channel=ChannelKind.SMS, segment_id=segment, source=source)
        campaign_id = await create_campaign(connection, given)
    kitchen = MailKitchen(KEYS, "https://hub.example", SETTINGS)
    assert await launch(pool, campaign_id, kitchen, SystemClock()) == TEXTS // 2
    async with transaction(pool) as connection:
        for number in range(TEXTS // 2):
            letter = SmsLetter(
                LetterKind.TRANSACTIONAL, OURS, f"+336120{number:05}", f"Your code is {number}"
            )
            await write_sms(connection, letter, SystemClock())


def arrived_at(carrier: Carrier) -> Counter[str]:
    """How many messages the carrier has for each number."""
    return Counter(message.to for message in carrier.parts.exchange.memory.messages.values())


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_no_number_gets_a_text_twice_and_none_is_lost_however_often_workers_are_killed(
    pool: Pool, database_url: str, carrier: Carrier
) -> None:
    seed = int(os.environ.get("CLYTIE_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    dice = random.Random(seed)
    mischief = carrier.parts.exchange.mischief
    for ending, trick in (("7", Trick.KEPT), ("38", Trick.SILENT), ("9", Trick.LOST), ("4", Trick.BUSY_API)):
        mischief.add(
            Rule(trick=trick, resource="messages", method="POST", to_ends=ending, times=40, seconds=0.1)
        )
    mischief.add(Rule(trick=Trick.SLOW, resource="messages", method="POST", seconds=0.05))
    await write_texts(pool)
    texters = Texters(database_url, carrier)
    try:

        async def harass(place: int) -> None:
            for _ in range(KILLS // 2):
                await asyncio.sleep(dice.uniform(0.8, 2.0))
                await texters.strike(place, dice)

        await asyncio.gather(harass(0), harass(1))
        open_ones = None
        async with asyncio.timeout(90):
            while open_ones != 0:
                await asyncio.sleep(0.3)
                arrived = arrived_at(carrier)
                rows = await pool.fetch("SELECT address, state FROM deliveries")
                open_ones = sum(
                    row["state"] not in ("sent", "uncertain")
                    or (row["state"] == "uncertain" and row["address"] in arrived)
                    for row in rows
                )
    finally:
        texters.end()
    states = Counter(row["state"] for row in rows)
    print(dict(states), len(arrived))
    assert sum(states.values()) == TEXTS
    assert (
        states["uncertain"] <= 40 + 8 * KILLS
    )  # those that were lost on the way, and a window for each blow
    assert max(arrived.values()) == 1
    assert {row["address"] for row in rows if row["state"] == "sent"} == arrived.keys()
    facts = await pool.fetch(
        "SELECT f.provider_id FROM sms_facts AS f JOIN deliveries AS d USING (message_id) WHERE d.state = 'sent'"
    )
    assert {row["provider_id"] for row in facts} == carrier.parts.exchange.memory.messages.keys()
    told = await pool.fetch("SELECT message_id FROM events WHERE type = 'Sent'")
    assert len(told) == len({row["message_id"] for row in told}) == states["sent"]

"""Campaigns by SMS: who gets one, when, with which words, and what it costs before it is sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from campaigns.control import complete_finished
from campaigns.drafts import CampaignInput, create_campaign
from campaigns.launch import launch
from campaigns.texts import weigh_campaign
from channels.sms.costs import Prices
from domain.clock import Clock, FixedClock, SystemClock
from domain.consent import Purpose
from domain.errors import InvalidInput
from domain.messages import ChannelKind, Outbound
from domain.tokens import TokenKeys, TokenUse
from outbox.composing import MailKitchen
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.texts.composing import SmsKitchen, SmsLetterComposer
from outbox.texts.hours import TextHours
from outbox.texts.traffic import SmsTraffic
from storage.announce import Announcer
from storage.pool import Pool
from tests.campaigns.village import CLOCK, EVERYBODY, KITCHEN, add_contact
from tests.outbox.stock import BRISK, ObedientChannel, accept

KEYS = TokenKeys({1: bytes(range(32))})
ALWAYS = TextHours(begin=time(0), end=time(23, 59, 59), days=(1, 2, 3, 4, 5, 6, 7))
TEXT = {"text": "Dear {{ contact.name }}, we’re open on Friday.\n", "sender": "+33700000001"}


async def add_phone(pool: Pool, name: str, number: str, consent: str = "texts", **columns: Any) -> int:
    contact = await add_contact(pool, name, consents=(consent,), mail=False, **columns)
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        contact,
        number,
    )
    return contact


async def add_text(pool: Pool, **changes: Any) -> int:
    segment = await pool.fetchval(
        "INSERT INTO segments (name, condition) VALUES ('all', $1) RETURNING id", EVERYBODY
    )
    async with pool.acquire() as connection:
        return await create_campaign(
            connection,
            CampaignInput(
                name="Friday", segment_id=segment, purpose=Purpose.TEXTS, source={**TEXT, **changes}
            ),
            channel=ChannelKind.SMS,
        )


async def send(
    pool: Pool, hours: TextHours = ALWAYS, clock: Clock | None = None, left: tuple[str, ...] = ()
) -> list[Outbound]:
    """Send what may go, until only rows of these states are left; gives what the channel took."""
    clock = clock or SystemClock()
    settings = OutboxSettings(**{**BRISK.model_dump(), "text_hours": hours})
    channel, stop = ObedientChannel(accept), asyncio.Event()
    sender = Sender(
        pool,
        channel,
        SmsKitchen(MailKitchen(KEYS, "https://hub.example", settings), KEYS).composer,
        settings,
        clock,
        Announcer(pool),
        kind=ChannelKind.SMS,
        letters=SmsLetterComposer(KEYS),
        traffic=SmsTraffic(settings, clock),
    )
    running = asyncio.create_task(sender.run(stop))
    async with asyncio.timeout(10):
        while True:
            rows = await pool.fetch(
                "SELECT state, reason FROM deliveries WHERE state NOT IN ('sent', 'rejected')"
            )
            if all(row["state"] == "queued" and row["reason"] in left for row in rows):
                break
            await asyncio.sleep(0.02)
    stop.set()
    await running
    return channel.taken


async def test_those_with_consent_to_texts_get_one_each_in_their_own_words(pool: Pool) -> None:
    ana = await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Ben", "+33612000002", "newsletter")
    await add_phone(pool, "Cid", "+33612000003", "-texts")
    campaign_id = await add_text(pool)
    assert await launch(pool, campaign_id, KITCHEN, CLOCK) == 1
    (taken,) = await send(pool)
    assert (taken.recipient, taken.sender) == ("+33612000001", "+33700000001")
    assert taken.content.decode() == "Dear Ana, we’re open on Friday."
    token = KEYS.verify(taken.options["token"], TokenUse.CALLBACK)
    assert token is not None
    assert (token.campaign_id, token.message_id) == (campaign_id, taken.key)
    row = await pool.fetchrow("SELECT channel, contact_id FROM messages")
    assert row is not None
    assert (row["channel"], row["contact_id"]) == ("sms", ana)
    await complete_finished(pool)
    assert await pool.fetchval("SELECT state FROM campaigns") == "done"


async def test_people_who_share_a_phone_get_one_text(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Ben", "+33612000001")
    assert await launch(pool, await add_text(pool), KITCHEN, CLOCK) == 1
    assert len(await send(pool)) == 1


async def test_a_withdrawal_after_the_launch_counts_at_the_mark(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Ben", "+33612000002")
    await launch(pool, await add_text(pool), KITCHEN, CLOCK)
    await pool.execute(
        "UPDATE consents SET state = 'withdrawn' WHERE contact_id = (SELECT min(id) FROM contacts)"
    )
    assert [one.recipient for one in await send(pool)] == ["+33612000002"]
    assert (
        await pool.fetchval("SELECT reason FROM deliveries WHERE state = 'rejected'") == "consent_withdrawn"
    )


async def test_at_night_a_text_waits_for_the_morning_there(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Bob", "+12125550123")
    await launch(pool, await add_text(pool), KITCHEN, CLOCK)
    monday = FixedClock(datetime(2026, 11, 23, 22, tzinfo=UTC))  # 23:00 in Paris, 17:00 in New York
    taken = await send(pool, TextHours(), monday, ("quiet_hours",))
    assert [one.recipient for one in taken] == ["+12125550123"]
    wait = await pool.fetchval(
        "SELECT extract(epoch FROM not_before - now()) FROM deliveries WHERE state = 'queued'"
    )
    assert 8.9 * 3600 < wait <= 9 * 3600


async def test_lookalikes_are_replaced_where_the_template_asks(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await launch(pool, await add_text(pool, lookalikes=True), KITCHEN, CLOCK)
    (taken,) = await send(pool)
    assert taken.content == b"Dear Ana, we're open on Friday."


async def test_parts_and_price_are_known_before_it_is_sent(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Bo " + "x" * 60, "+33612000002")
    await add_phone(pool, "Cy", "+12125550123")
    prices = Prices(currency="EUR", countries={"FR": Decimal("0.05")})
    campaign_id = await add_text(pool)
    weight = await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, prices)
    assert (weight.estimate.segments.segments, weight.estimate.parts) == (2, 6)
    assert (weight.estimate.amount, weight.estimate.unpriced) == (Decimal("0.20"), 1)
    assert [one.sign for one in weight.replacements] == ["’"]
    await pool.execute("UPDATE campaigns SET source = source || '{\"lookalikes\": true}'")
    assert (await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, prices)).estimate.parts == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": "Dear {{ contact.nme }}"}, "text, line 1"),
        ({"text": "{% for n in range(1000) %}{% for m in range(1000) %}{% for o in range(1000) %}{{ o }}"
                  "{% endfor %}{% endfor %}{% endfor %}"}, None),
        ({"sender": ""}, "sender"),
        ({"subject": "Hello"}, "subject"),
    ],
)  # fmt: skip
async def test_a_template_that_cannot_be_used_is_refused_at_the_launch(
    pool: Pool, changes: dict[str, Any], field: str | None
) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    with pytest.raises(InvalidInput) as refused:
        await launch(pool, await add_text(pool, **changes), KITCHEN, CLOCK)
    assert field in (None, refused.value.field)
    assert await pool.fetchval("SELECT count(*) FROM deliveries") == 0

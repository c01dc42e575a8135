"""Campaigns by SMS: who gets one, when, with which words, and what it costs before it is sent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.control import complete_finished
from campaigns.drafts import CampaignInput, create_campaign, update_campaign
from campaigns.launch import check_launch, launch
from campaigns.reach import Obstacle, count_reach
from campaigns.texts import tells_how_to_stop, weigh_campaign
from channels.sms.costs import Prices
from channels.sms.segments import Encoding, count
from domain.clock import Clock, FixedClock, SystemClock
from domain.conditions import read_condition
from domain.consent import Purpose
from domain.errors import InvalidInput
from domain.messages import ChannelKind, Outbound
from domain.tokens import TokenKeys, TokenUse
from outbox.composing import MailKitchen
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.texts.composing import SmsKitchen, SmsLetterComposer
from outbox.texts.hours import TextHours
from outbox.texts.nights import look_again
from outbox.texts.traffic import SmsTraffic
from storage.announce import Announcer
from storage.pool import Pool
from templates.stop_hints import STOP_HINTS, write_hint
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
                name="Friday", channel=ChannelKind.SMS, segment_id=segment, source={**TEXT, **changes}
            ),
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


async def test_the_zone_that_somebody_told_goes_before_that_of_their_number(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001", timezone="America/New_York")
    await add_phone(pool, "Bob", "+12125550123", timezone="Europe/Paris")
    await add_phone(pool, "Cyd", "+12125550124", timezone="the moon")
    monday = FixedClock(datetime(2026, 11, 23, 22, tzinfo=UTC))  # 23:00 in Paris, 17:00 in New York
    async with pool.acquire() as connection:
        reach = await count_reach(
            connection, read_condition(EVERYBODY), Purpose.TEXTS, monday.now(), TextHours()
        )
    assert (reach.recipients, reach.waiting) == (3, 1)
    await launch(pool, await add_text(pool), KITCHEN, CLOCK)
    taken = await send(pool, TextHours(), monday, ("quiet_hours",))
    assert sorted(one.recipient for one in taken) == ["+12125550124", "+33612000001"]


async def test_a_demo_whose_clock_is_moved_to_the_morning_sends_what_waited_for_it(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await launch(pool, await add_text(pool), KITCHEN, CLOCK)
    clock = FixedClock(datetime(2026, 11, 23, 22, tzinfo=UTC))
    assert await send(pool, TextHours(), clock, ("quiet_hours",)) == []
    clock.advance(timedelta(hours=5))
    await look_again(pool)
    assert await send(pool, TextHours(), clock, ("quiet_hours",)) == []  # 4:00 there
    clock.advance(timedelta(hours=5))
    await look_again(pool)
    assert len(await send(pool, TextHours(), clock)) == 1


async def test_lookalikes_are_replaced_where_the_template_asks(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await launch(pool, await add_text(pool, lookalikes=True), KITCHEN, CLOCK)
    (taken,) = await send(pool)
    assert taken.content == b"Dear Ana, we're open on Friday."


async def test_everybodys_parts_and_price_are_known_before_it_is_sent(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Bo " + "x" * 60, "+33612000002")
    await add_phone(pool, "Cy", "+12125550123")
    prices = Prices(currency="EUR", countries={"FR": Decimal("0.05")})
    campaign_id = await add_text(pool)
    weight = await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, prices)
    assert (weight.recipients, weight.parts, weight.is_exact) == (
        3,
        4,
        True,
    )  # the typographic quote makes them UCS-2
    assert (weight.amount, weight.currency, weight.unpriced) == (Decimal("0.15"), "EUR", 1)
    assert [(one.country, one.numbers, one.parts, one.amount) for one in weight.countries] == [
        ("FR", 2, 3, Decimal("0.15")),
        ("US", 1, 1, None),
    ]
    assert weight.shortest is not None
    assert weight.typical is not None
    assert weight.longest is not None
    assert (weight.shortest.name, weight.typical.name, weight.longest.name[:2]) == ("Cy", "Ana", "Bo")
    assert (weight.longest.segments.segments, weight.longest.segments.encoding) == (2, Encoding.UCS_2)
    assert [(one.sign, one.times) for one in weight.saving.replacements] == [("’", 3)]
    assert (weight.saving.parts, weight.saving.parts_after) == (1, 3)
    await pool.execute("UPDATE campaigns SET source = source || '{\"lookalikes\": true}'")
    smaller = await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, prices)
    assert (smaller.parts, smaller.encodings) == (3, {Encoding.GSM_7: 3})


async def test_of_a_large_audience_a_share_is_weighed(pool: Pool) -> None:
    for number in range(60):
        await add_phone(pool, f"Ana{number}", f"+336120000{number:02}")
    weight = await weigh_campaign(pool, await add_text(pool), KITCHEN, CLOCK, Prices(), at_most=10)
    assert not weight.is_exact
    assert weight.recipients % 6 == 0
    assert 6 <= weight.recipients <= 120
    assert weight.parts == weight.recipients


async def test_a_landline_is_passed_over_and_a_second_number_is_taken(pool: Pool) -> None:
    ana = await add_phone(pool, "Ana", "+33142685300")
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', '+33612000001', '')",
        ana,
    )
    await add_phone(pool, "Ben", "+33142685301")
    campaign_id = await add_text(pool)
    assert (await check_launch(pool, campaign_id, KITCHEN, CLOCK)).recipients == 1
    assert await launch(pool, campaign_id, KITCHEN, CLOCK) == 1
    assert [one.recipient for one in await send(pool)] == ["+33612000001"]


async def test_everybody_counts_once_with_the_first_reason_why_no_text_reaches_them(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Bob", "+12125550123")
    await add_phone(pool, "Twin", "+33612000001")
    await add_phone(pool, "Cid", "+33612000003", "-texts")
    await add_phone(pool, "Dan", "+33612000004", "newsletter")
    await add_phone(pool, "Eve", "+33142685300")
    await add_phone(pool, "Fay", "+33612000006")
    await add_phone(pool, "Gus", "+33612000007")
    await add_contact(pool, "Hal", consents=("texts",))
    for number, reason in (("+33612000006", "opted_out"), ("+33612000007", "number_unknown")):
        await pool.execute(
            "INSERT INTO suppressions (kind, address, reason, source) VALUES ('phone', $1, $2, 'test')",
            number,
            reason,
        )
    monday = datetime(2026, 11, 23, 22, tzinfo=UTC)  # 23:00 in Paris, 17:00 in New York
    async with pool.acquire() as connection:
        reach = await count_reach(connection, read_condition(EVERYBODY), Purpose.TEXTS, monday, TextHours())
    assert (reach.in_segment, reach.recipients, reach.is_exact) == (9, 2, True)
    assert reach.obstacles == dict.fromkeys(Obstacle, 1)
    assert (reach.waiting, reach.last_at) == (1, datetime(2026, 11, 24, 7, tzinfo=UTC))


@pytest.mark.parametrize("language", [None, "en", "fr", "de", "ru", "zz"])
async def test_every_reader_is_told_in_their_language_how_to_stop(pool: Pool, language: str | None) -> None:
    await add_phone(pool, "Ana", "+33612000001", language=language)
    campaign_id = await add_text(pool, stop_hint=True, language="fr")
    await launch(pool, campaign_id, KITCHEN, CLOCK)
    (taken,) = await send(pool)
    text = taken.content.decode()
    assert text.endswith(
        "\n" + write_hint(language if language is not None and language in STOP_HINTS else "fr")
    )
    assert tells_how_to_stop(text)


async def test_languages_whose_readers_are_not_told_how_to_stop_are_named(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001", language="fr")
    await add_phone(pool, "Bea", "+33612000002", language="de")
    text = "{% if contact.language == 'fr' %}STOP au 36111{% else %}Wir haben offen, ohne Unterbrechung.{% endif %}"
    campaign_id = await add_text(pool, text=text)
    weight = await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, Prices())
    assert weight.without_stop == ("de",)


@pytest.mark.parametrize(
    ("sender", "number", "mute"),
    [
        ("+33700000001", "", False),
        ("36111", "", False),
        ("MG" + "0a" * 16, "", False),
        ("SHOP", "", True),
        ("SHOP", "36111", False),
    ],
)
async def test_a_name_that_asks_to_be_answered_is_pointed_out(
    pool: Pool, sender: str, number: str, mute: bool
) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    campaign_id = await add_text(pool, sender=sender, stop_number=number, stop_hint=True)
    weight = await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, Prices())
    assert (weight.is_mute, weight.without_stop) == (mute, ())


@pytest.mark.parametrize(
    "text", ["STOP au 36111", "to end it: STOP.", "Ответьте СТОП", "https://a.example/u/" + "x" * 30]
)
def test_a_word_in_capitals_or_the_readers_own_page_tells_how_to_stop(text: str) -> None:
    assert tells_how_to_stop(text)


@pytest.mark.parametrize(
    "text", ["", "We stop by on Friday", "nonstop", "NONSTOP MUSIC", "https://a.example/u/"]
)
def test_other_words_do_not_tell_how_to_stop(text: str) -> None:
    assert not tells_how_to_stop(text)


@pytest.mark.parametrize("language", sorted(STOP_HINTS))
@pytest.mark.parametrize("number", ["", "36111"])
def test_every_hint_is_understood_by_our_own_reader(language: str, number: str) -> None:
    hint = write_hint(language, number)
    assert tells_how_to_stop(hint)
    assert number in hint
    assert (count(hint).encoding is Encoding.GSM_7) == (language not in ("ar", "el", "ru", "uk"))
    assert len(hint) <= 40


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": "Dear {{ contact.nme }}"}, "text, line 1"),
        ({"text": "{% for n in range(1000) %}{% for m in range(1000) %}{% for o in range(1000) %}{{ o }}"
                  "{% endfor %}{% endfor %}{% endfor %}"}, None),
        ({"sender": ""}, "sender"),
        ({"subject": "Hello"}, "subject"),
        ({"stop_number": "reply"}, "stop_number"),
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


async def test_who_agreed_to_something_else_gets_no_text_of_it(pool: Pool) -> None:
    campaign_id = await add_text(pool)
    async with pool.acquire() as connection:
        newsletter = CampaignInput(name="News", channel=ChannelKind.SMS, purpose=Purpose.NEWSLETTER)
        with pytest.raises(InvalidInput, match="purpose: short messages go to those who agreed"):
            await create_campaign(connection, newsletter)
        with pytest.raises(InvalidInput, match="purpose: short messages go to those who agreed"):
            await update_campaign(connection, campaign_id, CampaignInput(purpose=Purpose.CALLS))
        await update_campaign(connection, campaign_id, CampaignInput(purpose=Purpose.TEXTS))


async def test_a_text_that_no_provider_takes_is_told_before_it_is_sent(pool: Pool) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    await add_phone(pool, "Bob", "+33612000002")
    campaign_id = await add_text(pool, text="x" * 1595 + "{{ contact.name }} …", lookalikes=True)
    weight = await weigh_campaign(pool, campaign_id, KITCHEN, CLOCK, Prices())
    assert weight.too_long == 2  # the three dots are what makes it so
    with pytest.raises(InvalidInput, match=r"text: the text has 1602 characters; providers take 1600\."):
        await check_launch(pool, campaign_id, KITCHEN, CLOCK)
    fits = (await weigh_campaign(pool, await _shorter(pool, campaign_id), KITCHEN, CLOCK, Prices())).too_long
    assert fits == 0
    assert (await check_launch(pool, campaign_id, KITCHEN, CLOCK)).recipients == 2


async def _shorter(pool: Pool, campaign_id: int) -> int:
    source = {**TEXT, "text": "x" * 1595 + "{{ contact.name }}"}
    await pool.execute("UPDATE campaigns SET source = $2 WHERE id = $1", campaign_id, source)
    return campaign_id


@pytest.mark.parametrize("sender", ["Our lovely company", "+", "MG12", "!!"])
async def test_a_sender_that_no_provider_knows_is_told_before_everybody_is_refused(
    pool: Pool, sender: str
) -> None:
    await add_phone(pool, "Ana", "+33612000001")
    campaign_id = await add_text(pool, sender=sender)
    with pytest.raises(InvalidInput, match="sender: the "):
        await check_launch(pool, campaign_id, KITCHEN, CLOCK)

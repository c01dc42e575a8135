"""A campaign by SMS, and people who answer STOP and START while it runs, by the carrier's own callbacks however it
misbehaves: nothing more goes to them, the consent history says so, and START brings them back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from campaigns.text_report import TextReport, load_text_report
from channels.sandbox.carrier.mischief import Rule, Trick
from storage.pool import Pool
from tests.flows.sms_house import OTHER, OURS, House, eventually, open_house

PEOPLE = 30


@pytest.fixture
async def house(pool: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(pool, database_url, tmp_path, rate=15) as opened:
        yield opened


def number_of(person: int) -> str:
    return f"+3361200{person:04}"


async def ledger(house: House, contact: int) -> list[tuple[str, str]]:
    """The consent to texts over time: states and who told us."""
    rows = await house.pool.fetch(
        "SELECT state, source FROM consent_ledger WHERE contact_id = $1 AND purpose = 'texts' ORDER BY id",
        contact,
    )
    return [(row["state"], row["source"]) for row in rows]


async def report_of(house: House, campaign: int) -> TextReport:
    async with house.pool.acquire() as connection:
        return await load_text_report(connection, campaign, 6)


async def row_of(house: House, campaign: int, contact: int) -> Any:
    return await house.pool.fetchrow(
        "SELECT state, reason FROM deliveries WHERE campaign_id = $1 AND contact_id = $2", campaign, contact
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("trick", [None, Trick.TWICE, Trick.BACKWARDS, Trick.LATE, Trick.MISSING])
async def test_who_answers_stop_in_between_gets_nothing_more_and_start_brings_them_back(
    house: House, trick: Trick | None
) -> None:
    people = [await house.person(f"P{n}", number_of(n)) for n in range(PEOPLE)]
    anna, last = people[0], people[-1]
    house.misbehave(trick)
    if trick in (Trick.TWICE, Trick.LATE):  # what people write, too
        house.carrier.parts.exchange.mischief.add(Rule(trick=trick, resource="inbound"))
    first = await house.campaign("First")

    async def begun() -> bool:
        return len(house.sent(number_of(0))) == 1

    await eventually(begun)
    # Anna has hers and wants no more; the last one in the line never wanted this one
    await house.carrier.phones.send_text(number_of(0), OURS, "STOP")
    await house.carrier.phones.send_text(number_of(PEOPLE - 1), OURS, "arrêtez")

    async def settled() -> bool:
        return await house.states(campaign=first) == {"sent": PEOPLE - 1, "rejected": 1}

    await eventually(settled)
    row = await row_of(house, first, last)
    assert (row["state"], row["reason"]) == ("rejected", "suppressed")
    assert house.sent(number_of(PEOPLE - 1)) == []
    expected = [("granted", "form"), ("withdrawn", "sms")]
    assert await ledger(house, anna) == await ledger(house, last) == expected

    second = await house.campaign("Second")
    assert (
        await house.pool.fetchval("SELECT count(*) FROM deliveries WHERE campaign_id = $1", second)
        == PEOPLE - 2
    )

    async def second_done() -> bool:
        return await house.states(campaign=second) == {"sent": PEOPLE - 2}

    await eventually(second_done)
    assert len(house.sent(number_of(0))) == 1

    await house.carrier.phones.send_text(number_of(0), OURS, "START")
    await house.carrier.phones.send_text(number_of(PEOPLE - 1), OURS, "reprendre")

    async def back() -> bool:
        return not await house.pool.fetchval("SELECT count(*) FROM suppressions")

    await eventually(back)
    assert await ledger(house, anna) == await ledger(house, last) == [*expected, ("granted", "sms")]
    third = await house.campaign("Third")

    async def third_done() -> bool:
        return await house.states(campaign=third) == {"sent": PEOPLE}

    await eventually(third_done)
    counted = Counter(message.to for message in house.sent())
    # the last one got the third campaign, and one confirmation of a START that the provider does not know
    assert counted.pop(number_of(0)) == 2
    assert counted.pop(number_of(PEOPLE - 1)) == 2
    assert set(counted.values()) == {3}
    told = await house.pool.fetch("SELECT key FROM event_keys WHERE key LIKE 'sms:%'")
    assert len(told) == len({row["key"] for row in told})


@pytest.mark.timeout(60)
async def test_an_opt_out_that_only_the_provider_knows_closes_the_number_for_all_of_ours(
    house: House,
) -> None:
    anna = await house.person("Anna", number_of(0))
    house.carrier.parts.exchange.memory.opted_out.add((OURS, number_of(0)))  # before we were there
    campaign = await house.campaign("First")

    async def refused() -> bool:
        return await house.states(campaign=campaign) == {"rejected": 1}

    await eventually(refused)
    # at once, before anybody looked at the consent
    assert (
        await house.pool.fetchval("SELECT reason FROM suppressions WHERE address = $1", number_of(0))
        == "opted_out"
    )
    letter = await house.letter(number_of(0), "Bonjour")
    await house.pool.execute("UPDATE letters SET sender = $2 WHERE message_id = $1", letter, OTHER)

    async def also() -> bool:
        return await house.states() == {"rejected": 2}

    await eventually(also)
    assert house.sent(number_of(0)) == []  # not even asked by the other number

    async def withdrawn() -> bool:
        return await ledger(house, anna) == [("granted", "form"), ("withdrawn", "provider")]

    await eventually(withdrawn)


@pytest.mark.timeout(60)
async def test_a_campaign_knows_its_parts_and_what_they_cost(house: House) -> None:
    for n in range(6):
        await house.person(f"P{n}", number_of(n))
    campaign = await house.campaign("Long", "Bonjour {{ contact.given_name }}, " + "é" * 100 + " €" * 40)

    async def delivered() -> bool:
        return len([one for one in house.sent() if one.status == "delivered"]) == 6

    await eventually(delivered)
    report = await report_of(house, campaign)
    assert (report.delivered + report.awaited, report.counted, report.parts) == (6, 6, 12)

    async def priced() -> bool:
        await house.pool.execute("UPDATE sms_facts SET price_at = now() WHERE price_at IS NOT NULL")
        return (await report_of(house, campaign)).priced == 6

    await eventually(priced, 30)
    paid = (await report_of(house, campaign)).paid
    assert {name: float(amount) for name, amount in paid.items()} == {"USD": pytest.approx(12 * 0.0079)}
    encodings = await house.pool.fetch("SELECT DISTINCT encoding, ours FROM sms_facts")
    assert [tuple(row) for row in encodings] == [("GSM-7", OURS)]


@pytest.mark.timeout(60)
async def test_help_is_answered_in_the_reader_s_language_and_never_twice(house: House) -> None:
    await house.person("Anna", number_of(0))
    await house.carrier.phones.send_text(number_of(0), OURS, "AIDE")  # a word of ours
    await house.carrier.phones.send_text(number_of(0), OURS, "HELP")  # the carrier answers this one

    async def answered() -> bool:
        return bool(house.sent(number_of(0)))

    await eventually(answered)
    await asyncio.sleep(0.5)
    (ours,) = house.sent(number_of(0))
    assert "une personne" in ours.body
    replies = [
        one
        for one in house.carrier.parts.exchange.memory.messages.values()
        if one.direction == "outbound-reply"
    ]
    assert len(replies) == 1

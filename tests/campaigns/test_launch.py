"""Launching: who gets a row, what is refused and how it is said, and that a launch happens once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.audience import count_audience
from campaigns.drafts import CampaignInput, load_campaign, update_campaign
from campaigns.launch import check_launch, launch, launch_due, request_launch
from domain.campaigns import CampaignState
from domain.conditions import read_condition
from domain.consent import Purpose, TrackingPolicy, tracking_level
from domain.errors import Conflict, InvalidInput, NotFound
from storage.pool import Pool
from tests.campaigns.village import (
    CLOCK,
    EVERYBODY,
    KITCHEN,
    SOURCE,
    add_address,
    add_contact,
    add_draft,
    suppress,
)


async def recipients(pool: Pool) -> list[str]:
    return [row["address"] for row in await pool.fetch("SELECT address FROM deliveries ORDER BY address")]


async def test_only_those_with_consent_and_an_address_that_is_not_suppressed_get_a_row(pool: Pool) -> None:
    await add_contact(pool, "Ana")
    await add_contact(pool, "Ben", consents=())
    await add_contact(pool, "Cid", consents=("-newsletter",))
    await add_contact(pool, "Dan", consents=("measure",))
    await add_contact(pool, "Eva", mail=False)
    await add_contact(pool, "Fay")
    await suppress(pool, "fay@example.net")
    gil = await add_contact(pool, "Gil")
    await add_address(pool, gil, "gil@work.example")
    hal = await add_contact(pool, "Hal")
    await add_address(pool, hal, "hal@work.example")
    await suppress(pool, "hal@example.net")
    campaign_id = await add_draft(pool)

    assert await launch(pool, campaign_id, KITCHEN, CLOCK) == 3
    assert await recipients(pool) == ["ana@example.net", "gil@example.net", "hal@work.example"]
    async with pool.acquire() as connection:
        campaign = await load_campaign(connection, campaign_id)
    assert (campaign.state, campaign.recipients, campaign.measured) == (CampaignState.RUNNING, 3, 0)


async def test_the_segment_s_condition_chooses(pool: Pool) -> None:
    await add_contact(pool, "Ana", country="FR", relation="prospect")
    await add_contact(pool, "Ben", country="DE", relation="prospect")
    await add_contact(pool, "Cid", country="FR", relation="customer")
    condition = {
        "all": [{"field": "contact.relation", "is": "prospect"}, {"field": "contact.country", "is": "FR"}]
    }
    await launch(pool, await add_draft(pool, condition=condition), KITCHEN, CLOCK)
    assert await recipients(pool) == ["ana@example.net"]


@pytest.mark.parametrize("policy", TrackingPolicy)
async def test_tracking_levels_are_those_of_the_domain(pool: Pool, policy: TrackingPolicy) -> None:
    allowed: dict[int, set[Purpose]] = {
        await add_contact(pool, "Ana"): set(),
        await add_contact(pool, "Ben", consents=("newsletter", "measure")): {Purpose.MEASURE},
        await add_contact(pool, "Cid", consents=("newsletter", "-measure")): set(),
        await add_contact(pool, "Dan", consents=("newsletter", "profile")): {Purpose.PROFILE},
    }
    campaign_id = await add_draft(pool, policy=policy.value)
    await launch(pool, campaign_id, KITCHEN, CLOCK)
    rows = await pool.fetch("SELECT contact_id, tracking_level FROM messages")
    levels = {row["contact_id"]: row["tracking_level"] for row in rows}
    assert levels == {contact: tracking_level(granted, policy) for contact, granted in allowed.items()}
    assert await pool.fetchval("SELECT measured FROM campaigns") == 1


async def test_messages_name_the_identity_and_ranges_cover_them_all(pool: Pool) -> None:
    for number in range(10):
        await add_contact(pool, f"P{number}")
    await launch(pool, await add_draft(pool), KITCHEN, CLOCK)
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM messages m JOIN identities i ON i.id = m.identity_id AND i.contact_id = m.contact_id"
            " JOIN deliveries d ON d.message_id = m.id AND d.address = i.address"
            " JOIN delivery_ranges r ON m.id BETWEEN r.low AND r.high"
        )
        == 10
    )
    assert await pool.fetchval("SELECT count(*) FROM delivery_ranges") >= 3
    assert await pool.fetchval(
        "SELECT first_message_id = (SELECT min(id) FROM messages) AND last_message_id = (SELECT max(id) FROM messages)"
        " FROM campaigns"
    )


async def test_links_are_stored_with_the_launch(pool: Pool) -> None:
    await add_contact(pool, "Ana")
    await launch(pool, await add_draft(pool), KITCHEN, CLOCK)
    rows = await pool.fetch("SELECT no, url, label FROM campaign_links ORDER BY no")
    assert [row["url"] for row in rows] == ["https://www.example.org/a", "https://www.example.org/b"]
    assert rows[0]["label"] == "read"


async def test_twins_that_launch_at_once_write_to_everybody_once(pool: Pool) -> None:
    await add_contact(pool, "Ana")
    campaign_id = await add_draft(pool)
    results = await asyncio.gather(
        *[launch(pool, campaign_id, KITCHEN, CLOCK) for _ in range(3)], return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "int"]
    assert await recipients(pool) == ["ana@example.net"]


@pytest.mark.parametrize(
    ("source", "field", "words"),
    [
        ({"html": "<p>{{ contact.given_name }}</p>"}, "contact.given_name", "2 of 3 recipients"),
        ({"html": "<p>{{ contact.fields.size }}</p>"}, "contact.fields.size", "3 of 3 recipients"),
        (
            {"html": "<p>{% if contact.country == 'FR' %}{{ contact.organisation }}{% endif %}</p>"},
            "contact.organisation",
            "1 of 3 recipients",
        ),
        ({"html": "<p>{{ contact.shoe_size }}</p>"}, "html, line 1", "no variable"),
        ({"html": "<p>{{ contact.name </p>"}, "html, line 1", ""),
        ({"html": "<p>{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{{ c * contact.name|length }}"
                  "{% endfor %}{% endfor %}{% endfor %}</p>"}, "html, line 1", ""),
        ({"from_address": "nobody"}, "from_address", "news@example.org"),
    ],
)  # fmt: skip
async def test_what_cannot_be_sent_is_refused_in_a_sentence_and_nothing_is_written(
    pool: Pool, source: dict[str, Any], field: str, words: str
) -> None:
    await add_contact(pool, "Ana", given_name="Ana", country="FR")
    await add_contact(pool, "Ben")
    await add_contact(pool, "Cid", given_name="  ")
    campaign_id = await add_draft(pool, source=SOURCE | source)
    for attempt in (check_launch, launch):
        with pytest.raises(InvalidInput) as refused:
            await attempt(pool, campaign_id, KITCHEN, CLOCK)
        assert refused.value.field == field
        assert words in str(refused.value)
    assert await pool.fetchval("SELECT count(*) FROM messages") == 0
    assert await pool.fetchval("SELECT state FROM campaigns") == "draft"


async def test_a_campaign_without_a_segment_or_without_anybody_is_refused(pool: Pool) -> None:
    campaign_id = await add_draft(pool)
    with pytest.raises(InvalidInput, match="nobody in this segment"):
        await launch(pool, campaign_id, KITCHEN, CLOCK)
    await pool.execute("UPDATE campaigns SET launch_at = now()")
    with pytest.raises(InvalidInput, match="nobody in this segment"):
        await launch(pool, campaign_id, KITCHEN, CLOCK, checked=True)
    await pool.execute("UPDATE campaigns SET segment_id = NULL")
    with pytest.raises(InvalidInput, match="segment_id: no segment is chosen"):
        await launch(pool, campaign_id, KITCHEN, CLOCK)
    with pytest.raises(NotFound):
        await launch(pool, 4711, KITCHEN, CLOCK)


async def test_a_requested_launch_is_done_by_a_worker_and_freezes_the_draft(pool: Pool) -> None:
    await add_contact(pool, "Ana")
    campaign_id = await add_draft(pool)
    assert (await request_launch(pool, campaign_id, KITCHEN, CLOCK)).recipients == 1
    async with pool.acquire() as connection:
        with pytest.raises(Conflict):
            await update_campaign(connection, campaign_id, CampaignInput(name="Other"))
        assert (await update_campaign(connection, campaign_id, CampaignInput(rate=7))).rate == 7
    assert await launch_due(pool, KITCHEN, CLOCK) == [campaign_id]
    assert await launch_due(pool, KITCHEN, CLOCK) == []
    assert await recipients(pool) == ["ana@example.net"]


async def test_a_requested_launch_that_fails_says_why_on_the_campaign(pool: Pool) -> None:
    await add_contact(pool, "Ana")
    campaign_id = await add_draft(pool)
    await request_launch(pool, campaign_id, KITCHEN, CLOCK)
    await pool.execute("UPDATE consents SET state = 'withdrawn'")
    assert await launch_due(pool, KITCHEN, CLOCK) == []
    async with pool.acquire() as connection:
        campaign = await load_campaign(connection, campaign_id)
    assert campaign.launch_at is None
    assert "nobody in this segment" in (campaign.launch_error or "")


async def test_the_audience_is_counted_sieve_by_sieve(pool: Pool) -> None:
    await add_contact(pool, "Ana", consents=("newsletter", "measure"))
    await add_contact(pool, "Ben", consents=())
    await add_contact(pool, "Cid", mail=False)
    await add_contact(pool, "Dan")
    await suppress(pool, "dan@example.net")
    async with pool.acquire() as connection:
        counted = await count_audience(
            connection, read_condition(EVERYBODY), Purpose.NEWSLETTER, datetime.now(UTC)
        )
    assert (counted.in_segment, counted.with_consent, counted.with_address) == (4, 3, 2)
    assert (counted.recipients, counted.measured) == (1, 1)

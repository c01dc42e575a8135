"""What a hit may become: a personal event, a number, a day on an address, or nothing at all."""

from __future__ import annotations

from datetime import date

import pytest

from storage.pool import Pool
from tests.tracking.town import NOON, count_traces, open_recorder, read_counts, read_hits, send_letter
from tracking.hits import Outcome


async def test_an_open_of_somebody_who_allowed_it_becomes_an_event(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit()) is Outcome.PERSONAL
    [event] = await read_hits(pool)
    assert (event["type"], event["contact_id"], event["message_id"], event["campaign_id"]) == (
        "Opened",
        letter.contact_id,
        letter.message_id,
        letter.campaign_id,
    )
    assert (event["occurred_at"], event["address"], event["verdict"]) == (NOON, "192.0.2.7", "unsure")
    assert event["settle_at"] > event["recorded_at"]
    assert await read_counts(pool) == {}


async def test_a_click_carries_its_link_and_a_download_its_file(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        await recorder.put(letter.hit("Clicked", link_no=3, data='{"link_no": 3}'))
        await recorder.put(letter.hit("Downloaded", data='{"asset": "toits.pdf"}'))
    click, download = await read_hits(pool)
    assert (click["data"], click["link_no"]) == ({"link_no": 3}, 3)
    assert (download["data"], download["link_no"]) == ({"asset": "toits.pdf"}, None)


async def test_only_types_that_a_rule_looks_at_wait_for_the_router(pool: Pool) -> None:
    letter = await send_letter(pool)
    await pool.execute("INSERT INTO router_interests VALUES ('Clicked')")
    async with open_recorder(pool) as recorder:
        await recorder.put(letter.hit())
        await recorder.put(letter.hit("Clicked", link_no=1))
    [pending] = await pool.fetch(
        "SELECT p.lane, e.type FROM pending_events p JOIN events e ON e.id = p.event_id"
    )
    assert (pending["lane"], pending["type"]) == (letter.contact_id % 32, "Clicked")


@pytest.mark.parametrize("kind", ["Opened", "Clicked", "Downloaded"])
@pytest.mark.parametrize("state", ["withdrawn", None])
async def test_without_consent_now_a_personal_link_leaves_no_trace(
    pool: Pool, kind: str, state: str | None
) -> None:
    letter = await send_letter(pool, "full", state)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit(kind)) is Outcome.REFUSED
    assert await count_traces(pool) == 0


async def test_a_withdrawal_works_on_mail_that_was_sent_and_opened_before(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit()) is Outcome.PERSONAL
        await pool.execute("UPDATE consents SET state = 'withdrawn' WHERE purpose = 'measure'")
        before = await count_traces(pool)
        assert await recorder.put(letter.hit()) is Outcome.REFUSED
    assert await count_traces(pool) == before


@pytest.mark.parametrize("kind", ["Opened", "Clicked", "Downloaded"])
async def test_a_message_that_measures_nothing_leaves_no_trace(pool: Pool, kind: str) -> None:
    letter = await send_letter(pool, "none")
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit(kind)) is Outcome.REFUSED
    assert await count_traces(pool) == 0


async def test_a_campaign_wide_token_is_counted_and_names_nobody(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        for _ in range(3):
            assert await recorder.put(letter.hit("Clicked", message_id=None, link_no=2)) is Outcome.ANONYMOUS
        assert await recorder.put(letter.hit(message_id=None)) is Outcome.ANONYMOUS
    assert await read_counts(pool) == {("Clicked", 2): 3, ("Opened", 0): 1}
    assert await read_hits(pool) == []


@pytest.mark.parametrize("state", ["granted", "withdrawn", None])
async def test_a_message_of_level_aggregate_is_only_counted(pool: Pool, state: str | None) -> None:
    letter = await send_letter(pool, "aggregate", state)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit()) is Outcome.ANONYMOUS
    assert await read_counts(pool) == {("Opened", 0): 1}
    assert await count_traces(pool) == 1


async def test_deliverability_keeps_only_the_day_of_the_last_open(pool: Pool) -> None:
    letter = await send_letter(pool, "deliverability", None)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit()) is Outcome.DELIVERABILITY
        later = NOON.replace(day=9)
        assert await recorder.put(letter.hit(occurred_at=later)) is Outcome.DELIVERABILITY
        assert await recorder.put(letter.hit("Clicked", link_no=1)) is Outcome.ANONYMOUS
    assert await pool.fetchval("SELECT last_open_day FROM identities") == date(2026, 6, 9)
    assert await read_counts(pool) == {("Opened", 0): 2, ("Clicked", 1): 1}
    assert await read_hits(pool) == []


async def test_after_a_withdrawal_deliverability_notes_no_day(pool: Pool) -> None:
    letter = await send_letter(pool, "deliverability", "withdrawn")
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit()) is Outcome.ANONYMOUS
    assert await pool.fetchval("SELECT last_open_day FROM identities") is None


async def test_a_prefetch_is_no_sign_that_an_address_is_alive(pool: Pool) -> None:
    letter = await send_letter(pool, "deliverability", None)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit(reasons="prefetch")) is Outcome.ANONYMOUS
    assert await pool.fetchval("SELECT last_open_day FROM identities") is None


async def test_hits_of_a_merged_contact_go_to_the_one_it_lives_on_in(pool: Pool) -> None:
    old, new = await send_letter(pool), await send_letter(pool)
    await pool.execute("INSERT INTO contact_aliases VALUES ($1, $2)", old.contact_id, new.contact_id)
    async with open_recorder(pool) as recorder:
        assert await recorder.put(old.hit()) is Outcome.PERSONAL
        await pool.execute(
            "UPDATE consents SET state = 'withdrawn' WHERE purpose = 'measure' AND contact_id = $1",
            new.contact_id,
        )
        assert await recorder.put(old.hit()) is Outcome.REFUSED
    [event] = await read_hits(pool)
    assert event["contact_id"] == new.contact_id


async def test_a_message_that_was_erased_leaves_no_trace(pool: Pool) -> None:
    letter = await send_letter(pool)
    await pool.execute("DELETE FROM messages")
    async with open_recorder(pool) as recorder:
        assert await recorder.put(letter.hit()) is Outcome.REFUSED
    assert await count_traces(pool) == 0

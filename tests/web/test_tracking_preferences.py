"""Unsubscribing and preferences: one click, no cookies, and nothing by GET."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
from asyncpg import Record

from contacts.consent import grant
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.tokens import TokenUse
from storage.pool import Pool, open_pool, transaction
from tests.tracking.town import (
    KEYS,
    NOON,
    SPRING,
    Client,
    Letter,
    open_doors,
    read_hits,
    send_letter,
    until,
)
from tests.tracking.wire import lay_wire

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def doors(pool: Pool, tmp_path: Path) -> AsyncIterator[Client]:
    async with open_doors(pool, tmp_path) as client:
        yield client


@pytest.fixture
async def letter(pool: Pool) -> Letter:
    return await send_letter(pool, language="fr")


async def read_states(pool: Pool) -> dict[str, str]:
    return {row["purpose"]: row["state"] for row in await pool.fetch("SELECT purpose, state FROM consents")}


async def read_ledger(pool: Pool) -> list[Record]:
    rows: list[Record] = await pool.fetch("SELECT * FROM consent_ledger ORDER BY id")
    return rows


def import_consent(letter: Letter, since: datetime) -> ConsentEntry:
    """A consent to be measured as a CSV brings it."""
    return ConsentEntry(letter.contact_id, Purpose.MEASURE, ConsentState.GRANTED, "Yes.", "fair", since)


async def is_waiting(pool: Pool) -> bool:
    """Whether somebody waits for a lock in this database."""
    return bool(
        await pool.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_the_page_changes_nothing(
    pool: Pool, doors: Client, letter: Letter, method: str
) -> None:
    answer = await doors.request(method, letter.preferences)
    assert answer.status == 200
    assert await read_states(pool) == {"newsletter": "granted", "measure": "granted"}
    assert await read_ledger(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM events") == 0


@pytest.mark.parametrize("multipart", [True, False])
async def test_one_click_unsubscribes_before_it_answers(
    pool: Pool, doors: Client, letter: Letter, multipart: bool
) -> None:
    form = aiohttp.FormData(ONE_CLICK, default_to_multipart=multipart)
    answer = await doors.post(letter.preferences, data=form, allow_redirects=False)
    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers
    assert await read_states(pool) == {"newsletter": "withdrawn", "measure": "granted"}
    [entry] = await read_ledger(pool)
    assert (entry["purpose"], entry["state"], entry["source"]) == (
        "newsletter",
        "withdrawn",
        "one-click unsubscribe (RFC 8058)",
    )
    assert entry["occurred_at"] == NOON
    [event] = await pool.fetch("SELECT * FROM events")
    assert (event["type"], event["contact_id"], event["message_id"], event["campaign_id"]) == (
        "Withdrawn",
        letter.contact_id,
        letter.message_id,
        letter.campaign_id,
    )


async def test_one_click_counts_whatever_type_its_body_is_said_to_have(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    answer = await doors.post(letter.preferences, data=b"List-Unsubscribe=One-Click")
    assert answer.status == 200
    assert (await read_states(pool))["newsletter"] == "withdrawn"


async def test_one_click_twice_is_recorded_once(pool: Pool, doors: Client, letter: Letter) -> None:
    for _ in range(2):
        assert (await doors.post(letter.preferences, data=ONE_CLICK)).status == 200
    assert len(await read_ledger(pool)) == 1


async def test_one_click_takes_back_the_purpose_of_the_campaign(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await pool.execute("UPDATE campaigns SET purpose = 'personalise'")
    await doors.post(letter.preferences, data=ONE_CLICK)
    assert (await read_states(pool))["personalise"] == "withdrawn"


async def test_one_click_counts_for_somebody_who_was_never_asked(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await pool.execute("DELETE FROM consents")
    await doors.post(letter.preferences, data=ONE_CLICK)
    assert await read_states(pool) == {"newsletter": "withdrawn"}


async def test_somebody_can_stop_being_measured_and_keep_the_newsletter(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await doors.get(letter.pixel)
    answer = await doors.post(letter.preferences, data={"form": "preferences", "newsletter": "on"})
    assert answer.status == 200
    assert await read_states(pool) == {"newsletter": "granted", "measure": "withdrawn"}
    await doors.get(letter.pixel)
    assert len(await read_hits(pool)) == 1


async def test_a_box_left_empty_is_a_no_that_an_older_yes_does_not_undo(pool: Pool, doors: Client) -> None:
    letter = await send_letter(pool, measure=None)
    await doors.post(letter.preferences, data={"form": "preferences", "newsletter": "on"})
    assert await read_states(pool) == {"newsletter": "granted", "measure": "withdrawn"}
    await grant(pool, [import_consent(letter, SPRING)])
    assert await read_states(pool) == {"newsletter": "granted", "measure": "withdrawn"}


@pytest.mark.parametrize("since", [SPRING, NOON.replace(year=2031)])
async def test_a_no_outlasts_an_import_that_was_committing_meanwhile(
    pool: Pool, doors: Client, since: datetime
) -> None:
    letter = await send_letter(pool, measure=None)
    async with transaction(pool) as connection:
        await grant(connection, [import_consent(letter, since)])
        saving = asyncio.create_task(doors.post(letter.preferences, data={"form": "preferences"}))
        await until(lambda: is_waiting(pool))
    assert (await saving).status == 200
    assert await read_states(pool) == {"newsletter": "withdrawn", "measure": "withdrawn"}


async def test_a_no_counts_against_a_yes_that_came_after_the_page_was_read(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await pool.execute("UPDATE consents SET state = 'withdrawn' WHERE purpose = 'measure'")
    async with transaction(pool) as connection:
        await grant(connection, [import_consent(letter, SPRING.replace(month=4))])
        saving = asyncio.create_task(doors.post(letter.preferences, data={"form": "preferences"}))
        await until(lambda: is_waiting(pool))
    assert (await saving).status == 200
    assert await read_states(pool) == {"newsletter": "withdrawn", "measure": "withdrawn"}


async def test_a_choice_can_be_taken_back_and_keeps_the_words_it_was_made_with(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await doors.post(letter.preferences, data={"form": "preferences"})
    assert await read_states(pool) == {"newsletter": "withdrawn", "measure": "withdrawn"}
    await doors.post(
        letter.preferences,
        data={"form": "preferences", "measure": "on"},
        headers={"Accept-Language": "en"},
    )
    assert await read_states(pool) == {"newsletter": "withdrawn", "measure": "granted"}
    last = (await read_ledger(pool))[-1]
    assert (last["state"], last["wording"]) == (
        "granted",
        "My own opens, clicks and downloads may be recorded.",
    )


async def test_a_consent_dated_in_the_future_can_be_taken_back_today(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    await pool.execute("UPDATE consents SET since = $1", NOON.replace(year=2031))
    await doors.post(letter.preferences, data={"form": "preferences"})
    assert await read_states(pool) == {"newsletter": "withdrawn", "measure": "withdrawn"}


async def test_the_page_shows_what_is_allowed_now(pool: Pool, doors: Client, letter: Letter) -> None:
    await pool.execute("UPDATE consents SET state = 'withdrawn' WHERE purpose = 'measure'")
    page = await (await doors.get(letter.preferences)).text()
    assert 'name="newsletter" checked' in page
    assert 'name="measure">' in page


async def test_the_page_speaks_the_language_of_the_browser_else_of_the_contact(
    doors: Client, letter: Letter
) -> None:
    for header, language in (("en-GB,en", "en"), ("fr", "fr"), ("de;q=0.9, fr;q=0.5", "fr")):
        answer = await doors.get(letter.preferences, headers={"Accept-Language": header})
        assert answer.headers["Content-Language"] == language
    answer = await doors.get(letter.preferences, skip_auto_headers=["Accept-Language"])
    assert answer.headers["Content-Language"] == "fr"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"form=other", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=Two-Clicks", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click&x=" + b"a" * 20_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(60)), "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"List-Unsubscribe=One-Click", "multipart/form-data"),
        (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
    ],
)
async def test_what_is_no_form_changes_nothing(
    pool: Pool, doors: Client, letter: Letter, body: bytes, kind: str
) -> None:
    answer = await doors.post(letter.preferences, data=body, headers={"Content-Type": kind})
    assert answer.status == 400
    assert await read_ledger(pool) == []


async def test_a_pixels_token_unsubscribes_nobody(pool: Pool, doors: Client, letter: Letter) -> None:
    everybody = KEYS.sign(TokenUse.UNSUBSCRIBE, letter.campaign_id)
    for token in (letter.token, everybody, "nonsense"):
        assert (await doors.post(f"/u/{token}", data=ONE_CLICK)).status == 404
        assert (await doors.get(f"/u/{token}")).status == 404
    assert await read_ledger(pool) == []


async def test_a_merged_contact_unsubscribes_the_one_it_lives_on_in(
    pool: Pool, doors: Client, letter: Letter
) -> None:
    other = await send_letter(pool)
    await pool.execute("INSERT INTO contact_aliases VALUES ($1, $2)", letter.contact_id, other.contact_id)
    await doors.post(letter.preferences, data=ONE_CLICK)
    [entry] = await read_ledger(pool)
    assert entry["contact_id"] == other.contact_id


async def test_without_a_database_the_page_asks_to_come_back(
    pool: Pool, database_url: str, letter: Letter, tmp_path: Path
) -> None:
    async with lay_wire(database_url) as wire:
        far = await open_pool(wire.url, max_size=3)
        async with open_doors(far, tmp_path) as doors:
            await wire.break_down()
            for answer in (
                await doors.get(letter.preferences),
                await doors.post(letter.preferences, data=ONE_CLICK),
            ):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        far.terminate()
    assert await read_ledger(pool) == []

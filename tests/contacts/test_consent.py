"""What a contact allows is a ledger; the state follows from it, and each entry is an event."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from contacts.consent import grant, read_consent_history, withdraw
from contacts.merging import merge_contacts
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.errors import InvalidInput
from storage.pool import Pool

MAY = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


def entry(
    days: int = 0,
    *,
    contact_id: int = 7,
    purpose: Purpose = Purpose.NEWSLETTER,
    state: ConsentState = ConsentState.GRANTED,
    wording: str = "Yes, write to me.",
) -> ConsentEntry:
    return ConsentEntry(contact_id, purpose, state, wording, "form on the fair", MAY + timedelta(days=days))


def withdrawal(days: int = 0, *, contact_id: int = 7, purpose: Purpose = Purpose.NEWSLETTER) -> ConsentEntry:
    return entry(days, contact_id=contact_id, purpose=purpose, state=ConsentState.WITHDRAWN, wording="")


async def standing(pool: Pool, contact_id: int = 7) -> dict[str, str]:
    rows = await pool.fetch("SELECT purpose, state FROM consents WHERE contact_id = $1", contact_id)
    return {row["purpose"]: row["state"] for row in rows}


async def told(pool: Pool) -> list[str]:
    return [row["type"] for row in await pool.fetch("SELECT type FROM events ORDER BY id")]


async def test_a_consent_is_a_ledger_entry_a_state_and_an_event(pool: Pool) -> None:
    await pool.execute("INSERT INTO router_interests VALUES ('Granted')")
    assert await grant(pool, [entry(), entry(purpose=Purpose.MEASURE)], actor_id=3) == 2
    assert await standing(pool) == {"newsletter": "granted", "measure": "granted"}
    row = await pool.fetchrow("SELECT * FROM events WHERE data->>'purpose' = 'measure'")
    assert row is not None
    assert (row["type"], row["contact_id"], row["occurred_at"], row["actor_id"]) == ("Granted", 7, MAY, 3)
    assert await pool.fetchval("SELECT array_agg(DISTINCT lane) FROM pending_events") == [7]
    assert await pool.fetchval("SELECT count(*) FROM pending_events") == 2


async def test_a_withdrawal_names_the_mail_whose_link_was_used(pool: Pool) -> None:
    await grant(pool, [entry()])
    assert await withdraw(pool, [withdrawal(1)], message_id=11, campaign_id=2) == 1
    assert await standing(pool) == {"newsletter": "withdrawn"}
    row = await pool.fetchrow("SELECT message_id, campaign_id FROM events WHERE type = 'Withdrawn'")
    assert tuple(row or ()) == (11, 2)


async def test_the_same_entry_twice_is_one(pool: Pool) -> None:
    await grant(pool, [entry()])
    assert await grant(pool, [entry(), entry()]) == 0
    assert await grant(pool, [entry(wording="Yes, monthly.")]) == 1
    assert await told(pool) == ["Granted", "Granted"]


async def test_an_entry_that_arrives_late_changes_the_history_and_not_the_state(pool: Pool) -> None:
    await withdraw(pool, [withdrawal(5)])
    await grant(pool, [entry(2)])
    assert await standing(pool) == {"newsletter": "withdrawn"}
    await grant(pool, [entry(6)])
    assert await standing(pool) == {"newsletter": "granted"}
    history = await read_consent_history(pool, 7)
    assert [(one.state.value, (one.occurred_at - MAY).days) for one in history] == [
        ("granted", 6),
        ("withdrawn", 5),
        ("granted", 2),
    ]


async def test_of_two_entries_at_the_same_time_the_withdrawal_stands(pool: Pool) -> None:
    await withdraw(pool, [withdrawal()])
    await grant(pool, [entry()])
    await grant(pool, [entry(contact_id=8)])
    await withdraw(pool, [withdrawal(contact_id=8)])
    assert await standing(pool) == await standing(pool, 8) == {"newsletter": "withdrawn"}


async def test_whoever_was_merged_away_withdraws_for_the_one_that_lives_on(pool: Pool) -> None:
    await pool.execute("INSERT INTO contact_aliases VALUES (7, 9)")
    await grant(pool, [entry(contact_id=9)])
    await withdraw(pool, [withdrawal(1)])
    assert await standing(pool, 9) == {"newsletter": "withdrawn"}
    assert await standing(pool, 7) == {}


@pytest.mark.parametrize("further", [False, True])
async def test_a_withdrawal_that_waits_for_a_merge_counts_for_the_one_that_lives_on(
    pool: Pool, further: bool
) -> None:
    await pool.execute("INSERT INTO contacts (id, name) VALUES (7, 'A'), (8, 'B'), (9, 'C')")
    await grant(pool, [entry(), entry(contact_id=9)])
    async with pool.acquire() as merging:
        transaction = merging.transaction()
        await transaction.start()
        await merge_contacts(merging, 7, 8, now=MAY, actor_id=None)
        waiting = asyncio.create_task(withdraw(pool, [withdrawal(1)]))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        if further:
            await merge_contacts(merging, 8, 9, now=MAY, actor_id=None)
        await transaction.commit()
    assert await waiting == 1
    assert await standing(pool, 9 if further else 8) == {"newsletter": "withdrawn"}
    assert await standing(pool, 7) == {}


async def test_a_merge_waits_for_a_withdrawal_and_takes_it_along(pool: Pool) -> None:
    await pool.execute("INSERT INTO contacts (id, name) VALUES (7, 'A'), (8, 'B')")
    await grant(pool, [entry(contact_id=8)])

    async def merge() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await merge_contacts(connection, 7, 8, now=MAY, actor_id=None)

    async with pool.acquire() as withdrawing:
        transaction = withdrawing.transaction()
        await transaction.start()
        await withdraw(withdrawing, [withdrawal(1)])
        merging = asyncio.create_task(merge())
        await asyncio.sleep(0.5)
        assert not merging.done()
        await transaction.commit()
    await merging
    assert await standing(pool, 8) == {"newsletter": "withdrawn"}


async def test_a_consent_that_cannot_be_proved_is_refused(pool: Pool) -> None:
    with pytest.raises(InvalidInput, match=r"entries\[1\]\.wording: a consent needs the words"):
        await grant(pool, [entry(), entry(wording=" ")])
    with pytest.raises(InvalidInput, match="withdrawn where granted belongs"):
        await grant(pool, [withdrawal()])
    assert await told(pool) == []


async def test_many_consents_are_one_statement(pool: Pool) -> None:
    entries = [entry(contact_id=number) for number in range(1, 2001)]
    assert await grant(pool, entries) == 2000
    assert await pool.fetchval("SELECT count(*) FROM consents WHERE state = 'granted'") == 2000

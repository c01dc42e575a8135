"""The do-not-contact list explains its entries, and is lifted by hand with a reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from outbox.suppression import explain, lift_by_hand, list_suppressions, suppress
from storage.pool import Pool, transaction

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
MAIL = IdentityKind.MAIL


async def test_an_entry_tells_why_it_is_there_and_whose_address_it_is(pool: Pool) -> None:
    ana: int = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Ana') RETURNING id")
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', 'ana@client.example', '')",
        ana,
    )
    campaign: int = await pool.fetchval("INSERT INTO campaigns (name) VALUES ('May letter') RETURNING id")
    message: int = await pool.fetchval(
        "INSERT INTO messages (direction, channel, campaign_id) VALUES ('out', 'mail', $1) RETURNING id",
        campaign,
    )
    words = "550 5.1.1 User unknown " + "x" * 1000
    assert await suppress(
        pool, MAIL, "ana@client.example", "mailbox_unknown", "bounce", message_id=message, words=words
    )
    entry = await explain(pool, MAIL, "ana@client.example")
    assert entry is not None
    assert (entry.reason, entry.source, entry.message_id) == ("mailbox_unknown", "bounce", message)
    assert (entry.campaign, entry.contact_id, len(entry.words)) == ("May letter", ana, 500)
    assert await explain(pool, MAIL, "bob@client.example") is None


async def test_the_list_goes_on_where_a_page_ended_and_can_be_searched(pool: Pool) -> None:
    for number in range(5):
        await suppress(
            pool, MAIL, f"p{number}@client.example", "complaint" if number == 3 else "spam", "test"
        )
    first = await list_suppressions(pool, limit=3)
    rest = await list_suppressions(pool, after=first[-1], limit=3)
    assert sorted(one.address for one in (*first, *rest)) == [
        f"p{number}@client.example" for number in range(5)
    ]
    assert [one.address for one in await list_suppressions(pool, containing="P2@")] == ["p2@client.example"]
    assert [one.address for one in await list_suppressions(pool, reason="complaint")] == ["p3@client.example"]


async def test_a_person_lifts_an_entry_with_a_reason_that_the_timeline_keeps(pool: Pool) -> None:
    ana: int = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Ana') RETURNING id")
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', 'ana@client.example', '')",
        ana,
    )
    await pool.execute(
        "INSERT INTO soft_bounces VALUES ('ana@client.example', 4, now(), now(), 'mailbox_full')"
    )
    await suppress(pool, MAIL, "ana@client.example", "mailbox_full", "bounce")
    with pytest.raises(InvalidInput, match="why"):
        async with transaction(pool) as connection:
            await lift_by_hand(connection, MAIL, "ana@client.example", actor_id=7, note=" ", now=NOW)
    async with transaction(pool) as connection:
        assert await lift_by_hand(
            connection, MAIL, "ana@client.example", actor_id=7, note="She called", now=NOW
        )
    async with transaction(pool) as connection:
        again = await lift_by_hand(connection, MAIL, "ana@client.example", actor_id=7, note="x", now=NOW)
    [event] = await pool.fetch("SELECT * FROM events")
    assert not again
    assert (event["contact_id"], event["actor_id"], event["data"]["note"]) == (ana, 7, "She called")
    assert await explain(pool, MAIL, "ana@client.example") is None
    assert await pool.fetchval("SELECT count(*) FROM soft_bounces") == 0

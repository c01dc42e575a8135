"""Short messages that arrive: whose they are, where they belong, what STOP and START do, and who reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from contacts.consent import grant, withdraw
from contacts.merging import merge_contacts
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.contacts import IdentityKind
from domain.messages import ChannelKind
from inbox.arrival.claims import claim_new
from inbox.desk.conversations import Desk
from inbox.desk.placements import decide_placement
from inbox.reading_settings import ReadingSettings
from inbox.texts.reading import SmsReader
from outbox.suppression import explain, suppress
from storage.pool import Pool
from tests.channels.sms.provider import inbound_form
from tests.inbox.texts import ANA, NOW, OURS, Phones, open_phones

HOUR = timedelta(hours=1)


@pytest.fixture
async def phones(pool: Pool, tmp_path: Path) -> AsyncIterator[Phones]:
    async with open_phones(pool, tmp_path) as opened:
        yield opened


async def _standing(phones: Phones, contact: int) -> str | None:
    state: str | None = await phones.pool.fetchval(
        "SELECT state FROM consents WHERE contact_id = $1 AND purpose = 'texts'", contact
    )
    return state


async def _agree(phones: Phones, contact: int) -> None:
    entry = ConsentEntry(
        contact, Purpose.TEXTS, ConsentState.GRANTED, "Text me your offers.", "form", NOW - HOUR
    )
    await grant(phones.pool, [entry])


async def test_a_message_of_somebody_we_know_begins_a_conversation_that_waits(phones: Phones) -> None:
    ana = await phones.person("Ana Sousa")
    message = await phones.write("Où est mon colis ? 👍")
    assert (message["contact_id"], message["channel"], message["direction"]) == (ana, "sms", "in")
    assert message["body"] == "Où est mon colis ? 👍"
    conversation = await phones.conversation(message["conversation_id"])
    assert (conversation["channel"], conversation["state"], conversation["contact_id"]) == (
        "sms",
        "open",
        ana,
    )
    assert conversation["waiting_since"] == conversation["last_message_at"] == message["created_at"]
    assert await phones.told(message["id"]) == [
        ("Received", {"channel": "sms", "mailbox": OURS, "queue": "Inbox", "attachments": 0})
    ]
    parties = await phones.pool.fetch("SELECT part, address FROM message_parties ORDER BY part")
    assert [tuple(row) for row in parties] == [("from", ANA), ("to", OURS)]


async def test_an_unknown_number_becomes_a_contact_and_stays_one(phones: Phones) -> None:
    first, second = await phones.write("Bonjour"), await phones.write("Vous êtes là ?")
    assert first["contact_id"] == second["contact_id"] is not None
    assert await phones.pool.fetchval("SELECT name FROM contacts") == ANA


async def test_a_name_in_place_of_a_number_is_nobody(phones: Phones) -> None:
    message = await phones.write("Your code is 1234", From="BANK")
    assert message["contact_id"] is None
    assert await phones.pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_a_conversation_is_of_one_number_of_theirs_and_one_of_ours(phones: Phones) -> None:
    first, again = await phones.write("One"), await phones.write("Two")
    elsewhere = await phones.write("Three", To="+33700000002")
    assert first["conversation_id"] == again["conversation_id"] != elsewhere["conversation_id"]
    await phones.pool.execute("UPDATE conversations SET state = 'waiting', waiting_since = NULL")
    await phones.write("Four")
    assert (await phones.conversation(first["conversation_id"]))["state"] == "open"
    await phones.pool.execute("UPDATE conversations SET state = 'closed'")
    assert (await phones.write("Five"))["conversation_id"] > elsewhere["conversation_id"]


async def test_of_several_people_with_one_number_nobody_is_chosen(phones: Phones) -> None:
    ana, ben = await phones.person("Ana"), await phones.person("Ben")
    message = await phones.write("It is me")
    assert message["contact_id"] is None
    assert (await phones.told(message["id"]))[0][1]["sharers"] == 2
    await phones.pool.execute("UPDATE conversations SET contact_id = $1", ben)  # as somebody decided
    assert (await phones.write("Me again"))["contact_id"] == ben != ana


async def test_the_queue_is_that_of_our_number(phones: Phones) -> None:
    queue = await phones.pool.fetchval("INSERT INTO queues (name) VALUES ('Support') RETURNING id")
    await phones.pool.execute("INSERT INTO queue_addresses (address, queue_id) VALUES ($1, $2)", OURS, queue)
    message = await phones.write("Help me please")
    assert (await phones.conversation(message["conversation_id"]))["queue_id"] == queue
    assert (await phones.told(message["id"]))[0][1]["queue"] == "Support"


async def test_a_message_offers_to_join_what_is_open_by_mail_and_then_goes_on_there(phones: Phones) -> None:
    ana = await phones.person("Ana")
    mail = await phones.pool.fetchval(
        "INSERT INTO conversations (contact_id, subject) VALUES ($1, 'Parcel') RETURNING id", ana
    )
    message = await phones.write("About my mail")
    assert message["conversation_id"] != mail
    assert await phones.pool.fetchval("SELECT conversation_id FROM placements") == mail
    assert (await phones.told(message["id"]))[0][1]["asked"] is True
    await decide_placement(Desk(phones.pool, phones.clock, None, None), message["id"], join=True)
    assert (await phones.write("And one more"))["conversation_id"] == mail


async def test_what_only_a_team_may_see_is_not_pointed_at(phones: Phones) -> None:
    ana = await phones.person("Ana")
    await phones.pool.execute(
        """WITH q AS (INSERT INTO queues (name, confidential) VALUES ('HR', true) RETURNING id)
           INSERT INTO conversations (contact_id, queue_id) SELECT $1, id FROM q""",
        ana,
    )
    await phones.write("About my letter")
    assert await phones.pool.fetchval("SELECT count(*) FROM placements") == 0


async def test_an_answer_to_a_campaign_is_told_as_one(phones: Phones) -> None:
    ana = await phones.person("Ana")
    await phones.pool.execute(
        """WITH m AS (INSERT INTO messages (direction, channel, contact_id, campaign_id, created_at)
                      VALUES ('out', 'sms', $1, 7, $2) RETURNING id)
           INSERT INTO sms_facts (message_id, ours, theirs) SELECT id, $3, $4 FROM m""",
        ana,
        NOW,
        OURS,
        ANA,
    )
    message = await phones.write("I am interested")
    assert (
        await phones.pool.fetchval("SELECT campaign_id FROM events WHERE message_id = $1", message["id"]) == 7
    )


async def test_stop_closes_the_number_and_takes_back_consent_and_nobody_waits_for_an_answer(
    phones: Phones,
) -> None:
    ana = await phones.person("Ana")
    await _agree(phones, ana)
    message = await phones.write(" Stop! ")
    assert await _standing(phones, ana) == "withdrawn"
    found = await explain(phones.pool, IdentityKind.PHONE, ANA)
    assert found is not None
    assert (found.reason, found.message_id) == ("opted_out", message["id"])
    assert (await phones.conversation(message["conversation_id"]))["state"] == "closed"
    assert [kind for kind, _ in await phones.told(message["id"])] == ["Withdrawn", "Received"]
    assert (await phones.told(message["id"]))[1][1]["command"] == "stop"


async def test_stop_leaves_an_open_conversation_open(phones: Phones) -> None:
    question = await phones.write("Where is it?")
    stop = await phones.write("ARRÊT")
    assert stop["conversation_id"] == question["conversation_id"]
    conversation = await phones.conversation(question["conversation_id"])
    assert (conversation["state"], conversation["waiting_since"]) == ("open", question["created_at"])


async def test_start_gives_back_what_stop_took_and_no_more(phones: Phones) -> None:
    ana = await phones.person("Ana")
    await _agree(phones, ana)
    phones.clock.advance(HOUR)
    await phones.write("STOP")
    phones.clock.advance(HOUR)
    await phones.write("START")
    assert await explain(phones.pool, IdentityKind.PHONE, ANA) is None
    assert await _standing(phones, ana) == "granted"


async def test_start_is_no_consent_of_somebody_who_never_agreed(phones: Phones) -> None:
    ana = await phones.person("Ana")
    await phones.write("STOP")
    phones.clock.advance(HOUR)
    await phones.write("START")
    assert await _standing(phones, ana) == "withdrawn"
    assert await explain(phones.pool, IdentityKind.PHONE, ANA) is None


async def test_start_lifts_nothing_but_a_stop(phones: Phones) -> None:
    await suppress(phones.pool, IdentityKind.PHONE, ANA, "number_unknown", "report")
    await phones.write("START")
    found = await explain(phones.pool, IdentityKind.PHONE, ANA)
    assert found is not None
    assert found.reason == "number_unknown"


async def test_yes_is_an_answer_unless_stop_came_before(phones: Phones) -> None:
    answer = await phones.write("Oui")
    assert (await phones.conversation(answer["conversation_id"]))["state"] == "open"
    assert "command" not in (await phones.told(answer["id"]))[0][1]
    await phones.write("STOP")
    assert (await phones.told((await phones.write("Oui"))["id"]))[-1][1]["command"] == "start"
    assert await explain(phones.pool, IdentityKind.PHONE, ANA) is None


async def test_stop_from_a_shared_number_counts_for_everybody_who_has_it(phones: Phones) -> None:
    people = [await phones.person("Ana"), await phones.person("Ben")]
    for one in people:
        await _agree(phones, one)
    await phones.write("STOP")
    assert [await _standing(phones, one) for one in people] == ["withdrawn", "withdrawn"]
    phones.clock.advance(HOUR)
    await phones.write("START")  # nobody can tell whose consent it would be
    assert [await _standing(phones, one) for one in people] == ["withdrawn", "withdrawn"]
    assert await explain(phones.pool, IdentityKind.PHONE, ANA) is None


async def test_stop_of_somebody_unknown_closes_the_number_and_makes_no_contact(phones: Phones) -> None:
    await phones.write("STOP")
    assert await explain(phones.pool, IdentityKind.PHONE, ANA) is not None
    assert await phones.pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_the_same_message_twice_is_one_even_in_other_bytes(phones: Phones) -> None:
    first = await phones.write("Hello", MessageSid="SM" + "a" * 32)
    raw = urlencode(inbound_form(MessageSid="SM" + "a" * 32, From=ANA, Extra="1")).encode()
    await phones.pool.execute(
        "DELETE FROM arrivals"
    )  # as another process, at the same moment, would not see it
    await phones.drop_bytes(raw)
    await phones.reader.read_due()
    assert await phones.pool.fetchval("SELECT count(*) FROM messages") == 1
    rows = await phones.pool.fetch("SELECT state, message_id FROM raw_mails")
    assert [tuple(row) for row in rows] == [("read", first["id"])] * 2


async def test_what_is_no_message_waits_in_quarantine_and_the_next_is_read(phones: Phones) -> None:
    await phones.drop_bytes(b"\xff\x00 nonsense")
    message = await phones.write("Hello")
    assert message["raw_state"] == "read"
    row = await phones.pool.fetchrow("SELECT state, reason FROM raw_mails ORDER BY id LIMIT 1")
    assert row is not None
    assert row["state"] == "quarantined"
    assert "MessageSid" in row["reason"]


async def test_no_reader_takes_what_belongs_to_the_other(phones: Phones) -> None:
    await phones.drop(Body="Hello")
    settings = ReadingSettings()
    assert await claim_new(phones.pool, phones.blobs, settings) == []
    assert len(await claim_new(phones.pool, phones.blobs, settings, ChannelKind.SMS)) == 1


async def test_a_message_whose_reader_died_is_read_once(phones: Phones) -> None:
    await phones.drop(Body="Hello")
    await claim_new(phones.pool, phones.blobs, ReadingSettings(), ChannelKind.SMS)
    assert await phones.reader.read_due() == 0
    await phones.pool.execute("UPDATE raw_mails SET read_again_at = now() - interval '1 s'")
    assert await phones.reader.read_due() == 1
    assert await phones.pool.fetchval("SELECT count(*) FROM messages") == 1


async def test_readers_side_by_side_make_one_contact_and_one_conversation(phones: Phones) -> None:
    for number in range(20):
        await phones.drop(Body=f"Part {number}")
    settings = ReadingSettings(batch=1)
    readers = [SmsReader(phones.pool, phones.blobs, phones.clock, None, settings) for _ in range(3)]
    while any(await asyncio.gather(*(reader.read_due() for reader in readers))):
        pass
    counts = await phones.pool.fetchrow(
        """SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM contacts),
                  (SELECT count(*) FROM conversations), (SELECT count(*) FROM events)"""
    )
    assert counts is not None
    assert tuple(counts) == (20, 1, 1, 20)


@pytest.mark.parametrize(("words", "closed"), [(("START", "STOP"), 1), (("STOP", "START"), 0)])
async def test_of_stop_and_start_the_one_that_came_last_counts_also_when_it_is_read_first(
    phones: Phones, words: tuple[str, str], closed: int
) -> None:
    await phones.person("Ana")
    if closed:
        await phones.write("STOP")
    first = await phones.drop(Body=words[0])
    await phones.pool.execute("UPDATE raw_mails SET state = 'quarantined' WHERE id = $1", first)
    await phones.write(words[1])
    await phones.pool.execute("UPDATE raw_mails SET state = 'stored', attempts = 0 WHERE id = $1", first)
    await phones.reader.read_due()
    assert await phones.pool.fetchval("SELECT state FROM raw_mails WHERE id = $1", first) == "read"
    assert await phones.pool.fetchval("SELECT count(*) FROM suppressions") == closed


async def test_stop_that_was_said_twice_is_taken_back_by_one_start(phones: Phones) -> None:
    ana = await phones.person("Ana")
    await _agree(phones, ana)
    for word in ("STOP", "STOP", "START"):
        phones.clock.advance(HOUR)
        await phones.write(word)
    assert await _standing(phones, ana) == "granted"


async def test_start_gives_back_no_consent_that_was_taken_back_elsewhere(phones: Phones) -> None:
    ana = await phones.person("Ana")
    await phones.write("STOP")  # before she ever agreed
    phones.clock.advance(HOUR)
    agreed, left = phones.clock.now(), phones.clock.now() + HOUR
    await grant(phones.pool, [ConsentEntry(ana, Purpose.TEXTS, ConsentState.GRANTED, "Yes.", "form", agreed)])
    await withdraw(phones.pool, [ConsentEntry(ana, Purpose.TEXTS, ConsentState.WITHDRAWN, "", "page", left)])
    phones.clock.advance(2 * HOUR)
    await phones.write("START")
    assert await explain(phones.pool, IdentityKind.PHONE, ANA) is None
    assert await _standing(phones, ana) == "withdrawn"


async def test_start_finds_what_was_agreed_to_before_two_contacts_became_one(phones: Phones) -> None:
    ana, again = await phones.person("Ana"), await phones.person("Ana Sousa", "+33639980002")
    await _agree(phones, ana)
    await phones.write("STOP")
    async with phones.pool.acquire() as connection, connection.transaction():
        await merge_contacts(connection, ana, again, now=NOW, actor_id=None)
    phones.clock.advance(HOUR)
    await phones.write("START")
    assert await _standing(phones, again) == "granted"


async def test_a_number_that_went_to_somebody_else_begins_a_talk_of_its_own(phones: Phones) -> None:
    await phones.person("Ana")
    before = await phones.write("About my salary")
    await phones.pool.execute("DELETE FROM identities")
    assert (await phones.write("Still me?"))["conversation_id"] == before["conversation_id"]
    ben = await phones.person("Ben")
    after = await phones.write("Hello, a new customer")
    assert after["contact_id"] == ben
    assert after["conversation_id"] != before["conversation_id"]


@pytest.mark.parametrize(
    ("source", "after_stop", "after_start"),
    [("report", "opted_out", None), ("person", "number_unknown", "number_unknown")],
)
async def test_stop_is_remembered_where_a_machine_took_the_number_for_dead(
    phones: Phones, source: str, after_stop: str, after_start: str | None
) -> None:
    await suppress(phones.pool, IdentityKind.PHONE, ANA, "number_unknown", source)
    reasons = []
    for word in ("STOP", "START"):
        await phones.write(word)
        phones.clock.advance(HOUR)
        found = await explain(phones.pool, IdentityKind.PHONE, ANA)
        reasons.append(found and found.reason)
    assert reasons == [after_stop, after_start]

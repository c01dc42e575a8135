"""Letters by SMS: written with the text as it goes, sent by their own sender alone, refused with what follows from it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.clock import SystemClock
from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome
from domain.tokens import TokenKeys, TokenUse
from outbox.letters.letter import LetterKind
from outbox.letters.writing import cancel_letter
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.suppression import suppress
from outbox.texts.composing import SmsLetterComposer
from outbox.texts.letters import SmsLetter, write_sms
from outbox.traffic import Traffic
from outbox.unconfirmed import queue_again
from storage.announce import Announcer
from storage.pool import Pool, transaction
from tests.outbox.post import KEYS, make_postman, make_stationery, post
from tests.outbox.stock import BRISK, Decide, ObedientChannel, PlainComposer, accept, states

_LEFT = (
    "SELECT count(*) FROM deliveries WHERE state IN ('claimed', 'sending')"
    " OR state = 'queued' AND coalesce(not_before, now()) <= now()"
)
OURS = "+33700000001"
ANNA = "+33612345678"
TEXT = SmsLetter(
    kind=LetterKind.ANSWER, sender=OURS, to="06 12 34 56 78", country="FR", text="See you at ten."
)


async def text_to(pool: Pool, **changes: Any) -> int:
    async with transaction(pool) as connection:
        return await write_sms(connection, replace(TEXT, **changes), SystemClock())


def make_texter(
    pool: Pool, channel: ObedientChannel, settings: OutboxSettings = BRISK, traffic: Traffic | None = None
) -> Sender:
    async def make_composer(campaign: Any) -> PlainComposer:
        return PlainComposer(campaign["id"])

    return Sender(
        pool,
        channel,
        make_composer,
        settings,
        SystemClock(),
        Announcer(pool),
        kind=ChannelKind.SMS,
        letters=SmsLetterComposer(KEYS),
        traffic=traffic,
    )


async def send_all(
    pool: Pool, decide: Decide = accept, settings: OutboxSettings = BRISK, traffic: Traffic | None = None
) -> list[Outbound]:
    """Send what is there; gives what the channel took."""
    channel, stop = ObedientChannel(decide), asyncio.Event()
    running = asyncio.create_task(make_texter(pool, channel, settings, traffic).run(stop))
    async with asyncio.timeout(10):
        while True:
            if not await pool.fetchval(_LEFT):
                break
            await asyncio.sleep(0.02)
    stop.set()
    await running
    return channel.taken


async def test_a_text_goes_out_as_it_was_written_with_the_token_of_its_reports(pool: Pool) -> None:
    message_id = await text_to(pool, media=("https://hub.example/a.png",), validity=600)
    (taken,) = await send_all(pool)
    assert (taken.sender, taken.recipient, taken.content) == (OURS, ANNA, b"See you at ten.")
    token = KEYS.verify(taken.options["token"], TokenUse.CALLBACK)
    assert token is not None
    assert token.message_id == message_id
    assert (taken.options["media"], taken.options["validity"]) == ("https://hub.example/a.png", "600")


async def test_lookalikes_are_replaced_where_that_is_asked_and_parts_are_counted(pool: Pool) -> None:
    text = "It’s “ready” – " + "x" * 120
    kept = await text_to(pool, text=text)
    plain = await text_to(pool, text=text, lookalikes=True)
    rows = {row["message_id"]: row for row in await pool.fetch("SELECT * FROM sms_facts")}
    assert (rows[kept]["encoding"], rows[kept]["segments"]) == ("UCS-2", 3)
    assert (rows[plain]["encoding"], rows[plain]["segments"]) == ("GSM-7", 1)
    body = await pool.fetchval("SELECT body FROM message_contents WHERE message_id = $1", plain)
    assert body.startswith('It\'s "ready" - x')


async def test_the_number_s_owner_is_found_and_the_given_contact_stands(pool: Pool) -> None:
    anna = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Anna') RETURNING id")
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)", anna, ANNA
    )
    message_id = await text_to(pool)
    assert await pool.fetchval("SELECT contact_id FROM deliveries WHERE message_id = $1", message_id) == anna
    ben = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Ben') RETURNING id")
    row = await pool.fetchrow("SELECT * FROM messages WHERE id = $1", await text_to(pool, contact_id=ben))
    assert row is not None
    assert (row["contact_id"], row["identity_id"]) == (ben, None)


async def test_the_provider_s_number_is_kept_when_it_is_settled(pool: Pool) -> None:
    message_id = await text_to(pool)
    await send_all(pool, lambda one: accept(one)._replace(provider_id="SM1"))
    row = await pool.fetchrow("SELECT * FROM sms_facts WHERE message_id = $1", message_id)
    assert row is not None
    assert (row["provider_id"], row["theirs"], row["look_at"]) == ("SM1", ANNA, None)
    assert await states(pool) == {"sent": 1}


async def test_mail_is_not_sent_by_the_sender_of_texts_nor_texts_by_that_of_mail(
    pool: Pool, tmp_path: Any
) -> None:
    stationery = make_stationery(tmp_path)
    mail, text = await post(pool, stationery), await text_to(pool)
    stop, letters, texts = asyncio.Event(), ObedientChannel(), ObedientChannel()
    running = [
        asyncio.create_task(sender.run(stop))
        for sender in (make_postman(pool, letters, stationery), make_texter(pool, texts))
    ]
    async with asyncio.timeout(10):
        while True:
            if await states(pool) == {"sent": 2}:
                break
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*running)
    assert [one.key for one in letters.taken] == [mail]
    assert [one.key for one in texts.taken] == [text]


async def test_a_suppressed_number_gets_nothing_and_a_dead_one_is_suppressed(pool: Pool) -> None:
    await suppress(pool, IdentityKind.PHONE, "+33612000001", "opted_out", "test")
    await text_to(pool, to="+33612000001")
    await text_to(pool, to="+33612000002")
    taken = await send_all(
        pool, lambda one: Outcome(one.key, one.attempt, DeliveryState.REJECTED, "21211: no", "number_invalid")
    )
    assert [one.recipient for one in taken] == ["+33612000002"]
    row = await pool.fetchrow("SELECT * FROM suppressions WHERE address = '+33612000002'")
    assert row is not None
    assert (row["kind"], row["reason"], row["words"]) == (
        "phone",
        "number_invalid",
        "21211: no",
    )
    assert await states(pool) == {"rejected": 2}


async def test_a_text_without_a_turn_is_never_given_up(pool: Pool) -> None:
    message_id = await text_to(pool)
    few = BRISK.model_copy(update={"max_attempts": 1})
    await send_all(pool, lambda one: Outcome(one.key, 1, DeliveryState.DEFERRED, "", "throttled"), few)
    row = await pool.fetchrow("SELECT * FROM deliveries WHERE message_id = $1", message_id)
    assert row is not None
    assert (row["state"], row["reason"]) == ("deferred", "throttled")


async def test_a_text_is_called_back_while_it_waits(pool: Pool) -> None:
    message_id = await text_to(pool, not_before=datetime.now(UTC) + timedelta(minutes=1))
    async with transaction(pool) as connection:
        assert await cancel_letter(connection, message_id)
    assert await send_all(pool) == []
    assert await states(pool) == {"cancelled": 1}


async def test_a_text_in_doubt_is_noted_and_goes_again_only_by_a_person(pool: Pool) -> None:
    message_id = await text_to(pool)
    await send_all(pool, lambda one: Outcome(one.key, one.attempt, DeliveryState.UNCERTAIN, "", "timeout"))
    assert await pool.fetchval("SELECT look_at <= now() FROM sms_facts WHERE message_id = $1", message_id)
    assert await send_all(pool) == []
    await pool.execute("DELETE FROM delivery_ranges")
    await queue_again(pool, message_id)
    (taken,) = await send_all(pool)
    assert (taken.key, taken.attempt) == (message_id, 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": "12"}, "to"),
        ({"to": "+33892123456", "country": None}, "to"),
        ({"text": "  "}, "text"),
        ({"text": "x" * 1601}, "text"),
        ({"sender": "a name that is too long"}, "sender"),
        ({"media": ("file:///etc/passwd",)}, "media"),
        ({"validity": 0}, "validity"),
    ],
)
async def test_what_no_provider_takes_is_refused_by_field(
    pool: Pool, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await text_to(pool, **changes)
    assert refused.value.field == field


def test_a_token_of_reports_is_of_no_other_use() -> None:
    keys = TokenKeys({1: bytes(range(32))})
    assert keys.verify(keys.sign(TokenUse.CALLBACK, 0, 7), TokenUse.UNSUBSCRIBE) is None

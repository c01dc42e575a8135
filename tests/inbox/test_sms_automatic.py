"""What we answer to HELP and START by ourselves: in the reader's language, once, and never to a machine for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.inbound import InboundSms, read_inbound
from channels.sms.keywords import Command
from channels.sms.segments import count
from domain.contacts import IdentityKind
from inbox.reading_settings import TextAnswerSettings
from inbox.texts.automatic import WORDS, choose_words, is_answered_there
from outbox.suppression import suppress
from storage.pool import Pool
from tests.channels.sms.provider import inbound_form
from tests.inbox.texts import ANA, OURS, Phones, open_phones

PLAIN = TextAnswerSettings()
OURSELVES = TextAnswerSettings(provider_answers=False)


@pytest.fixture
async def phones(pool: Pool, tmp_path: Path) -> AsyncIterator[Phones]:
    async with open_phones(pool, tmp_path) as opened:
        yield opened


def text(body: str, **fields: str) -> InboundSms:
    return read_inbound(urlencode(inbound_form(Body=body, From=ANA, To=OURS, **fields)).encode())


async def answers(phones: Phones) -> list[str]:
    """What we wrote, in order."""
    rows = await phones.pool.fetch(
        "SELECT c.body FROM messages m JOIN message_contents c ON c.message_id = m.id WHERE m.direction = 'out' ORDER BY m.id"
    )
    return [row["body"] for row in rows]


@pytest.mark.parametrize(
    ("contact", "word", "expected"),
    [("fr", "HELP", "fr"), ("fr-CA", "HELP", "fr"), (None, "hilfe", "de"), (None, "HELP", "en"), ("sw", "AIDE", "fr"), ("xx", "HELP", "en")],
)  # fmt: skip
def test_the_language_is_the_contact_s_then_the_word_s_then_ours(
    contact: str | None, word: str, expected: str
) -> None:
    assert choose_words(Command.HELP, contact, text(word), PLAIN) == WORDS[Command.HELP][expected]


def test_texts_are_ours_to_set_and_an_empty_one_is_none() -> None:
    settings = TextAnswerSettings(
        organisation="Helianthe", help={"fr": "Appelez le 01 99 00 12 34.", "en": ""}, language="en"
    )
    assert choose_words(Command.HELP, "fr", text("AIDE"), settings) == "Helianthe: Appelez le 01 99 00 12 34."
    assert choose_words(Command.HELP, "en", text("HELP"), settings) == ""
    assert choose_words(Command.STOP, "fr", text("STOP"), settings) == ""


@pytest.mark.parametrize("command", list(WORDS))
def test_every_answer_tells_how_to_stop_and_takes_two_parts_at_most(command: Command) -> None:
    for words in WORDS[command].values():
        assert "STOP" in words
        assert count(words).segments <= 2


@given(st.sampled_from(["HELP", "aide", "START", "reprendre", "info"]), st.booleans())
def test_what_the_provider_says_that_it_answered_we_never_answer(body: str, provider: bool) -> None:
    settings = TextAnswerSettings(provider_answers=provider)
    assert is_answered_there(text(body, OptOutType="HELP"), settings)
    obeyed = body in ("HELP", "START", "info")
    assert is_answered_there(text(body), settings) == (obeyed and provider)


async def test_a_french_contact_who_asks_for_help_is_answered_once_in_their_conversation(
    phones: Phones,
) -> None:
    ana = await phones.person("Ana")
    await phones.pool.execute("UPDATE contacts SET language = 'fr'")
    message = await phones.write("Aide")
    assert await answers(phones) == [WORDS[Command.HELP]["fr"]]
    row = await phones.pool.fetchrow(
        """SELECT m.contact_id, m.conversation_id, l.kind, l.sender, d.address, d.state
           FROM messages m JOIN letters l ON l.message_id = m.id JOIN deliveries d ON d.message_id = m.id"""
    )
    assert row is not None
    assert tuple(row) == (ana, message["conversation_id"], "auto_answer", OURS, ANA, "queued")


async def test_the_provider_s_own_words_are_left_to_it_unless_it_was_asked_not_to_answer(
    phones: Phones,
) -> None:
    await phones.write("HELP")
    assert await answers(phones) == []
    phones.reader.answers = OURSELVES
    await phones.write("HELP")
    assert len(await answers(phones)) == 1
    await phones.write("HELP", OptOutType="HELP")
    assert len(await answers(phones)) == 1


async def test_two_machines_that_answer_each_other_end_soon(phones: Phones) -> None:
    phones.reader.answers = OURSELVES
    for _ in range(10):
        await phones.write("HELP")
    assert len(await answers(phones)) == OURSELVES.per_correspondent
    phones.clock.advance(timedelta(hours=25))
    await phones.write("HELP")
    assert len(await answers(phones)) == OURSELVES.per_correspondent + 1


async def test_no_more_go_out_in_an_hour_than_allowed_whoever_asks(phones: Phones) -> None:
    phones.reader.answers = OURSELVES.model_copy(update={"per_hour": 4})
    for number in range(8):
        await phones.write("HELP", From=f"+3363998{number:04}")
    assert len(await answers(phones)) == 4


async def test_a_number_of_ours_a_name_and_a_closed_number_get_no_answer(phones: Phones) -> None:
    phones.reader.answers = OURSELVES
    queue = await phones.pool.fetchval("INSERT INTO queues (name) VALUES ('Sales') RETURNING id")
    await phones.pool.execute(
        "INSERT INTO queue_addresses (address, queue_id) VALUES ('+33700000009', $1)", queue
    )
    await suppress(phones.pool, IdentityKind.PHONE, ANA, "number_fixed", "test")
    for sender in ("+33700000009", "BANK", ANA):
        await phones.write("HELP", From=sender)
    assert await answers(phones) == []


async def test_a_message_that_lay_somewhere_for_a_day_is_not_answered(phones: Phones) -> None:
    phones.reader.answers = OURSELVES
    await phones.drop(Body="HELP")
    await phones.pool.execute("UPDATE raw_mails SET received_at = received_at - interval '1 day'")
    await phones.reader.read_due()
    assert await answers(phones) == []


async def test_a_word_for_start_that_the_provider_does_not_know_is_confirmed_once(phones: Phones) -> None:
    await phones.person("Ana")
    await phones.write("stop")
    await phones.write("reprendre")
    assert await answers(phones) == [WORDS[Command.START]["fr"]]
    await phones.write("reprendre")  # nothing was closed
    assert len(await answers(phones)) == 1


async def test_after_start_that_the_provider_obeys_and_answers_we_are_silent(phones: Phones) -> None:
    await phones.person("Ana")
    await phones.write("STOP", OptOutType="STOP")
    await phones.write("START", OptOutType="START")
    await phones.write("STOP")
    await phones.write("START")
    assert await answers(phones) == []
    assert await phones.pool.fetchval("SELECT count(*) FROM suppressions") == 0

"""Letters: written in the caller's transaction, sent once to each recipient, called back, suppressed at the mark."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from channels.mail.parsed import Mailbox
from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.messages import DeliveryState, Outbound, Outcome
from domain.tokens import Token, TokenUse
from outbox.addresses import read_bounce_address, read_reply_address
from outbox.letters.writing import LetterFile, LetterKind, cancel_letter, write_letter
from outbox.suppression import suppress
from storage.pool import Pool, transaction
from tests.outbox.post import KEYS, LETTER, make_postman, make_stationery, post
from tests.outbox.stock import BRISK, ObedientChannel, run_until, states, stock_campaign


async def deliver(pool: Pool, channel: ObedientChannel, folder: Path, wanted: dict[str, int]) -> None:
    """Run a sender until the deliveries stand like this."""

    async def done() -> bool:
        return await states(pool) == wanted

    await run_until(make_postman(pool, channel, make_stationery(folder)), done)


def read(message: Outbound) -> EmailMessage:
    """The mail in a payload of DATA."""
    mail = message.content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    parsed = message_from_bytes(mail, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


async def test_a_letter_arrives_as_it_was_written(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    message_id = await post(
        pool,
        make_stationery(tmp_path),
        to=(Mailbox("Müller, Ada", "ada@example.net"),),
        subject="Ihre Frage: größer?",
        text="Grüße\n.\nFrom here\n",
        html="<p>Grüße <img src='cid:logo@x'></p>",
        in_reply_to="q1@example.net",
        references=("q0@example.net", "q1@example.net"),
        headers=(("Auto-Submitted", "no"),),
        attachments=(
            LetterFile("Übersicht 2026.pdf", "application/pdf", b"%PDF-1"),
            LetterFile("logo.png", "image/png", b"\x89PNG", "logo@x"),
            LetterFile("their.eml", "message/rfc822", b"From: a@b.c\n\nhello"),
        ),
    )
    await deliver(pool, channel, tmp_path, {"sent": 1})
    (message,) = channel.taken
    assert message.recipient == "ada@example.net"
    assert message.content.isascii()
    assert all(len(line) <= 998 for line in message.content.split(b"\r\n"))
    mail = read(message)
    assert mail["To"] == '"Müller, Ada" <ada@example.net>'
    assert mail["Subject"] == "Ihre Frage: größer?"
    assert mail["Message-ID"].startswith(f"<m{message_id}.")
    assert mail["In-Reply-To"] == "<q1@example.net>"
    assert mail["References"].split() == ["<q0@example.net>", "<q1@example.net>"]
    assert mail["Auto-Submitted"] == "no"
    assert "Bcc" not in mail
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert text.get_content().replace("\r", "") == "Grüße\n.\nFrom here\n"
    assert html is not None
    assert "Grüße <img" in html.get_content()
    files = {part.get_filename(): part for part in mail.walk() if part.get_filename()}
    assert set(files) == {"Übersicht 2026.pdf", "logo.png", "their.eml"}
    assert files["logo.png"]["Content-ID"] == "<logo@x>"
    assert files["their.eml"].get_content_type() == "application/octet-stream"
    assert files["Übersicht 2026.pdf"].get_payload(decode=True) == b"%PDF-1"


async def test_what_a_letter_says_is_kept_for_the_conversation(pool: Pool, tmp_path: Path) -> None:
    message_id = await post(
        pool,
        make_stationery(tmp_path),
        conversation_id=7,
        cc=(Mailbox("", "bob@example.net"),),
        bcc=(Mailbox("", "eve@example.net"),),
        references=("q0@example.net", "q1@example.net"),
        in_reply_to="q1@example.net",
        attachments=(LetterFile("a.txt", "text/plain", b"a"),),
    )
    (said,) = await pool.fetch("SELECT * FROM message_contents")
    assert (said["message_id"], said["subject"], said["new_text"]) == (
        message_id,
        "Your question",
        LETTER.text,
    )
    parties = await pool.fetch("SELECT part, address FROM message_parties WHERE message_id = $1", message_id)
    assert {(row["part"], row["address"]) for row in parties} == {
        ("from", "support@example.org"),
        ("to", "ada@example.net"),
        ("cc", "bob@example.net"),
        ("bcc", "eve@example.net"),
    }
    (facts,) = await pool.fetch("SELECT * FROM mail_facts")
    assert facts["header_id"].startswith(f"m{message_id}.")
    assert facts["reference_ids"] == ["q1@example.net", "q0@example.net"]
    assert await pool.fetchval("SELECT count(*) FROM messages WHERE conversation_id = 7") == 3
    assert await pool.fetchval("SELECT name FROM attachments WHERE message_id = $1", message_id) == "a.txt"


async def test_every_recipient_gets_it_once_with_an_envelope_of_their_own(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    first = await post(
        pool,
        make_stationery(tmp_path),
        cc=(Mailbox("", "Bob@example.net"), Mailbox("", "ada@example.net")),
        bcc=(Mailbox("", "eve@example.net"), Mailbox("", "bob@example.net")),
    )
    await deliver(pool, channel, tmp_path, {"sent": 3})
    assert sorted(m.recipient for m in channel.taken) == [
        "ada@example.net",
        "bob@example.net",
        "eve@example.net",
    ]
    assert len({read(m)["Message-ID"] for m in channel.taken}) == 1
    for message in channel.taken:
        token = read_bounce_address(KEYS, BRISK, message.sender)
        assert token == Token(TokenUse.REPLY, 0, message.key)
        assert b"eve@" not in message.content
    assert min(m.key for m in channel.taken) == first


async def test_events_of_a_letter_stand_on_its_conversation(pool: Pool, tmp_path: Path) -> None:
    contact_id = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Ada') RETURNING id")
    await post(pool, make_stationery(tmp_path), contact_id=contact_id, conversation_id=7, case_id=3)
    await deliver(pool, ObedientChannel(), tmp_path, {"sent": 1})
    (event,) = await pool.fetch("SELECT * FROM events")
    assert (event["type"], event["contact_id"], event["conversation_id"], event["case_id"]) == (
        "Sent",
        contact_id,
        7,
        3,
    )
    assert event["campaign_id"] is None
    assert await pool.fetchval("SELECT count(*) FROM delivery_ranges") == 0


async def test_each_copy_belongs_to_the_contact_of_its_address(pool: Pool, tmp_path: Path) -> None:
    bob = await pool.fetchval(
        "WITH c AS (INSERT INTO contacts (name) VALUES ('Bob') RETURNING id)"
        " INSERT INTO identities (contact_id, kind, address, given)"
        " SELECT id, 'mail', 'bob@example.net', 'bob@example.net' FROM c RETURNING contact_id"
    )
    await post(pool, make_stationery(tmp_path), contact_id=bob, cc=(Mailbox("", "bob@example.net"),))
    rows = await pool.fetch("SELECT address, contact_id FROM deliveries ORDER BY message_id")
    assert [(row["address"], row["contact_id"]) for row in rows] == [
        ("bob@example.net", bob),
        ("ada@example.net", None),
    ]


async def test_a_letter_can_be_called_back_until_somebody_begins_to_send_it(
    pool: Pool, tmp_path: Path
) -> None:
    channel = ObedientChannel()
    stationery = make_stationery(tmp_path)
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    undone = await post(pool, stationery, not_before=soon, cc=(Mailbox("", "bob@example.net"),))
    kept = await post(pool, stationery, not_before=soon)

    async def done() -> bool:
        return bool((await states(pool)).get("sent"))

    task = asyncio.create_task(run_until(make_postman(pool, channel, stationery), done))
    await asyncio.sleep(0.7)
    assert not channel.taken
    async with transaction(pool) as connection:
        assert await cancel_letter(connection, undone)
    await task
    assert datetime.now(UTC) >= soon
    assert [m.key for m in channel.taken] == [kept]
    assert await states(pool) == {"cancelled": 2, "sent": 1}
    async with transaction(pool) as connection:
        assert not await cancel_letter(connection, kept)
        assert not await cancel_letter(connection, 10**9)
    assert await states(pool) == {"cancelled": 2, "sent": 1}


async def test_nobody_on_the_do_not_contact_list_gets_a_letter(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    await post(pool, make_stationery(tmp_path), cc=(Mailbox("", "bob@example.net"),))
    await suppress(pool, IdentityKind.MAIL, "bob@example.net", "mailbox_unknown", "bounce")
    await deliver(pool, channel, tmp_path, {"sent": 1, "rejected": 1})
    assert [m.recipient for m in channel.taken] == ["ada@example.net"]
    assert await pool.fetchval("SELECT reason FROM deliveries WHERE state = 'rejected'") == "suppressed"


async def test_who_left_the_newsletter_still_gets_an_answer(pool: Pool, tmp_path: Path) -> None:
    contact_id = await pool.fetchval("INSERT INTO contacts (name) VALUES ('Ada') RETURNING id")
    await pool.execute(
        "INSERT INTO consents (contact_id, purpose, state, since) VALUES ($1, 'newsletter', 'withdrawn', now())",
        contact_id,
    )
    await post(pool, make_stationery(tmp_path), contact_id=contact_id)
    await deliver(pool, ObedientChannel(), tmp_path, {"sent": 1})


async def test_letters_and_campaigns_go_out_side_by_side(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    await stock_campaign(pool, 40, size=7)
    for _ in range(30):
        await post(pool, make_stationery(tmp_path))
    await deliver(pool, channel, tmp_path, {"sent": 70})
    assert len({m.key for m in channel.taken}) == 70


async def test_a_refused_letter_is_tried_again_later(pool: Pool, tmp_path: Path) -> None:
    def decide(message: Outbound) -> Outcome:
        state = DeliveryState.DEFERRED if message.attempt == 1 else DeliveryState.SENT
        return Outcome(message.key, message.attempt, state, "451 later", "unavailable")

    settings = BRISK.model_copy(update={"retry_after": 0.3})
    channel = ObedientChannel(decide)
    await post(pool, make_stationery(tmp_path))

    async def done() -> bool:
        return await states(pool) == {"sent": 1}

    await run_until(make_postman(pool, channel, make_stationery(tmp_path), settings), done)
    assert [m.attempt for m in channel.taken] == [1, 2]


async def test_a_large_letter_lies_in_a_file_and_a_lost_file_is_no_reason_to_stop(
    pool: Pool, tmp_path: Path
) -> None:
    channel = ObedientChannel()
    stationery = make_stationery(tmp_path)
    file = LetterFile("big.bin", "application/octet-stream", bytes(200_000))
    await post(pool, stationery, attachments=(file,))
    lost = await post(pool, stationery, subject="Other", attachments=(replace(file, content=bytes(150_000)),))
    blob = await pool.fetchval("SELECT blob FROM letters WHERE message_id = $1", lost)
    stationery.blobs.path(blob).unlink()
    await deliver(pool, channel, tmp_path, {"sent": 1, "rejected": 1})
    assert len(channel.taken[0].content) > 200_000
    assert (
        await pool.fetchval("SELECT reason FROM deliveries WHERE message_id = $1", lost) == "content_invalid"
    )


async def test_the_copies_of_a_large_letter_are_read_and_signed_once(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    people = tuple(Mailbox("", f"reader{number}@example.net") for number in range(5))
    file = LetterFile("big.bin", "application/octet-stream", bytes(200_000))
    await post(pool, make_stationery(tmp_path), to=people, attachments=(file,))
    await deliver(pool, channel, tmp_path, {"sent": 5})
    assert len({id(message.content) for message in channel.taken}) == 1
    assert len({message.sender for message in channel.taken}) == 5


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("to", {"to": ()}),
        ("attachments", {"attachments": (LetterFile("a", "a/b", b"", "c\0d"),)}),
        ("to[0]", {"to": (Mailbox("", "nobody"),)}),
        ("cc[1]", {"cc": (Mailbox("", "a@example.net"), Mailbox("", "b@example.net\r\nBcc: c@example.net"))}),
        ("from", {"from_": Mailbox("", "x")}),
        ("headers", {"headers": (("Bcc", "x@example.net"),)}),
        ("headers", {"headers": (("X-A\r\nBcc", "x@example.net"),)}),
        ("in_reply_to", {"in_reply_to": "a b"}),
        ("references", {"references": ("a>\r\nBcc: <b",)}),
        ("attachments", {"attachments": (LetterFile("a", "a/b", b"", "c>\r\n d"),), "html": "<p>"}),
    ],
)
async def test_what_cannot_be_written_is_refused_with_its_field(
    pool: Pool, tmp_path: Path, field: str, changes: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await post(pool, make_stationery(tmp_path), **changes)
    assert refused.value.field == field
    assert await pool.fetchval("SELECT count(*) FROM messages") == 0


async def test_a_letter_that_is_too_large_is_refused(pool: Pool, tmp_path: Path) -> None:
    stationery = make_stationery(tmp_path, BRISK.model_copy(update={"letter_limit": 2000}))
    with pytest.raises(InvalidInput, match="attachments"):
        await post(pool, stationery, attachments=(LetterFile("a", "a/b", bytes(2000)),))


async def test_nothing_can_be_smuggled_into_the_headers(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    await post(
        pool,
        make_stationery(tmp_path),
        subject="Hello\r\nBcc: eve@example.net",
        to=(Mailbox("Ada\r\nBcc: eve@example.net", "ada@example.net"),),
        headers=(("X-Note", "a\r\nBcc: eve@example.net"),),
        attachments=(LetterFile("a\r\nBcc: eve@example.net", "text/plain", b""),),
    )
    await deliver(pool, channel, tmp_path, {"sent": 1})
    assert b"\nBcc" not in channel.taken[0].content


async def test_answers_to_a_letter_of_a_conversation_come_to_a_signed_address(
    pool: Pool, tmp_path: Path
) -> None:
    settings = BRISK.model_copy(update={"reply_domain": "mail.example.org"})
    channel = ObedientChannel()
    message_id = await post(pool, make_stationery(tmp_path, settings), conversation_id=7)
    await deliver(pool, channel, tmp_path, {"sent": 1})
    (address,) = read(channel.taken[0])["Reply-To"].addresses
    assert address.domain == "mail.example.org"
    assert read_reply_address(KEYS, settings, address.addr_spec) == message_id
    assert read_reply_address(KEYS, settings, address.addr_spec.upper()) == message_id
    other = address.addr_spec.replace("+12", "+13")
    assert other != address.addr_spec
    assert read_reply_address(KEYS, settings, other) is None
    assert read_reply_address(KEYS, settings, "support@example.org") is None
    assert read_bounce_address(KEYS, settings, address.addr_spec) is None


async def test_an_automatic_answer_has_no_envelope_sender(pool: Pool, tmp_path: Path) -> None:
    channel = ObedientChannel()
    await post(pool, make_stationery(tmp_path), kind=LetterKind.AUTO_ANSWER)
    await deliver(pool, channel, tmp_path, {"sent": 1})
    assert channel.taken[0].sender == ""


async def test_nothing_is_sent_when_the_callers_transaction_fails(pool: Pool, tmp_path: Path) -> None:
    async def fail() -> None:
        async with transaction(pool) as connection:
            await write_letter(connection, LETTER, make_stationery(tmp_path))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await pool.fetchval("SELECT count(*) FROM deliveries") == 0

"""Mails become messages, contacts and conversations, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from inbox.mails.process import ReadingProcess
from inbox.mails.reading import Reader
from inbox.reading_settings import ReadingSettings
from tests.inbox.post import PostRoom, write_mail


async def test_a_first_mail_makes_a_contact_a_conversation_and_an_event(post: PostRoom) -> None:
    message = await post.receive(write_mail(message_id="1@client.example", files=[("a.pdf", b"%PDF")]))
    conversation = await post.conversation(message["conversation_id"])
    contact = await post.row("contacts", message["contact_id"])
    [event] = await post.events("Received")
    assert (message["direction"], message["subject"], message["new_text"]) == (
        "in",
        "A question",
        "Where is my parcel?",
    )
    assert (contact["name"], contact["relation"]) == ("Ana Sousa", "other")
    assert (conversation["state"], conversation["contact_id"]) == ("open", contact["id"])
    assert conversation["waiting_since"] is not None
    assert event["contact_id"] == contact["id"]
    assert event["data"] == {"mailbox": "support@hub.example", "queue": "Inbox", "attachments": 1}
    [file] = await post.pool.fetch("SELECT * FROM attachments")
    assert post.blobs.path(file["blob"]).read_bytes() == b"%PDF"
    assert await post.pool.fetchval("SELECT state FROM raw_mails") == "read"


async def test_mails_of_the_same_person_make_one_contact_even_in_one_batch(post: PostRoom) -> None:
    for number in range(3):
        await post.drop(write_mail(text=f"Question {number}"), "support@hub.example")
    assert await post.read() == 3
    assert (await post.count("contacts"), await post.count("conversations")) == (1, 3)


async def test_a_known_sender_is_found_by_the_address_and_keeps_the_name(post: PostRoom) -> None:
    ana = await post.contact("Ana Sousa Silva", "ana@client.example")
    message = await post.receive(write_mail("ANA@Client.example"))
    assert message["contact_id"] == ana
    assert await post.pool.fetchval("SELECT name FROM contacts") == "Ana Sousa Silva"


async def test_a_mail_that_comes_by_two_doors_is_one_message(post: PostRoom) -> None:
    raw = write_mail(message_id="1@client.example")
    await post.drop(raw, "support@hub.example")
    await post.drop(b"Received: by another\r\n" + raw, door="imap:support", cursor="INBOX/1/7")
    await post.read()
    assert (await post.count("messages"), await post.count("conversations")) == (1, 1)
    assert len(await post.events("Received")) == 1
    rows = await post.pool.fetch("SELECT state, message_id IS NULL AS lost FROM raw_mails")
    assert [tuple(row) for row in rows] == [("read", False), ("read", False)]


async def test_two_mails_with_the_same_message_id_and_other_words_are_two_messages(post: PostRoom) -> None:
    await post.receive(write_mail(message_id="1@client.example", text="One"))
    await post.receive(write_mail(message_id="1@client.example", text="Two"))
    assert await post.count("messages") == 2


async def test_the_new_words_of_a_mail_in_html_alone_are_found_by_its_own_marks(post: PostRoom) -> None:
    quoted = (
        "<p>Yes please.</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p><b>Xyz:</b> Support<br>"
        "<b>Zyx:</b> Monday</p></div><p>Do you want it?</p>"
    )
    raw = write_mail(text=quoted).replace(b"text/plain", b"text/html")
    message = await post.receive(raw)
    assert message["new_text"] == "Yes please."
    assert "Do you want it?" in message["body"]


async def test_mails_without_a_message_id_are_all_kept(post: PostRoom) -> None:
    await post.receive(write_mail(text="One"))
    await post.receive(write_mail(text="Two"))
    assert await post.count("messages") == 2


async def test_a_mail_goes_to_the_queue_of_the_first_address_in_to_that_has_one(post: PostRoom) -> None:
    sales = await post.queue("Sales", "sales@hub.example")
    await post.queue("Support", "support@hub.example")
    message = await post.receive(
        write_mail(to="boss@client.example, sales@hub.example, support@hub.example"),
        "support@hub.example",
        "sales@hub.example",
    )
    assert (await post.conversation(message["conversation_id"]))["queue_id"] == sales
    assert message["mailbox"] == "sales@hub.example"
    [event] = await post.events("Received")
    assert event["data"]["queue"] == "Sales"


async def test_a_blind_copy_goes_to_the_queue_of_the_envelope(post: PostRoom) -> None:
    sales = await post.queue("Sales", "sales@hub.example")
    message = await post.receive(write_mail(to="somebody@else.example"), "sales@hub.example")
    assert (await post.conversation(message["conversation_id"]))["queue_id"] == sales


async def test_a_large_mail_is_read_from_its_file(post: PostRoom) -> None:
    message = await post.receive(write_mail(text="x" * 200_000), blob=True)
    assert len(message["body"].strip()) == 200_000


async def test_text_that_no_database_takes_is_stored_without_it(post: PostRoom) -> None:
    raw = b"From: a\x00na@client.example\r\nSubject: =?utf-8?q?a=00b?=\r\nMessage-ID: <\x00\xff@x>\r\n\r\na\x00b \xed\xa0\x80"
    await post.receive(raw)
    assert await post.pool.fetchval("SELECT state FROM raw_mails") == "read"


async def test_an_endless_message_id_is_kept_by_its_digest(post: PostRoom) -> None:
    endless = "x" * 700 + "@client.example"
    first = await post.receive(f"Message-ID: <{endless}>\n".encode() + write_mail())
    reply = await post.receive(f"References: <{endless}>\n".encode() + write_mail(text="And?"))
    assert reply["conversation_id"] == first["conversation_id"]


async def test_two_readers_at_once_store_each_mail_once(post: PostRoom, tmp_path: Path) -> None:
    post.reader.settings = ReadingSettings(batch=5)
    for number in range(120):
        await post.drop(write_mail(f"p{number % 7}@client.example", text=f"{number}"), "support@hub.example")
    one = post.reader
    other = Reader(
        post.pool,
        post.blobs,
        ReadingProcess(tmp_path / "blobs", one.settings),
        post.clock,
        one.tokens,
        one.stationery,
        settings=one.settings,
    )

    async def work(reader: Reader) -> int:
        total = 0
        while count := await reader.read_due():
            total += count
        return total

    shares = await asyncio.gather(work(one), work(other))
    await other.close()
    assert sum(shares) == 120
    assert min(shares) > 0
    assert (await post.count("messages"), await post.count("contacts")) == (120, 7)
    assert len(await post.events("Received")) == 120

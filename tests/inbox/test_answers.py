"""Answers: to whom, with what around them, sent in the thread, taken back in time."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Conflict, InvalidInput, NotFound
from domain.tokens import TokenKeys
from inbox.desk.answers import Answer, NewsCameIn, send_answer, undo_answer
from inbox.desk.conversations import assign, close, reopen
from inbox.desk.drafts import DraftFile, load_draft
from inbox.desk.preparation import Agent, prepare_answer, read_mailboxes
from outbox.letters.writing import Stationery
from outbox.settings import OutboxSettings
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.inbox.desk import Support, open_support


@pytest.fixture
async def support(pool: Pool) -> Support:
    """A support team."""
    return await open_support(pool)


@pytest.fixture
def stationery(support: Support, tmp_path: Path) -> Stationery:
    """What writing a letter takes."""
    settings = OutboxSettings(reply_domain="house.example")
    return Stationery(support.clock, TokenKeys({1: b"k" * 32}), settings, BlobStore(tmp_path / "blobs"))


def agent(support: Support) -> Agent:
    """Ada."""
    return Agent(support.ada, "Ada Example", "Europe/Paris")


async def send(
    support: Support, stationery: Stationery, seen: int, text: str = "It left today.", **more: Any
) -> int:
    """Answer Claire."""
    answer = Answer(text=text, to="Claire <claire@dubreuil.example>", seen=seen, **more)
    sent = await send_answer(
        support.desk, support.conversation, agent(support), answer, stationery, undo_seconds=10
    )
    return sent.message_id


async def mail_of(support: Support, message_id: int) -> Any:
    """The letter as it will go out."""
    content = await support.pool.fetchval("SELECT content FROM letters WHERE message_id = $1", message_id)
    return message_from_bytes(content, policy=policy.default)


async def test_an_answer_goes_where_the_mail_wants_it_and_to_whom_it_was_for(support: Support) -> None:
    await support.receive(
        others={
            "to": ("support@house.example", "otto@dubreuil.example"),
            "cc": ("reply+abc@house.example",),
            "reply_to": ("office@dubreuil.example",),
        }
    )
    await support.pool.execute(
        "INSERT INTO conversation_parties (conversation_id, address) VALUES ($1, 'lawyer@x.example')",
        support.conversation,
    )
    prepared = await prepare_answer(support.pool, support.conversation, agent(support))
    assert [one.address for one in prepared.to] == ["office@dubreuil.example"]
    assert [one.address for one in prepared.cc] == ["otto@dubreuil.example", "lawyer@x.example"]
    assert prepared.subject == "Re: My order"
    assert prepared.signature == "Ada Example\nHouse, Lyon"
    assert prepared.quotation.splitlines()[1] == "> Where is my order?"
    assert "Claire Dubreuil wrote:" in prepared.quotation


async def test_an_out_of_office_is_not_what_one_answers(support: Support) -> None:
    question = await support.receive()
    await support.receive("I am away.", automatic="auto-replied")
    prepared = await prepare_answer(support.pool, support.conversation, agent(support))
    assert prepared.message_id == question


async def test_the_author_of_a_forwarded_mail_is_answered_once_they_take_part(support: Support) -> None:
    await support.receive(forwarded={"name": "Otto", "address": "otto@x.example"})
    prepared = await prepare_answer(support.pool, support.conversation, agent(support))
    assert [one.address for one in prepared.to] == ["claire@dubreuil.example"]
    await support.pool.execute(
        "INSERT INTO conversation_parties (conversation_id, address) VALUES ($1, 'otto@x.example')",
        support.conversation,
    )
    prepared = await prepare_answer(support.pool, support.conversation, agent(support))
    assert [one.address for one in prepared.to] == ["otto@x.example"]


async def test_a_conversation_that_we_begin_is_answered_to_whom_it_was_for(
    support: Support, stationery: Stationery
) -> None:
    await support.pool.execute(
        "INSERT INTO conversation_parties (conversation_id, address) VALUES ($1, 'claire@dubreuil.example')",
        support.conversation,
    )
    prepared = await prepare_answer(support.pool, support.conversation, agent(support))
    assert (prepared.message_id, prepared.subject) == (None, "My order")
    assert [one.address for one in prepared.to] == ["claire@dubreuil.example"]
    await send(support, stationery, 0)
    prepared = await prepare_answer(support.pool, support.conversation, agent(support))
    assert [one.address for one in prepared.to] == ["claire@dubreuil.example"]
    with pytest.raises(NotFound):
        await prepare_answer(support.pool, support.conversation, agent(support), message_id=999_999)
    with pytest.raises(NotFound):
        await prepare_answer(support.pool, 999_999, agent(support))


async def test_an_answer_is_a_mail_in_the_same_thread(support: Support, stationery: Stationery) -> None:
    seen = await support.receive(header_id="q2@dubreuil.example", references=("q1@dubreuil.example",))
    number = await send(support, stationery, seen)
    mail = await mail_of(support, number)
    assert mail["In-Reply-To"] == "<q2@dubreuil.example>"
    assert mail["References"].split() == ["<q1@dubreuil.example>", "<q2@dubreuil.example>"]
    assert mail["From"] == "House support <support@house.example>"
    assert mail["Reply-To"].addresses[0].username.startswith("reply+")
    text = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert text.startswith("It left today.\n\n-- \nAda Example\nHouse, Lyon\n\nOn ")
    assert text.rstrip().endswith("> Where is my order?")
    row = await support.row()
    assert (row["state"], row["waiting_since"], row["assignee_id"]) == ("waiting", None, support.ada)
    new = await support.pool.fetchval("SELECT new_text FROM message_contents WHERE message_id = $1", number)
    assert new == "It left today."
    assert await load_draft(support.pool, support.conversation, support.ada) is None


async def test_an_answer_without_quotation_with_a_file_that_closes(
    support: Support, stationery: Stationery
) -> None:
    seen = await support.receive()
    blob = stationery.blobs.put(b"%PDF-")
    file = DraftFile("invoice.pdf", "application/pdf", 5, blob)
    number = await send(
        support, stationery, seen, quote=False, files=(file,), close=True, cc="otto@x.example"
    )
    mail = await mail_of(support, number)
    assert "> Where" not in mail.get_body(("plain",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["invoice.pdf"]
    assert (await support.row())["state"] == "closed"
    assert ("ConversationClosed", {}) in await support.events()
    parties = await support.pool.fetch("SELECT address FROM conversation_parties ORDER BY 1")
    assert [row[0] for row in parties] == ["claire@dubreuil.example", "otto@x.example"]


async def test_nothing_is_sent_while_its_author_has_not_seen_what_came_in(
    support: Support, stationery: Stationery
) -> None:
    seen = await support.receive()
    newer = await support.receive("Never mind, it is here!")
    with pytest.raises(NewsCameIn):
        await send(support, stationery, seen)
    assert await support.pool.fetchval("SELECT count(*) FROM deliveries") == 0
    await send(support, stationery, newer)


async def test_of_two_agents_who_answer_at_once_the_second_is_told(
    support: Support, stationery: Stationery
) -> None:
    seen = await support.receive()
    await send(support, stationery, seen)
    answer = Answer(text="Also me", to="claire@dubreuil.example", seen=seen)
    with pytest.raises(NewsCameIn):
        await send_answer(
            support.bens_desk,
            support.conversation,
            Agent(support.ben, "Ben"),
            answer,
            stationery,
            undo_seconds=10,
        )


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("text", {"text": " \n"}),
        ("to", {"to": ""}),
        ("to", {"to": "claire"}),
        ("cc", {"cc": "a@b.example, no address"}),
        ("to", {"to": "gone@x.example"}),
    ],
)
async def test_what_is_wrong_with_an_answer_is_named(
    support: Support, stationery: Stationery, field: str, changes: dict[str, str]
) -> None:
    seen = await support.receive()
    await support.pool.execute(
        "INSERT INTO suppressions (kind, address, reason, source) VALUES ('mail', 'gone@x.example', 'bounced', 'x')"
    )
    answer = replace(Answer("Hello", "claire@dubreuil.example", seen=seen), **changes)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as raised:
        await send_answer(
            support.desk, support.conversation, agent(support), answer, stationery, undo_seconds=10
        )
    assert raised.value.field == field


async def test_a_queue_without_an_address_sends_nothing(support: Support, stationery: Stationery) -> None:
    seen = await support.receive()
    await support.pool.execute("UPDATE queues SET from_address = NULL")
    with pytest.raises(InvalidInput, match="queue has no address"):
        await send(support, stationery, seen)


async def test_an_answer_that_is_undone_is_a_draft_again_and_the_conversation_as_before(
    support: Support, stationery: Stationery
) -> None:
    seen = await support.receive()
    before = await support.row()
    number = await send(support, stationery, seen, text="Oops")
    draft = await undo_answer(support.desk, support.conversation, number, agent(support))
    assert draft.text == "Oops"
    kept = await load_draft(support.pool, support.conversation, support.ada)
    assert kept == draft
    row = await support.row()
    for name in ("state", "waiting_since", "assignee_id", "closed_at", "last_message_at"):
        assert row[name] == before[name], name
    assert await support.pool.fetchval("SELECT state FROM deliveries") == "cancelled"
    await send(support, stationery, draft.seen, text="Better")


async def test_undoing_changes_nothing_that_others_did_meanwhile(
    support: Support, stationery: Stationery
) -> None:
    seen = await support.receive()
    number = await send(support, stationery, seen)
    await assign(support.bens_desk, support.conversation, support.ben)
    await undo_answer(support.desk, support.conversation, number, agent(support))
    row = await support.row()
    assert (row["state"], row["assignee_id"]) == ("waiting", support.ben)


async def test_it_is_too_late_once_sending_has_begun(support: Support, stationery: Stationery) -> None:
    seen = await support.receive()
    number = await send(support, stationery, seen)
    await support.pool.execute("UPDATE deliveries SET state = 'sending'")
    with pytest.raises(Conflict, match="Too late"):
        await undo_answer(support.desk, support.conversation, number, agent(support))
    assert (await support.row())["state"] == "waiting"


async def test_nobody_takes_back_what_somebody_else_wrote(support: Support, stationery: Stationery) -> None:
    seen = await support.receive()
    number = await send(support, stationery, seen)
    with pytest.raises(NotFound):
        await undo_answer(support.bens_desk, support.conversation, number, Agent(support.ben, "Ben"))


async def test_what_was_taken_back_is_no_answer(support: Support, stationery: Stationery) -> None:
    seen = await support.receive()
    number = await send(support, stationery, seen)
    await undo_answer(support.desk, support.conversation, number, agent(support))
    await close(support.desk, support.conversation)
    await reopen(support.desk, support.conversation)
    assert (await support.row())["waiting_since"] < support.clock.now()


def test_addresses_are_read_as_people_write_them() -> None:
    found = read_mailboxes('Zoé <zoe@a.example>; b@c.example, "Doe, John" <j@d.example>\n', "to")
    assert [(one.name, one.address) for one in found] == [
        ("Zoé", "zoe@a.example"),
        ("", "b@c.example"),
        ("Doe, John", "j@d.example"),
    ]
    with pytest.raises(InvalidInput, match="more than"):
        read_mailboxes(",".join(f"a{n}@b.example" for n in range(51)), "to")

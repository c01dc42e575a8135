"""Answers by SMS: to the number that wrote, from the number it wrote to, undone like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from domain.errors import InvalidInput
from inbox.desk.answers import NewsCameIn, undo_answer
from inbox.desk.drafts import DraftFile
from inbox.desk.files import AnswerFiles
from inbox.desk.preparation import Agent
from inbox.texts.answers import SmsAnswer, TextPost, prepare_sms_answer, send_sms_answer, weigh
from inbox.texts.starting import start_sms
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.inbox.desk import NOW, Support, open_support

Post = Callable[..., TextPost]
OURS = "+33700000001"
CLAIRE = "+33612345678"


@pytest.fixture
async def support(pool: Pool) -> Support:
    return await open_support(pool)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    uploads, blobs = AnswerFiles(tmp_path / "uploads"), BlobStore(tmp_path / "blobs")
    return lambda seconds=5: TextPost(uploads, blobs, seconds)


async def text_in(support: Support, sender: str = CLAIRE) -> int:
    number: int = await support.pool.fetchval(
        "INSERT INTO messages (direction, channel, contact_id, conversation_id, created_at)"
        " VALUES ('in', 'sms', $1, $2, $3) RETURNING id",
        support.contact, support.conversation, NOW,
    )  # fmt: skip
    await support.pool.execute(
        "INSERT INTO sms_facts (message_id, provider_id, status, ours, theirs) VALUES ($1, $2, 'received', $3, $4)",
        number, f"SM{number}", OURS, sender,
    )  # fmt: skip
    return number


async def test_an_answer_goes_back_to_the_number_that_wrote(support: Support, post: Post) -> None:
    seen = await text_in(support)
    sent = await send_sms_answer(
        support.desk,
        support.conversation,
        Agent(support.ada, "Ada"),
        SmsAnswer("At ten.", seen=seen),
        post(),
    )
    row = await support.pool.fetchrow(
        "SELECT d.channel, d.address, d.contact_id, l.sender, l.content, d.not_before, m.conversation_id"
        " FROM deliveries d JOIN letters l USING (message_id) JOIN messages m ON m.id = d.message_id"
        " WHERE d.message_id = $1",
        sent.message_id,
    )
    assert row is not None
    assert dict(row) == {
        "channel": "sms",
        "address": CLAIRE,
        "contact_id": support.contact,
        "sender": OURS,
        "content": b"At ten.",
        "not_before": sent.undo_until,
        "conversation_id": support.conversation,
    }
    conversation = await support.row()
    assert (conversation["state"], conversation["assignee_id"]) == ("waiting", support.ada)


async def test_it_is_undone_like_any_answer(support: Support, post: Post) -> None:
    seen = await text_in(support)
    before = await support.row()
    agent = Agent(support.ada, "Ada")
    sent = await send_sms_answer(
        support.desk, support.conversation, agent, SmsAnswer("At ten.", seen=seen), post(60)
    )
    draft = await undo_answer(support.desk, support.conversation, sent.message_id, agent)
    assert draft.text == "At ten."
    after = await support.row()
    assert (after["state"], after["waiting_since"]) == (before["state"], before["waiting_since"])
    assert await support.pool.fetchval("SELECT state FROM deliveries") == "cancelled"


async def test_what_came_in_meanwhile_is_read_first(support: Support, post: Post) -> None:
    seen = await text_in(support)
    await text_in(support)
    with pytest.raises(NewsCameIn):
        await send_sms_answer(
            support.desk,
            support.conversation,
            Agent(support.ada, "Ada"),
            SmsAnswer("Hm", seen=seen),
            post(),
        )
    assert await support.pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_nobody_who_said_stop_is_answered(support: Support, post: Post) -> None:
    seen = await text_in(support)
    await support.pool.execute(
        "INSERT INTO suppressions (kind, address, reason, source) VALUES ('phone', $1, 'opted_out', 'STOP')",
        CLAIRE,
    )
    with pytest.raises(InvalidInput, match="STOP"):
        await send_sms_answer(
            support.desk,
            support.conversation,
            Agent(support.ada, "Ada"),
            SmsAnswer("But", seen=seen),
            post(),
        )
    assert await support.pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_without_a_number_it_asks_for_one(support: Support, post: Post) -> None:
    prepared = await prepare_sms_answer(support.pool, support.conversation)
    assert (prepared.to, prepared.sender) == ("", "")
    with pytest.raises(InvalidInput) as refused:
        await send_sms_answer(
            support.desk,
            support.conversation,
            Agent(support.ada, "Ada"),
            SmsAnswer("Hello", seen=10**9),
            post(),
        )
    assert refused.value.field == "to"


async def test_its_files_go_with_it_and_come_back_when_it_is_undone(support: Support, post: Post) -> None:
    seen, agent, place = await text_in(support), Agent(support.ada, "Ada"), post(60)
    file = DraftFile("gate.png", "image/png", 5, place.uploads.put(b"gate!"))
    sent = await send_sms_answer(
        support.desk, support.conversation, agent, SmsAnswer("", files=(file,), seen=seen), place
    )
    row = await support.pool.fetchrow(
        "SELECT name, media_type, size, blob FROM attachments WHERE message_id = $1", sent.message_id
    )
    assert row is not None
    assert (row["name"], row["media_type"], row["size"]) == ("gate.png", "image/png", 5)
    assert place.blobs.path(row["blob"]).read_bytes() == b"gate!"
    draft = await undo_answer(support.desk, support.conversation, sent.message_id, agent)
    assert (draft.files, draft.channel) == ((file,), "sms")


async def test_a_first_message_begins_a_talk_of_the_senders_queue(support: Support, post: Post) -> None:
    pool, agent = support.pool, Agent(support.ada, "Ada")
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        support.contact,
        CLAIRE,
    )
    queue = await pool.fetchval("INSERT INTO queues (name) VALUES ('Texts') RETURNING id")
    await pool.execute("INSERT INTO queue_addresses VALUES ($1, $2)", OURS, queue)
    started = await start_sms(
        support.desk, agent, support.contact, SmsAnswer("Hello", sender=OURS), post(), default_queue="Inbox"
    )
    row = await pool.fetchrow(
        "SELECT contact_id, queue_id, channel, state, assignee_id FROM conversations WHERE id = $1",
        started.conversation_id,
    )
    assert row is not None
    assert tuple(row) == (support.contact, queue, "sms", "waiting", support.ada)
    assert await pool.fetchval("SELECT address FROM deliveries") == CLAIRE
    elsewhere = await start_sms(
        support.desk, agent, support.contact, SmsAnswer("Hello", sender="SHOP"), post(), default_queue="Inbox"
    )
    queue = await pool.fetchval(
        "SELECT q.name FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = $1",
        elsewhere.conversation_id,
    )
    assert queue == "Inbox"


async def test_a_first_message_that_cannot_be_sent_begins_nothing(support: Support, post: Post) -> None:
    agent = Agent(support.ada, "Ada")
    before = await support.pool.fetchval("SELECT count(*) FROM conversations")
    for answer, field in (
        (SmsAnswer("Hello", sender=OURS), "to"),
        (SmsAnswer("Hello", to=CLAIRE), "sender"),
        (SmsAnswer("", to=CLAIRE, sender=OURS), "text"),
        (SmsAnswer("Hello", to="+33142685300", sender=OURS), "to"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await start_sms(support.desk, agent, support.contact, answer, post(), default_queue="Inbox")
        assert refused.value.field == field
    assert await support.pool.fetchval("SELECT count(*) FROM conversations") == before


def test_a_text_is_weighed_as_it_stands_and_with_lookalikes_replaced() -> None:
    weighed = weigh("It’s " + "x" * 100)
    assert (weighed.segments.segments, weighed.replaced_segments.segments) == (2, 1)
    assert weighed.replaced.replacements[0].sign == "’"


@pytest.mark.parametrize(("theirs", "to"), [(CLAIRE, CLAIRE), ("+33199000001", "")])
async def test_whoever_only_called_is_written_to_at_their_mobile(
    support: Support, theirs: str, to: str
) -> None:
    message = await support.pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('in', 'voice', $1) RETURNING id",
        support.conversation,
    )
    await support.pool.execute(
        "INSERT INTO calls (message_id, state, result, ours, theirs, placed_at)"
        " VALUES ($1, 'ended', 'missed', '+33639980020', $2, now())",
        message,
        theirs,
    )
    prepared = await prepare_sms_answer(support.pool, support.conversation)
    assert (prepared.to, prepared.sender) == (to, "+33639980020" if to else "")

"""Answers by SMS: to the number that wrote, from the number it wrote to, undone like any other."""

from __future__ import annotations

import pytest

from domain.errors import InvalidInput
from inbox.desk.answers import NewsCameIn, undo_answer
from inbox.desk.preparation import Agent
from inbox.texts.answers import SmsAnswer, prepare_sms_answer, send_sms_answer, weigh
from storage.pool import Pool
from tests.inbox.desk import NOW, Support, open_support

OURS = "+33700000001"
CLAIRE = "+33612345678"


@pytest.fixture
async def support(pool: Pool) -> Support:
    return await open_support(pool)


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


async def test_an_answer_goes_back_to_the_number_that_wrote(support: Support) -> None:
    seen = await text_in(support)
    sent = await send_sms_answer(
        support.desk,
        support.conversation,
        Agent(support.ada, "Ada"),
        SmsAnswer("At ten.", seen=seen),
        undo_seconds=5,
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


async def test_it_is_undone_like_any_answer(support: Support) -> None:
    seen = await text_in(support)
    before = await support.row()
    agent = Agent(support.ada, "Ada")
    sent = await send_sms_answer(
        support.desk, support.conversation, agent, SmsAnswer("At ten.", seen=seen), undo_seconds=60
    )
    draft = await undo_answer(support.desk, support.conversation, sent.message_id, agent)
    assert draft.text == "At ten."
    after = await support.row()
    assert (after["state"], after["waiting_since"]) == (before["state"], before["waiting_since"])
    assert await support.pool.fetchval("SELECT state FROM deliveries") == "cancelled"


async def test_what_came_in_meanwhile_is_read_first(support: Support) -> None:
    seen = await text_in(support)
    await text_in(support)
    with pytest.raises(NewsCameIn):
        await send_sms_answer(
            support.desk,
            support.conversation,
            Agent(support.ada, "Ada"),
            SmsAnswer("Hm", seen=seen),
            undo_seconds=5,
        )
    assert await support.pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_nobody_who_said_stop_is_answered(support: Support) -> None:
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
            undo_seconds=5,
        )
    assert await support.pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_without_a_number_it_asks_for_one(support: Support) -> None:
    prepared = await prepare_sms_answer(support.pool, support.conversation)
    assert (prepared.to, prepared.sender) == ("", "")
    with pytest.raises(InvalidInput) as refused:
        await send_sms_answer(
            support.desk,
            support.conversation,
            Agent(support.ada, "Ada"),
            SmsAnswer("Hello", seen=10**9),
            undo_seconds=5,
        )
    assert refused.value.field == "to"


def test_a_text_is_weighed_as_it_stands_and_with_lookalikes_replaced() -> None:
    weighed = weigh("It’s " + "x" * 100)
    assert (weighed.segments.segments, weighed.replaced_segments.segments) == (2, 1)
    assert weighed.replaced.replacements[0].sign == "’"

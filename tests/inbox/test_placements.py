"""A message that may belong to another conversation waits for a person, who decides once."""

from __future__ import annotations

import pytest

from domain.errors import Conflict, NotFound
from inbox.desk.conversations import close, note
from inbox.desk.placements import decide_placement
from storage.pool import Pool
from tests.inbox.desk import Support, open_support


@pytest.fixture
async def support(pool: Pool) -> Support:
    """A support team."""
    return await open_support(pool)


async def ask(support: Support, *, own: bool = True) -> tuple[int, int | None]:
    """A mail of a stranger that refers to the conversation; gives it and the conversation it has for the moment."""
    await support.receive()
    apart: int | None = await support.pool.fetchval(
        "INSERT INTO conversations (subject, queue_id) VALUES ('Re: My order', $1) RETURNING id",
        support.queue,
    )
    message = await support.receive(conversation=apart, sender="otto@stranger.example", name="Otto")
    if not own:
        await support.pool.execute("UPDATE messages SET conversation_id = NULL WHERE id = $1", message)
        await support.pool.execute("DELETE FROM conversations WHERE id = $1", apart)
        apart = None
    await support.pool.execute(
        "INSERT INTO placements (message_id, conversation_id, reason) VALUES ($1, $2, 'sender_unknown')",
        message,
        support.conversation,
    )
    return message, apart


async def test_a_message_joins_with_its_sender_and_opens_the_conversation(support: Support) -> None:
    message, apart = await ask(support)
    await close(support.desk, support.conversation)
    placed = await decide_placement(support.desk, message, True)
    assert placed.conversation_id == support.conversation
    row = await support.row()
    assert (row["state"], row["closed_at"]) == ("open", None)
    assert row["waiting_since"] is not None
    parties = await support.pool.fetch(
        "SELECT address FROM conversation_parties WHERE conversation_id = $1 ORDER BY 1", support.conversation
    )
    assert [row[0] for row in parties] == ["claire@dubreuil.example", "otto@stranger.example"]
    assert await support.row(apart) is None  # nothing is left of it
    kind, data = (await support.events())[-1]
    assert (kind, data) == ("Placed", {"joined": True, "from": apart, "to": support.conversation})


async def test_a_conversation_with_a_note_is_not_swept_away(support: Support) -> None:
    message, apart = await ask(support)
    assert apart is not None
    await note(support.desk, apart, "Who is this?")
    await decide_placement(support.desk, message, True)
    assert await support.row(apart) is not None


async def test_a_message_is_kept_apart_where_it_is(support: Support) -> None:
    message, apart = await ask(support)
    placed = await decide_placement(support.desk, message, False)
    assert placed.conversation_id == apart
    assert await support.pool.fetchval("SELECT joined FROM placements") is False


async def test_a_message_outside_of_all_conversations_begins_one(support: Support) -> None:
    message, _none = await ask(support, own=False)
    placed = await decide_placement(support.desk, message, False)
    assert placed.conversation_id != support.conversation
    row = await support.row(placed.conversation_id)
    assert (row["subject"], row["queue_id"], row["state"]) == ("My order", support.queue, "open")


async def test_it_is_decided_once(support: Support) -> None:
    message, _apart = await ask(support)
    await decide_placement(support.desk, message, False)
    with pytest.raises(Conflict):
        await decide_placement(support.bens_desk, message, True)
    with pytest.raises(NotFound):
        await decide_placement(support.desk, 999_999, True)

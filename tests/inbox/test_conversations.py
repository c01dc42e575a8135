"""Moves of conversations: who wins, what the spine tells, who takes part."""

from __future__ import annotations

import asyncio

import pytest

from domain.conversations import (
    ConversationMove,
    ConversationMover,
    ConversationState,
    next_conversation_state,
)
from domain.errors import Conflict, InvalidInput, NotFound
from inbox.desk.conversations import (
    add_party,
    assign,
    close,
    judge_junk,
    move_to_queue,
    note,
    remove_party,
    reopen,
    wait,
)
from storage.pool import Pool
from tests.inbox.desk import Support, open_support


@pytest.fixture
async def support(pool: Pool) -> Support:
    """A support team."""
    return await open_support(pool)


def test_a_contact_cannot_close_and_a_rule_cannot_judge() -> None:
    for mover, move in (
        (ConversationMover.CONTACT, ConversationMove.CLOSE),
        (ConversationMover.RULE, ConversationMove.JUNK),
    ):
        with pytest.raises(Conflict):
            next_conversation_state(ConversationState.OPEN, move, mover)


def test_a_closed_conversation_opens_when_the_contact_writes() -> None:
    state = next_conversation_state(
        ConversationState.CLOSED, ConversationMove.RECEIVE, ConversationMover.CONTACT
    )
    assert state is ConversationState.OPEN


async def test_assigning_is_told(support: Support) -> None:
    await assign(support.desk, support.conversation, support.ben)
    row = await support.row()
    assert (row["assignee_id"], row["version"]) == (support.ben, 2)
    assert await support.events() == [("ConversationAssigned", {"old": None, "new": support.ben})]


async def test_of_two_agents_who_take_the_same_conversation_one_wins(support: Support) -> None:
    results = await asyncio.gather(
        assign(support.desk, support.conversation, support.ada, version=1),
        assign(support.bens_desk, support.conversation, support.ben, version=1),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(Conflict) == 1
    assert len(await support.events()) == 1


async def test_nobody_is_assigned_who_does_not_work_here(support: Support) -> None:
    with pytest.raises(InvalidInput):
        await assign(support.desk, support.conversation, 999_999)
    with pytest.raises(NotFound):
        await assign(support.desk, 999_999, support.ada)


async def test_a_conversation_in_another_queue_waits_for_somebody_there(support: Support) -> None:
    await assign(support.desk, support.conversation, support.ada)
    await move_to_queue(support.desk, support.conversation, support.sales)
    row = await support.row()
    assert (row["queue_id"], row["assignee_id"]) == (support.sales, None)
    with pytest.raises(InvalidInput):
        await move_to_queue(support.desk, support.conversation, 999_999)


async def test_what_is_closed_and_opened_again_waits_since_the_unanswered_mail(support: Support) -> None:
    await support.receive()
    await close(support.desk, support.conversation)
    row = await support.row()
    assert (row["state"], row["waiting_since"], row["closed_at"]) == ("closed", None, support.clock.now())
    with pytest.raises(Conflict):
        await close(support.desk, support.conversation)
    await reopen(support.desk, support.conversation)
    row = await support.row()
    assert (row["state"], row["closed_at"]) == ("open", None)
    assert row["waiting_since"] < support.clock.now()
    assert [kind for kind, _data in await support.events()] == ["ConversationClosed", "ConversationReopened"]


async def test_junk_is_closed_and_comes_back_when_it_is_none(support: Support) -> None:
    await support.receive()
    await judge_junk(support.desk, support.conversation, True)
    assert (await support.row())["junk"]
    await judge_junk(support.desk, support.conversation, False)
    row = await support.row()
    assert (row["junk"], row["state"]) == (False, "open")
    assert [data["junk"] for _kind, data in await support.events()] == [True, False]


async def test_a_note_is_an_event_whose_words_lie_apart(support: Support) -> None:
    number = await note(support.desk, support.conversation, "  Ask the warehouse.\0 ")
    assert await support.events() == [("Noted", {"kind": "note"})]
    body = await support.pool.fetchval("SELECT body FROM event_texts WHERE event_id = $1", number)
    assert body == "Ask the warehouse."
    for words in ("", " \n", "x" * 20_001):
        with pytest.raises(InvalidInput):
            await note(support.desk, support.conversation, words)


async def test_a_participant_is_added_with_their_contact_and_removed_again(support: Support) -> None:
    await add_party(support.desk, support.conversation, " Claire@Dubreuil.example ")
    rows = await support.pool.fetch("SELECT address, contact_id FROM conversation_parties")
    assert [tuple(row) for row in rows] == [("claire@dubreuil.example", support.contact)]
    await remove_party(support.desk, support.conversation, "claire@dubreuil.example")
    with pytest.raises(NotFound):
        await remove_party(support.desk, support.conversation, "claire@dubreuil.example")
    with pytest.raises(InvalidInput):
        await add_party(support.desk, support.conversation, "no address")


async def test_a_conversation_waits_for_the_contact_because_a_person_says_so(support: Support) -> None:
    await wait(support.desk, support.conversation)
    row = await support.row()
    assert (row["state"], row["waiting_since"]) == ("waiting", None)
    assert (await support.events())[-1][0] == "ConversationParked"
    with pytest.raises(Conflict):
        await wait(support.desk, support.conversation)
    await reopen(support.desk, support.conversation)
    assert (await support.row())["state"] == "open"

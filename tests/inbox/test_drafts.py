"""Drafts: kept for their writer, a warning to the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import InvalidInput
from inbox.desk.drafts import (
    Draft,
    DraftFile,
    drop_draft,
    list_writers,
    load_draft,
    load_sent_draft,
    save_draft,
    store_draft,
)
from storage.pool import Pool
from tests.inbox.desk import Support, open_support

DRAFT = Draft(
    "Dear Claire", to="claire@dubreuil.example", files=(DraftFile("a.pdf", "application/pdf", 3, "0" * 64),)
)


@pytest.fixture
async def support(pool: Pool) -> Support:
    """A support team."""
    return await open_support(pool)


async def test_a_draft_is_its_writer_s_and_comes_back_as_it_was(support: Support) -> None:
    await save_draft(support.pool, None, support.conversation, support.ada, DRAFT)
    assert await load_draft(support.pool, support.conversation, support.ada) == DRAFT
    assert await load_draft(support.pool, support.conversation, support.ben) is None


async def test_the_others_see_who_is_writing_until_a_minute_after_the_last_touch(support: Support) -> None:
    await save_draft(support.pool, None, support.conversation, support.ada, DRAFT)
    writers = await list_writers(support.pool, support.conversation, support.ben)
    assert [writer.name for writer in writers] == ["Ada Example"]
    assert await list_writers(support.pool, support.conversation, support.ada) == []
    await support.pool.execute("UPDATE conversation_drafts SET touched_at = now() - interval '61 seconds'")
    assert await list_writers(support.pool, support.conversation, support.ben) == []


async def test_an_empty_draft_is_none(support: Support) -> None:
    await save_draft(support.pool, None, support.conversation, support.ada, DRAFT)
    await save_draft(support.pool, None, support.conversation, support.ada, Draft(" \n"))
    assert await support.pool.fetchval("SELECT count(*) FROM conversation_drafts") == 0


async def test_what_was_sent_is_no_draft_and_no_warning_but_can_be_taken_back(support: Support) -> None:
    await store_draft(support.pool, support.conversation, support.ada, replace(DRAFT, sent=7))
    assert await load_draft(support.pool, support.conversation, support.ada) is None
    assert await list_writers(support.pool, support.conversation, support.ben) == []
    assert await load_sent_draft(support.pool, support.conversation, support.ada, 8) is None
    kept = await load_sent_draft(support.pool, support.conversation, support.ada, 7)
    assert kept is not None
    assert kept.text == "Dear Claire"


async def test_a_draft_is_thrown_away(support: Support) -> None:
    await save_draft(support.pool, None, support.conversation, support.ada, DRAFT)
    await drop_draft(support.pool, support.conversation, support.ada)
    assert await load_draft(support.pool, support.conversation, support.ada) is None


async def test_a_text_without_end_is_refused_and_no_conversation_takes_no_draft(support: Support) -> None:
    with pytest.raises(InvalidInput):
        await save_draft(support.pool, None, support.conversation, support.ada, Draft("x" * 200_001))
    await save_draft(support.pool, None, 999_999, support.ada, DRAFT)
    assert await support.pool.fetchval("SELECT count(*) FROM conversation_drafts") == 0


async def test_what_was_typed_last_is_no_draft_again_once_it_was_sent(support: Support) -> None:
    where = (support.conversation, support.ada)
    await store_draft(support.pool, *where, Draft("It left today.", sent=7))
    await save_draft(
        support.pool, None, *where, Draft("It left today.")
    )  # it was on its way when Send was pressed
    assert await load_draft(support.pool, *where) is None
    await save_draft(support.pool, None, *where, Draft("And another thing"))
    kept = await load_draft(support.pool, *where)
    assert kept is not None
    assert kept.text == "And another thing"

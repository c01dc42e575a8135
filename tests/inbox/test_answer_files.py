"""Files that are uploaded for an answer: each its own, swept when no unsent draft names it."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import NotFound
from inbox.desk.drafts import Draft, DraftFile, store_draft
from inbox.desk.files import UNCLAIMED, AnswerFiles, sweep_answer_files
from storage.pool import Pool
from tests.inbox.desk import open_support


def age(files: AnswerFiles, name: str) -> None:
    """Let it have been uploaded the day before yesterday."""
    long_ago = time.time() - 2 * UNCLAIMED
    os.utime(files.path(name), (long_ago, long_ago))


def test_the_same_bytes_twice_are_two_files(tmp_path: Path) -> None:
    files = AnswerFiles(tmp_path / "answers")
    one, two = files.put(b"plan"), files.put(b"plan")
    assert one != two
    assert files.path(one).read_bytes() == b"plan"
    for odd in ("", "../x", "/etc/passwd", one.upper() + "G", one[:-1]):
        with pytest.raises(NotFound):
            files.path(odd)


async def test_what_no_draft_needs_goes_after_a_day(pool: Pool, tmp_path: Path) -> None:
    support = await open_support(pool)
    files = AnswerFiles(tmp_path / "answers")
    kept, sent, dropped, fresh = (files.put(word.encode()) for word in ("kept", "sent", "dropped", "fresh"))
    for name in (kept, sent, dropped):
        age(files, name)
    (tmp_path / "answers" / "notes.txt").write_text("somebody else's")
    os.utime(tmp_path / "answers" / "notes.txt", (0, 0))
    draft = Draft("Here", files=(DraftFile("a", "text/plain", 4, kept),))
    await store_draft(pool, support.conversation, support.ada, draft)
    gone = replace(draft, files=(DraftFile("b", "text/plain", 4, sent),), sent=7)
    await store_draft(pool, support.conversation, support.ben, gone)
    await sweep_answer_files(pool, tmp_path / "answers")
    assert {path.name for path in (tmp_path / "answers").iterdir()} == {kept, fresh, "notes.txt"}
    await sweep_answer_files(pool, tmp_path / "nowhere")

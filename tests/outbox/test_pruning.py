"""What is forgotten: bytes of letters that went out long ago, never of one that may be sent again, and old attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.mail.parsed import Mailbox
from outbox.journal import journal
from outbox.letters.letter import LetterFile
from outbox.pruning import forget_attempts, forget_letters, prune
from storage.pool import Pool
from tests.outbox.post import make_stationery, post
from tests.outbox.stock import BRISK

BIG = LetterFile("big.bin", "application/octet-stream", bytes(200_000))


async def settle(pool: Pool, message_id: int, state: str, days: int) -> None:
    """A letter that was written and settled so many days ago."""
    await pool.execute(
        "UPDATE deliveries SET state = $2, settled_at = now() - make_interval(days => $3) WHERE message_id = $1",
        message_id,
        state,
        days,
    )
    await pool.execute("UPDATE letters SET created_at = now() - interval '200 days'")


async def kept(pool: Pool) -> set[int]:
    rows = await pool.fetch("SELECT message_id FROM letters WHERE content IS NOT NULL OR blob IS NOT NULL")
    return {row["message_id"] for row in rows}


async def test_letters_of_long_ago_lose_their_bytes_and_keep_what_they_said(
    pool: Pool, tmp_path: Path
) -> None:
    stationery = make_stationery(tmp_path)
    small = await post(pool, stationery)
    large = await post(pool, stationery, attachments=(BIG,))
    blob = await pool.fetchval("SELECT blob FROM letters WHERE message_id = $1", large)
    for message_id in (small, large):
        await settle(pool, message_id, "sent", 91)
    assert not await prune(pool, stationery.blobs, BRISK.model_copy(update={"letters_kept": 90}))
    assert await kept(pool) == set()
    assert not (tmp_path / "blobs" / blob[:2] / blob).exists()
    assert await pool.fetchval("SELECT count(*) FROM message_contents WHERE body LIKE 'Hello Ada%'") == 2
    file = await pool.fetchval("SELECT blob FROM attachments WHERE message_id = $1", large)
    assert stationery.blobs.path(file).read_bytes() == BIG.content


@pytest.mark.parametrize(
    ("state", "days"),
    [("uncertain", 100), ("queued", 100), ("deferred", 100), ("sending", 100), ("sent", 89)],
)
async def test_what_may_be_sent_again_or_was_sent_lately_is_kept(
    pool: Pool, tmp_path: Path, state: str, days: int
) -> None:
    stationery = make_stationery(tmp_path)
    message_id = await post(pool, stationery)
    await settle(pool, message_id, state, days)
    assert await forget_letters(pool, stationery.blobs, 90) == 0
    assert await kept(pool) == {message_id}


async def test_a_letter_is_kept_for_its_copies(pool: Pool, tmp_path: Path) -> None:
    stationery = make_stationery(tmp_path)
    message_id = await post(pool, stationery, bcc=(Mailbox("", "eve@example.net"),))
    await settle(pool, message_id, "sent", 100)
    assert await forget_letters(pool, stationery.blobs, 90) == 0
    copy = await pool.fetchval("SELECT message_id FROM letters WHERE copy_of = $1", message_id)
    await settle(pool, copy, "rejected", 100)
    assert await forget_letters(pool, stationery.blobs, 90) == 1


async def test_a_file_that_something_else_has_stays(pool: Pool, tmp_path: Path) -> None:
    stationery = make_stationery(tmp_path)
    message_id = await post(pool, stationery, attachments=(BIG,))
    blob = await pool.fetchval("SELECT blob FROM letters WHERE message_id = $1", message_id)
    await pool.execute("UPDATE attachments SET blob = $1", blob)  # somebody returned it, byte for byte
    await settle(pool, message_id, "sent", 100)
    assert await forget_letters(pool, stationery.blobs, 90) == 1
    assert stationery.blobs.path(blob).is_file()


async def attempts(pool: Pool, message_id: int, days: int) -> None:
    """Two attempts of so many days ago that were put off."""
    await pool.execute(
        "INSERT INTO delivery_attempts (message_id, attempt, state, settled_at)"
        " SELECT $1, n, 'deferred', now() - make_interval(days => $2) FROM generate_series(1, 2) AS n",
        message_id,
        days,
    )


async def test_attempts_of_long_ago_are_forgotten_and_how_it_ended_stays(pool: Pool, tmp_path: Path) -> None:
    message_id = await post(pool, make_stationery(tmp_path))
    await attempts(pool, message_id, 366)
    await pool.execute("UPDATE deliveries SET attempt = 3")
    await settle(pool, message_id, "sent", 366)
    assert not await prune(pool, None, BRISK)
    assert [(one.number, one.state.value) for one in await journal(pool, message_id)] == [(3, "sent")]


@pytest.mark.parametrize(
    ("state", "days"), [("sent", 364), ("deferred", 400), ("uncertain", 400), ("sending", 400)]
)
async def test_late_attempts_and_those_of_what_is_under_way_are_kept(
    pool: Pool, tmp_path: Path, state: str, days: int
) -> None:
    message_id = await post(pool, make_stationery(tmp_path))
    await attempts(pool, message_id, days)
    await settle(pool, message_id, state, days)
    assert await forget_attempts(pool, 365) == 0


async def test_attempts_of_a_message_that_is_gone_are_forgotten(pool: Pool) -> None:
    await attempts(pool, 4711, 400)
    assert await forget_attempts(pool, 365) == 2

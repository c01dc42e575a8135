"""What is forgotten of arrived mail: the bytes of what was read long ago, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import NotFound
from inbox.arrival import quarantine
from inbox.arrival.pruning import forget_bytes, prune
from inbox.arrival.settings import IntakeSettings
from storage.pool import Pool
from tests.inbox.post import PostRoom, open_post_room, write_mail

BIG = bytes(range(256)) * 800


async def age(post: PostRoom, days: int) -> None:
    """As if everything had been settled so many days ago."""
    await post.pool.execute("UPDATE raw_mails SET settled_at = now() - make_interval(days => $1)", days)


async def kept(pool: Pool) -> set[int]:
    rows = await pool.fetch("SELECT id FROM raw_mails WHERE content IS NOT NULL OR blob IS NOT NULL")
    return {row["id"] for row in rows}


async def test_bytes_of_mails_read_long_ago_are_forgotten_and_what_they_said_stays(
    pool: Pool, tmp_path: Path
) -> None:
    async with open_post_room(pool, tmp_path) as post:
        await post.receive(write_mail(subject="small"))
        await post.receive(write_mail(subject="large", files=[("big.bin", BIG)]), blob=True)
        blob = await pool.fetchval("SELECT blob FROM raw_mails WHERE blob IS NOT NULL")
        await age(post, 31)
        assert not await prune(pool, post.blobs, IntakeSettings(bytes_kept=30))
        assert await kept(pool) == set()
        assert not (tmp_path / "blobs" / blob[:2] / blob).exists()
        assert await pool.fetchval("SELECT count(*) FROM message_contents WHERE body LIKE 'Where is%'") == 2
        file = await pool.fetchval("SELECT blob FROM attachments")
        assert post.blobs.path(file).read_bytes() == BIG
        number = await pool.fetchval("SELECT min(id) FROM raw_mails")
        with pytest.raises(NotFound, match="forgotten"):
            await quarantine.load_bytes(pool, post.blobs, number)


async def test_what_was_read_lately_or_not_at_all_keeps_its_bytes(pool: Pool, tmp_path: Path) -> None:
    async with open_post_room(pool, tmp_path) as post:
        numbers = {
            state: await post.drop(write_mail(subject=state), "support@hub.example")
            for state in ("stored", "quarantined", "discarded", "read")
        }
        for state, number in numbers.items():
            await pool.execute("UPDATE raw_mails SET state = $2 WHERE id = $1", number, state)
        await age(post, 29)
        assert await forget_bytes(pool, post.blobs, 30) == 0
        await age(post, 31)
        assert await forget_bytes(pool, post.blobs, 30) == 1
        assert await kept(pool) == set(numbers.values()) - {numbers["read"]}


async def test_nothing_is_forgotten_when_the_settings_say_so(pool: Pool, tmp_path: Path) -> None:
    async with open_post_room(pool, tmp_path) as post:
        await post.receive(write_mail())
        await age(post, 10_000)
        assert not await prune(pool, post.blobs, IntakeSettings(bytes_kept=0))
        assert len(await kept(pool)) == 1


async def test_a_mail_whose_bytes_were_forgotten_is_known_when_it_comes_again(
    pool: Pool, tmp_path: Path
) -> None:
    async with open_post_room(pool, tmp_path) as post:
        mail = write_mail(message_id="once@client.example")
        await post.receive(mail)
        await age(post, 31)
        await forget_bytes(pool, post.blobs, 30)
        await post.receive(mail)
        assert await post.count("messages") == 1


async def test_a_file_that_something_else_has_stays(pool: Pool, tmp_path: Path) -> None:
    async with open_post_room(pool, tmp_path) as post:
        mail = write_mail(subject="forwarded later")
        await post.receive(mail, blob=True)
        await post.receive(write_mail(subject="Fwd", files=[("mail.eml", mail)]))
        await age(post, 31)
        assert await forget_bytes(pool, post.blobs, 30) == 2
        file = await pool.fetchval("SELECT blob FROM attachments")
        assert post.blobs.path(file).read_bytes() == mail

"""The intake: what it took is committed, once, whatever the bytes are and whoever hands them in again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from channels.base import Received
from domain.errors import Unavailable
from inbox.arrival.intake import Intake
from inbox.arrival.settings import IntakeSettings
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool, open_pool
from tests.tracking.wire import lay_wire

HASTY = IntakeSettings(patience=1.0)


@asynccontextmanager
async def open_intake(
    pool: Pool, folder: Path, settings: IntakeSettings | None = None
) -> AsyncIterator[Intake]:
    announcer = Announcer(pool)
    intake = Intake(pool, BlobStore(folder / "blobs"), announcer, settings)
    yield intake
    await intake.close()
    await announcer.close()


def mail(text: bytes = b"Subject: hello\r\n\r\nHello\r\n", *to: str, cursor: str = "") -> Received:
    return Received(text, "a@example.org", to or ("help@example.com",), "smtp", cursor, {"peer": "192.0.2.1"})


async def fetch_row(pool: Pool, query: str) -> asyncpg.Record:
    (row,) = await pool.fetch(query)
    return row


async def test_a_mail_is_there_when_it_was_taken(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake:
        taken = await intake.take(mail())
    row = await fetch_row(pool, "SELECT * FROM raw_mails")
    assert taken == (row["id"], True)
    assert row["content"] == mail().raw
    assert row["content_hash"] == hashlib.sha256(mail().raw).digest()
    assert (row["size"], row["sender"], row["state"], row["blob"]) == (
        len(mail().raw),
        "a@example.org",
        "stored",
        None,
    )
    arrival = await fetch_row(pool, "SELECT * FROM arrivals")
    assert (arrival["raw_id"], arrival["door"], arrival["recipients"]) == (
        row["id"],
        "smtp",
        ["help@example.com"],
    )
    assert arrival["meta"] == {"peer": "192.0.2.1"}


async def test_a_mail_handed_in_again_is_the_same_mail(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake:
        first = await intake.take(mail())
        again = await intake.take(mail())
    assert (first.new, again.new) == (True, False)
    assert first.raw_id == again.raw_id
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 1
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 1


async def test_the_same_bytes_for_others_are_another_arrival(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake:
        await intake.take(mail(b"x", "a@example.com"))
        await intake.take(mail(b"x", "b@example.com"))
        await intake.take(mail(b"x", "B@example.com"))
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 1
    recipients = await pool.fetch("SELECT recipients FROM arrivals ORDER BY id")
    assert [row[0] for row in recipients] == [["a@example.com"], ["b@example.com"]]


async def test_mails_without_message_id_are_told_apart_by_their_bytes(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake:
        for text in (b"", b"\r\n", b"no headers at all", b"Subject: a\r\n\r\n", b"Subject: b\r\n\r\n"):
            assert (await intake.take(mail(text))).new
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 5


async def test_a_cursor_is_taken_once_even_when_its_server_writes_the_mail_anew(
    pool: Pool, tmp_path: Path
) -> None:
    async with open_intake(pool, tmp_path) as intake:
        first = await intake.take(mail(b"one", cursor="INBOX/7/1"))
        assert await intake.take(mail(b"one, written anew", cursor="INBOX/7/1")) == (first.raw_id, False)
        assert await intake.take(mail(b"one", cursor="INBOX/8/1")) == (first.raw_id, False)
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 1
    assert await pool.fetchval("SELECT array_agg(cursor ORDER BY id) FROM arrivals") == [
        "INBOX/7/1",
        "INBOX/8/1",
    ]


async def test_cursors_of_any_length_are_told_apart(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake:
        for number in (1, 2, 1):
            await intake.take(mail(b"%d" % number, cursor="é" * 5000 + str(number)))
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 2


async def test_any_bytes_and_any_words_are_taken(pool: Pool, tmp_path: Path) -> None:
    raw = bytes(range(256)) * 4
    received = Received(
        raw, "a\0\ud800@b", ("x\n\0@y", "é@ü.example"), "smtp", "", {"helo": "\0\udcff", "tls": "é"}
    )
    async with open_intake(pool, tmp_path) as intake:
        await intake.take(received)
    assert await pool.fetchval("SELECT content FROM raw_mails") == raw
    assert await pool.fetchval("SELECT sender FROM raw_mails") == "a?@b"
    assert await pool.fetchval("SELECT recipients FROM arrivals") == ["x @y", "é@ü.example"]
    assert await pool.fetchval("SELECT meta FROM arrivals") == {"helo": "?", "tls": "é"}


async def test_a_large_mail_becomes_a_file_before_its_row(pool: Pool, tmp_path: Path) -> None:
    raw = b"Subject: large\r\n\r\n" + b"x" * 2_000_000
    async with open_intake(pool, tmp_path) as intake:
        await intake.take(mail(raw))
        assert not (await intake.take(mail(raw))).new
    row = await fetch_row(pool, "SELECT content, blob, size FROM raw_mails")
    assert row["content"] is None
    assert row["size"] == len(raw)
    assert BlobStore(tmp_path / "blobs").path(row["blob"]).read_bytes() == raw


async def test_mails_that_come_together_are_committed_together(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake:
        taken = await asyncio.gather(
            *(intake.take(mail(b"%d" % (number % 40), f"{number}@example.com")) for number in range(120))
        )
    assert sum(one.new for one in taken) == 40
    assert len({one.raw_id for one in taken}) == 40
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 120
    assert await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM arrivals") < 6
    rows = await pool.fetch("SELECT content FROM raw_mails ORDER BY id")
    assert [int(row[0]) for row in rows] == list(range(40))  # in the order of arrival


async def test_processes_that_take_the_same_mails_agree(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as one, open_intake(pool, tmp_path) as other:
        numbers = list(range(200))
        results = await asyncio.gather(
            *(one.take(mail(b"%d" % number)) for number in numbers),
            *(other.take(mail(b"%d" % number)) for number in reversed(numbers)),
        )
    assert sum(result.new for result in results) == 200
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 200
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 200


async def test_one_mail_that_cannot_be_written_does_not_stop_its_neighbours(
    pool: Pool, tmp_path: Path
) -> None:
    await pool.execute("ALTER TABLE raw_mails ADD CONSTRAINT poison CHECK (sender <> 'poison')")
    async with open_intake(pool, tmp_path) as intake:
        mails = [mail(b"%d" % number) for number in range(9)]
        mails.insert(4, Received(b"bad", "poison", ("help@example.com",), "smtp"))
        results = await asyncio.gather(*map(intake.take, mails), return_exceptions=True)
    assert [type(result) for result in results].count(Unavailable) == 1
    assert isinstance(results[4], Unavailable)
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 9


async def test_without_the_database_it_says_so_soon_and_takes_again_when_it_is_back(
    database_url: str, tmp_path: Path
) -> None:
    async with lay_wire(database_url) as wire:
        pool = await open_pool(wire.url, max_size=2)
        async with open_intake(pool, tmp_path, HASTY) as intake:
            await intake.take(mail(b"before"))
            await wire.break_down()
            for _ in range(2):
                async with asyncio.timeout(2):
                    with pytest.raises(Unavailable, match="again later"):
                        await intake.take(mail(b"while it is away"))
            wire.mend()
            assert (await intake.take(mail(b"while it is away"))).new
        assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 2
        pool.terminate()


async def test_a_commit_of_unknown_fate_is_refused_and_found_at_the_next_attempt(
    database_url: str, tmp_path: Path
) -> None:
    async with lay_wire(database_url) as wire:
        pool = await open_pool(wire.url, max_size=1)
        async with open_intake(pool, tmp_path, HASTY) as intake:
            await intake.take(mail(b"before"))
            await asyncio.sleep(0.2)  # until it was announced; the one connection knows the statement now
            wire.deaf = True
            with pytest.raises(Unavailable):
                await intake.take(mail(b"committed, but nobody heard of it"))
            wire.mend()
            wire.cut()
            again = await intake.take(mail(b"committed, but nobody heard of it"))
            assert not again.new
        assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 2
        assert await pool.fetchval("SELECT count(*) FROM arrivals") == 2
        pool.terminate()


async def test_a_full_disk_is_a_refusal(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_intake(pool, tmp_path, IntakeSettings(blob_from=10)) as intake:

        def fail(self: BlobStore, content: bytes) -> str:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(BlobStore, "put", fail)
        with pytest.raises(Unavailable):
            await intake.take(mail(b"x" * 100))
    assert await pool.fetchval("SELECT count(*) FROM raw_mails") == 0


async def test_closing_tells_those_who_wait(pool: Pool, tmp_path: Path) -> None:
    async with open_intake(pool, tmp_path) as intake, pool.acquire() as lock, lock.transaction():
        await lock.execute("LOCK TABLE raw_mails")
        waiting = asyncio.create_task(intake.take(mail()))
        await asyncio.sleep(0.2)
        await intake.close()
        with pytest.raises(Unavailable):
            await waiting

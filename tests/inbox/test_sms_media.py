"""Pictures of short messages: fetched later, again when the provider is away, never without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from channels.mail.junk.scanners import ask_clamav
from channels.twilio.media import Media
from domain.errors import InvalidInput, NotFound, Unavailable
from inbox.texts.media import MediaFetcher
from storage.pool import Pool
from tests.inbox.texts import Phones, open_phones

PICTURE = {"NumMedia": "1", "MediaUrl0": "https://x.example/0", "MediaContentType0": "image/jpeg"}


@pytest.fixture
async def phones(pool: Pool, tmp_path: Path) -> AsyncIterator[Phones]:
    async with open_phones(pool, tmp_path) as opened:
        yield opened


def _fetcher(
    phones: Phones, *answers: Media | Exception, scan: Callable[[bytes], Awaitable[str]] | None = None
) -> MediaFetcher:
    script = list(answers)

    async def fetch(url: str) -> Media:
        assert url == PICTURE["MediaUrl0"]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return MediaFetcher(phones.pool, phones.blobs, fetch, scan=scan)


@asynccontextmanager
async def clamd(virus: bytes) -> AsyncIterator[Callable[[bytes], Awaitable[str]]]:
    """Something that speaks clamd's protocol and finds one virus; gives what asks it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"zINSTREAM\0")
        seen = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            seen += await reader.readexactly(size)
        writer.write(b"stream: Clytie.Test FOUND\0" if virus in seen else b"stream: OK\0")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield partial(ask_clamav, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=5)


async def _due_now(phones: Phones) -> None:
    await phones.pool.execute("UPDATE sms_media SET fetch_at = now() WHERE fetch_at IS NOT NULL")


async def test_a_picture_becomes_an_attachment(phones: Phones) -> None:
    message = await phones.write("Look", **PICTURE)
    assert (await phones.told(message["id"]))[0][1]["attachments"] == 1
    fetcher = _fetcher(phones, Media("image/jpeg", b"JPEG"))
    assert [await fetcher.fetch_due(), await fetcher.fetch_due()] == [1, 0]
    row = await phones.pool.fetchrow("SELECT * FROM attachments")
    assert row is not None
    assert (row["message_id"], row["name"], row["media_type"], row["size"]) == (
        message["id"],
        "MMS-1.jpg",
        "image/jpeg",
        4,
    )
    assert phones.blobs.path(row["blob"]).read_bytes() == b"JPEG"
    assert await phones.pool.fetchval("SELECT count(*) FROM sms_media") == 0


@pytest.mark.parametrize("trouble", [NotFound("not yet"), Unavailable("away")])
async def test_a_picture_that_is_not_there_yet_is_fetched_later(phones: Phones, trouble: Exception) -> None:
    await phones.write("Look", **PICTURE)
    fetcher = _fetcher(phones, trouble, Media("image/png", b"PNG"))
    assert [await fetcher.fetch_due(), await fetcher.fetch_due()] == [1, 0]
    await _due_now(phones)
    assert await fetcher.fetch_due() == 1
    assert await phones.pool.fetchval("SELECT name FROM attachments") == "MMS-1.png"


async def test_fetching_ends_one_day_and_says_why(phones: Phones) -> None:
    await phones.write("Look", **PICTURE)
    fetcher = _fetcher(phones, NotFound("the provider does not have this file"))
    tried = 0
    while await fetcher.fetch_due():
        tried += 1
        await _due_now(phones)
    assert tried == 10
    row = await phones.pool.fetchrow("SELECT fetch_at, trouble FROM sms_media")
    assert row is not None
    assert tuple(row) == (None, "the provider does not have this file")


async def test_a_file_elsewhere_is_not_fetched_again(phones: Phones) -> None:
    await phones.write("Look", **PICTURE)
    fetcher = _fetcher(phones, InvalidInput("media", "the file is not at the provider."))
    assert await fetcher.fetch_due() == 1
    await _due_now(phones)
    assert await fetcher.fetch_due() == 0


async def test_a_file_with_a_virus_is_kept_nowhere_and_handed_out_to_nobody(
    phones: Phones, tmp_path: Path
) -> None:
    await phones.write("Look", **PICTURE)
    async with clamd(b"EVIL") as scan:
        assert await _fetcher(phones, Media("image/png", b"PNG EVIL"), scan=scan).fetch_due() == 1
    assert await phones.pool.fetchval("SELECT count(*) FROM attachments") == 0
    kept = [path.read_bytes() for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert not any(b"EVIL" in content for content in kept)
    row = await phones.pool.fetchrow("SELECT fetch_at, trouble FROM sms_media")
    assert row is not None
    assert tuple(row) == (None, "virus: Clytie.Test")


async def test_a_file_without_one_is_handed_out_after_it_was_looked_at(phones: Phones) -> None:
    await phones.write("Look", **PICTURE)
    async with clamd(b"EVIL") as scan:
        await _fetcher(phones, Media("image/png", b"PNG"), scan=scan).fetch_due()
    assert await phones.pool.fetchval("SELECT name FROM attachments") == "MMS-1.png"


async def test_while_the_scanner_is_away_a_file_waits_for_it(phones: Phones) -> None:
    await phones.write("Look", **PICTURE)
    async with clamd(b"EVIL") as scan:
        pass  # it went away
    fetcher = _fetcher(phones, Media("image/png", b"PNG"), scan=scan)
    assert await fetcher.fetch_due() == 1
    assert await phones.pool.fetchval("SELECT count(*) FROM attachments") == 0
    row = await phones.pool.fetchrow("SELECT fetch_at > now() AS waits, trouble FROM sms_media")
    assert row is not None
    assert row["waits"]
    assert row["trouble"].startswith("not scanned: ")
    async with clamd(b"EVIL") as scan:
        await _due_now(phones)
        await _fetcher(phones, Media("image/png", b"PNG"), scan=scan).fetch_due()
    assert await phones.pool.fetchval("SELECT count(*) FROM attachments") == 1

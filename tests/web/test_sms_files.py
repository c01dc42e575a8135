"""Files of short messages that go out: fetched by whoever has the address, while it lives, and by nobody else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from channels.sms.content import read_text
from domain.clock import SystemClock
from domain.errors import InvalidInput
from domain.tokens import TokenUse
from outbox.letters.letter import LetterFile, LetterKind
from outbox.texts.composing import SmsLetterComposer
from outbox.texts.files import LIFE, FileAddresses, read_address
from outbox.texts.letters import LARGEST_FILES, SmsLetter, write_sms
from storage.blobs import BlobStore
from storage.pool import Pool, transaction
from tests.web.sms_provider import KEYS, PUBLIC, Caller, open_caller

OURS, ANNA = "+33700000001", "+33612345678"
BASE = f"{PUBLIC}/callbacks/sms/files"
PICTURE = LetterFile("plan d’accès.png", "image/png", b"\x89PNG plan")
PAGE = LetterFile("x.html", "text/html", b"<script>alert(1)</script>")


@pytest.fixture
async def caller(pool: Pool, tmp_path: Path) -> AsyncIterator[Caller]:
    async with open_caller(pool, tmp_path) as opened:
        yield opened


async def write(pool: Pool, folder: Path, *files: LetterFile, text: str = "") -> int:
    letter = SmsLetter(LetterKind.ANSWER, OURS, ANNA, text, files=files, media=("https://x.example/1.png",))
    async with transaction(pool) as connection:
        return await write_sms(connection, letter, SystemClock(), BlobStore(folder / "blobs"))


async def compose(pool: Pool, message_id: int, base: str = BASE) -> Any:
    row = await pool.fetchrow(
        """SELECT d.message_id, d.attempt, d.claim, d.contact_id, d.address AS email, l.sender, l.content, l.options
           FROM deliveries d JOIN letters l USING (message_id) WHERE message_id = $1""",
        message_id,
    )
    (claimed,) = SmsLetterComposer(KEYS, base).compose([row], SystemClock().now())
    return claimed


async def fetch(caller: Caller, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    async with caller.session.request(method, caller.url + path) as answer:
        return (
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            await answer.read(),
        )


async def test_the_provider_is_told_an_address_that_opens_each_file(caller: Caller, tmp_path: Path) -> None:
    message_id = await write(caller.pool, tmp_path, PICTURE, PAGE)
    claimed = await compose(caller.pool, message_id)
    text = read_text(claimed.message)
    assert text.media[0] == "https://x.example/1.png"
    assert all(address.startswith(BASE) for address in text.media[1:])
    picture, page = (urlsplit(address).path for address in text.media[1:])
    status, headers, content = await fetch(caller, picture)
    assert (status, content, headers["content-type"]) == (200, PICTURE.content, "image/png")
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "no-store" in headers["cache-control"]
    status, headers, content = await fetch(caller, page)
    assert (status, content) == (200, PAGE.content)
    assert headers["content-disposition"].startswith("attachment;")
    status, _, content = await fetch(caller, picture, "HEAD")
    assert (status, content) == (200, b"")


async def test_nobody_without_the_token_gets_anything(caller: Caller, tmp_path: Path) -> None:
    message_id = await write(caller.pool, tmp_path, PICTURE)
    (address,) = FileAddresses(KEYS, "/callbacks/sms/files").make(message_id, 1)
    assert (await fetch(caller, address))[0] == 200
    (over,) = FileAddresses(KEYS, "/callbacks/sms/files").make(message_id, 1, time.time() - LIFE - 2)
    far = int(time.time()) + 1000
    forged = address.replace(address.split("/")[-2], address.split("/")[-2][::-1])
    other_use = f"/callbacks/sms/files/{KEYS.sign(TokenUse.CALLBACK, far, message_id)}/1"
    nobody = f"/callbacks/sms/files/{KEYS.sign(TokenUse.FILES, far)}/1"
    for path in (
        over,
        forged,
        other_use,
        nobody,
        address[:-1] + "2",
        address[:-1] + "01x",
        address[:-1] + "²",
    ):
        assert (await fetch(caller, path))[0] == 404, path


async def test_a_token_opens_no_file_of_a_message_that_came_in_or_went_by_mail(caller: Caller) -> None:
    for direction, channel in (("in", "sms"), ("out", "mail")):
        number = await caller.pool.fetchval(
            "INSERT INTO messages (direction, channel) VALUES ($1, $2) RETURNING id", direction, channel
        )
        await caller.pool.execute(
            """INSERT INTO attachments (message_id, no, name, media_type, size, blob)
               VALUES ($1, 1, 'x', 'text/plain', 1, repeat('a', 64))""",
            number,
        )
        (address,) = FileAddresses(KEYS, "/callbacks/sms/files").make(number, 1)
        assert (await fetch(caller, address))[0] == 404


def test_an_address_lives_as_long_as_a_message_may_wait_and_no_longer() -> None:
    (address,) = FileAddresses(KEYS, "").make(7, 1, now=1000.0)
    token = address.split("/")[1]
    assert read_address(KEYS, token, 1000.0 + 36_000) == 7
    assert read_address(KEYS, token, 1000.0 + LIFE + 1) is None


async def test_where_the_provider_cannot_reach_us_a_message_with_files_is_refused(
    caller: Caller, tmp_path: Path
) -> None:
    message_id = await write(caller.pool, tmp_path, PICTURE)
    assert (await compose(caller.pool, message_id, "")).refusal == "media_unreadable"


@pytest.mark.parametrize(
    ("files", "field"),
    [
        ((LetterFile("a", "image/png", b""),), "files[0]"),
        ((LetterFile("a", "image/png", b"x" * (LARGEST_FILES + 1)),), "files"),
        (tuple([PICTURE] * 10), "files"),
    ],
)
async def test_what_no_message_takes_is_refused_before_it_is_written(
    pool: Pool, tmp_path: Path, files: tuple[LetterFile, ...], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await write(pool, tmp_path, *files)
    assert refused.value.field == field
    assert await pool.fetchval("SELECT count(*) FROM messages") == 0

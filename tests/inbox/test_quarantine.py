"""What cannot be read goes to the quarantine, and never keeps another mail from being read."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain.errors import Conflict, NotFound, Unavailable
from inbox.arrival import quarantine
from inbox.mails.process import Enveloped, Problem, ReadingProcess
from inbox.mails.reading import Reader
from inbox.mails.understanding import Understood
from inbox.reading_settings import ReadingSettings
from storage.pool import Pool
from tests.inbox.post import PostRoom, open_post_room, write_mail

#: takes the place of the reading; what it does to a mail stands in the mail
POISONED = """
import os, signal, sys, time
import inbox.mails.process as process
import inbox.mails.understanding as understanding
real = understanding.understand
def understand(raw, *rest):
    if b"die now" in raw:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"hang now" in raw:
        while True:
            pass
    if b"wait a bit" in raw:
        time.sleep(0.2)
    if b"sleep now" in raw:
        time.sleep(600)
    if b"fill the disk" in raw:
        raise OSError(28, "No space left on device")
    if b"break now" in raw:
        raise KeyError("a part that is not there")
    if b"eat now" in raw:
        return [bytearray(1 << 32) for _ in range(100)]
    return real(raw, *rest)
process.understand = understand
sys.argv[0] = "inbox.mails.process"
process.main(sys.argv[1])
"""


class PoisonedProcess(ReadingProcess):
    """The reading process with a reading that can be made to fail."""

    command: Sequence[str] = (sys.executable, "-c", POISONED)


def poisoned(post: PostRoom, folder: Path, settings: ReadingSettings) -> None:
    post.reader.process = PoisonedProcess(folder / "blobs", settings)
    post.reader.settings = settings


BRISK = ReadingSettings(seconds=1, lease=2, retry_after=0.05, megabytes=1024)


async def read_until_settled(post: PostRoom) -> None:
    for _ in range(200):
        await post.read()
        if not await post.pool.fetchval("SELECT count(*) FROM raw_mails WHERE state = 'stored'"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("mails are still waiting")


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ("die now", "The process that read it ended"),
        ("hang now", "took longer than 1 s"),
        ("sleep now", "took longer than 1 s"),
        ("break now", "KeyError"),
        ("eat now", "memory"),
    ],
)
async def test_a_poisonous_mail_ends_in_quarantine_and_the_others_are_read(
    pool: Pool, tmp_path: Path, poison: str, reason: str
) -> None:
    async with open_post_room(pool, tmp_path, BRISK) as post:
        poisoned(post, tmp_path, BRISK)
        for number in range(6):
            text = poison if number == 2 else f"Question {number}"
            await post.drop(write_mail(text=text), "support@hub.example")
        await read_until_settled(post)
        [bad] = await quarantine.list_quarantine(pool)
        assert reason in bad.reason
        assert (bad.recipients, bad.doors) == (["support@hub.example"], ["smtp"])
        assert await post.count("messages") == 5


async def test_a_mail_in_quarantine_is_read_again_when_a_person_asks(pool: Pool, tmp_path: Path) -> None:
    async with open_post_room(pool, tmp_path, BRISK) as post:
        whole = post.reader.process
        poisoned(post, tmp_path, BRISK)
        number = await post.drop(write_mail(text="break now"), "support@hub.example")
        await post.read()
        assert await quarantine.count_quarantine(pool) == 1
        assert b"break now" in await quarantine.load_bytes(pool, post.blobs, number)
        await post.reader.close()
        post.reader.process = whole
        await quarantine.read_again(pool, number)
        await post.read()
        assert await post.count("messages") == 1
        assert await quarantine.count_quarantine(pool) == 0
        with pytest.raises(Conflict):
            await quarantine.read_again(pool, number)


async def test_a_discarded_mail_is_no_longer_listed_and_its_bytes_are_kept(
    pool: Pool, tmp_path: Path
) -> None:
    async with open_post_room(pool, tmp_path, BRISK) as post:
        poisoned(post, tmp_path, BRISK)
        number = await post.drop(write_mail(text="break now"), "support@hub.example")
        await post.read()
        await quarantine.discard(pool, number)
        assert await quarantine.list_quarantine(pool) == []
        assert (await quarantine.find_quarantined(pool, number)).discarded
        assert b"break now" in await quarantine.load_bytes(pool, post.blobs, number)
        assert await quarantine.read_all_again(pool) == 0
        with pytest.raises(NotFound):
            await quarantine.discard(pool, number + 1)


async def test_a_mail_that_cannot_be_stored_does_not_keep_its_batch_out(post: PostRoom) -> None:
    post.reader.settings = BRISK
    await post.pool.execute(
        "ALTER TABLE message_contents ADD CONSTRAINT no_dragons CHECK (subject NOT LIKE '%dragon%') NOT VALID"
    )
    await post.drop(write_mail(subject="Hello"), "support@hub.example")
    await post.drop(write_mail(subject="Here be dragons"), "support@hub.example")
    await post.drop(write_mail(subject="Bye"), "support@hub.example")
    await read_until_settled(post)
    [bad] = await quarantine.list_quarantine(post.pool)
    assert "no_dragons" in bad.reason
    assert await post.count("messages") == 2
    assert await post.count("conversations") == 2
    assert len(await post.events("Received")) == 2


async def test_a_mail_whose_file_is_gone_is_told_as_such(post: PostRoom) -> None:
    post.reader.settings = BRISK
    number = await post.drop(write_mail(), "support@hub.example", blob=True)
    [row] = await post.pool.fetch("SELECT blob FROM raw_mails WHERE id = $1", number)
    post.blobs.path(row["blob"]).unlink()
    await read_until_settled(post)
    [bad] = await quarantine.list_quarantine(post.pool)
    assert bad.reason == "The file with its bytes is gone."


async def test_answers_stay_in_order_when_the_process_dies_in_the_middle(tmp_path: Path) -> None:
    process = PoisonedProcess(tmp_path / "blobs", BRISK)
    (tmp_path / "blobs").mkdir()
    texts = ["one", "die now", "two", "break now", "three"]
    answers = await process.understand(
        [Enveloped(write_mail(text=text), "ana@client.example", ()) for text in texts]
    )
    assert [type(answer) for answer in answers] == [Understood, Problem, Understood, Problem, Understood]
    assert [one.new_text for one in answers if isinstance(one, Understood)] == ["one", "two", "three"]
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    [answer] = await process.understand([Enveloped(write_mail(text="four"), None, ())])
    assert isinstance(answer, Understood | Problem)
    await process.close()


async def test_a_database_that_goes_away_takes_no_attempt_from_a_mail(
    post: PostRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await post.drop(write_mail(text=f"Question {number}"), "support@hub.example")
    whole = Reader._store_all

    async def cut(*_: object) -> None:
        raise ConnectionResetError("the database went away")

    for _ in range(4):
        monkeypatch.setattr(Reader, "_store_all", cut)
        with pytest.raises(ConnectionResetError):
            await post.reader.read_due()
    monkeypatch.setattr(Reader, "_store_all", whole)
    await post.read()
    assert await post.pool.fetchval("SELECT array_agg(DISTINCT attempts) FROM raw_mails") == [1]
    assert await post.count("messages") == 3


async def test_a_mail_that_takes_long_leaves_the_others_to_the_next_turn(tmp_path: Path) -> None:
    process = PoisonedProcess(tmp_path / "blobs", ReadingSettings(seconds=20))
    (tmp_path / "blobs").mkdir()
    mails = [Enveloped(write_mail(text=f"wait a bit {number}"), None, ()) for number in range(20)]
    answers = await process.understand(mails, patience=0.5)
    assert 1 <= len(answers) < 20
    [again] = await process.understand(mails[:1])
    assert isinstance(again, Understood)
    assert again.new_text == "wait a bit 0"
    await process.close()


async def test_a_full_disk_is_no_mails_fault(pool: Pool, tmp_path: Path) -> None:
    async with open_post_room(pool, tmp_path, BRISK) as post:
        whole = post.reader.process
        poisoned(post, tmp_path, BRISK)
        for text in ("one", "fill the disk", "two"):
            await post.drop(write_mail(text=text), "support@hub.example")
        for _ in range(4):
            with pytest.raises(Unavailable, match="No space left"):
                await post.reader.read_due()
        await post.reader.process.close()
        post.reader.process = whole
        await post.read()
        assert await post.count("messages") == 3
        assert await quarantine.list_quarantine(pool) == []


async def test_a_process_that_cannot_start_is_no_mails_fault(post: PostRoom, tmp_path: Path) -> None:
    class Missing(ReadingProcess):
        command = (sys.executable, "-c", "raise SystemExit(1)")

    whole, post.reader.process = post.reader.process, Missing(tmp_path / "blobs", BRISK)
    await post.drop(write_mail(), "support@hub.example")
    for _ in range(4):
        with pytest.raises(Unavailable):
            await post.reader.read_due()
    post.reader.process = whole
    await post.read()
    assert await post.count("messages") == 1


async def test_a_reader_that_is_told_to_stop_leaves_its_mails_to_the_next_at_once(
    pool: Pool, tmp_path: Path
) -> None:
    async with open_post_room(pool, tmp_path, ReadingSettings()) as post:
        poisoned(post, tmp_path, ReadingSettings())
        await post.drop(write_mail(text="sleep now"), "support@hub.example")
        reading = asyncio.create_task(post.reader.read_due())
        for _ in range(200):
            await asyncio.sleep(0.02)
            if await pool.fetchval("SELECT attempts FROM raw_mails"):
                break
        await asyncio.sleep(0.3)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert await pool.fetchval("SELECT attempts FROM raw_mails") == 0

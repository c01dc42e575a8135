"""Taking in mail from files: every kind of file, none twice, nothing lost by an interruption."""

from __future__ import annotations

import asyncio
import io
import mailbox
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from domain.errors import InvalidInput, Unavailable
from inbox.arrival import ingest as ingesting
from inbox.arrival.ingest import IngestReport, ingest
from inbox.arrival.intake import Intake
from inbox.arrival.mail_files import Found, MailFiles, open_mail_files
from inbox.arrival.settings import IntakeSettings
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool, open_pool
from tests.tracking.wire import lay_wire

LIMIT = 1_000_000
FROM = b"From a@b.example Thu Jan  1 00:00:00 1970\n"


@asynccontextmanager
async def open_intake(pool: Pool, folder: Path, patience: float = 5.0) -> AsyncIterator[Intake]:
    announcer = Announcer(pool)
    intake = Intake(pool, BlobStore(folder / "blobs"), announcer, IntakeSettings(patience=patience))
    yield intake
    await intake.close()
    await announcer.close()


async def show_nothing(done: int, total: int | None) -> None:
    pass


async def run(
    pool: Pool, folder: Path, path: str | Path, stdin: bytes = b"", **options: object
) -> IngestReport:
    async with open_intake(pool, folder) as intake:
        files = open_mail_files(str(path), io.BytesIO(stdin), LIMIT)
        return await ingest(pool, intake, files, show_nothing, meta={"direction": "out"} if options else None)


def mail(number: int) -> bytes:
    return b"Return-Path: <s%d@b.example>\nDelivered-To: x@example.com\nSubject: %d\n\nbody\n" % (
        number,
        number,
    )


def box(*numbers: int) -> bytes:
    return b"".join(FROM + mail(number) + b"\n" for number in numbers)


async def subjects(pool: Pool) -> list[int]:
    rows = await pool.fetch("SELECT content FROM raw_mails ORDER BY id")
    return sorted(int(row[0].split(b"Subject: ")[1].split(b"\n")[0]) for row in rows)


async def test_an_mbox_is_taken_in_once(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(box(*range(250)))
    report = await run(pool, tmp_path, file)
    assert (report.new, report.again, report.problems) == (250, 0, [])
    report = await run(pool, tmp_path, file)
    assert (report.new, report.again) == (0, 250)
    assert await subjects(pool) == list(range(250))
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 250
    (row,) = await pool.fetch(
        "SELECT door, recipients, meta, sender FROM arrivals JOIN raw_mails r ON r.id = raw_id ORDER BY arrivals.id LIMIT 1"
    )
    assert (row["door"], row["recipients"], row["sender"]) == ("file", ["x@example.com"], "s0@b.example")
    assert row["meta"]["place"] == f"{file}, at byte 0"
    assert row["meta"]["from_line"] == FROM.decode().strip()


async def test_an_mbox_that_grew_gives_what_is_new(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(box(1, 2))
    await run(pool, tmp_path, file)
    with file.open("ab") as opened:
        opened.write(box(3))
    report = await run(pool, tmp_path, file)
    assert (report.new, report.again) == (1, 2)


async def test_an_mbox_that_was_rewritten_loses_nothing(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(box(1, 2, 3))
    await run(pool, tmp_path, file)
    file.write_bytes(box(4, 2, 5))  # other mails of the same size at the same places
    report = await run(pool, tmp_path, file)
    assert (report.new, report.again) == (2, 1)
    assert await subjects(pool) == [1, 2, 3, 4, 5]


async def test_a_stream_is_taken_in(pool: Pool, tmp_path: Path) -> None:
    report = await run(pool, tmp_path, "-", box(1, 2))
    assert report.new == 2
    report = await run(pool, tmp_path, "-", box(1, 2, 3))
    assert (report.new, report.again) == (1, 2)
    assert (await run(pool, tmp_path, "-", mail(4))).new == 1


async def test_a_maildir_with_its_folders_is_taken_in_whatever_their_flags(
    pool: Pool, tmp_path: Path
) -> None:
    place = tmp_path / "Maildir"
    maildir = mailbox.Maildir(str(place))
    keys = [maildir.add(mail(number)) for number in (1, 2)]
    maildir.add_folder("Sent").add(mail(3))
    report = await run(pool, tmp_path, place)
    assert (report.new, report.again) == (3, 0)
    message = maildir[keys[0]]
    message.set_subdir("cur")
    message.add_flag("S")
    maildir[keys[0]] = message  # moves from new to cur, and has flags now
    report = await run(pool, tmp_path, place)
    assert (report.new, report.again) == (0, 3)
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 3


async def test_a_maildir_in_use_changes_while_it_is_read(pool: Pool, tmp_path: Path) -> None:
    place = tmp_path / "Maildir"
    maildir = mailbox.Maildir(str(place))
    keys = [maildir.add(mail(number)) for number in range(3)]
    files = open_mail_files(str(place), io.BytesIO(), LIMIT)
    for key, flags in ((keys[0], "S"), (keys[1], "")):
        old = place / "new" / key
        if flags:
            old.rename(place / "cur" / f"{key}:2,{flags}")
        else:
            old.unlink()
    async with open_intake(pool, tmp_path) as intake:
        report = await ingest(pool, intake, files, show_nothing)
    assert (report.new, report.problems) == (2, [])
    assert await subjects(pool) == [0, 2]


async def test_single_mails_and_folders_of_them_are_taken_in(pool: Pool, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    (folder / "deeper").mkdir(parents=True)
    (folder / "1.eml").write_bytes(mail(1))
    (folder / "deeper" / "2.eml").write_bytes(mail(2))
    (folder / "deeper" / "3.EML").write_bytes(mail(3))
    (folder / "notes.txt").write_bytes(b"no mail")
    assert (await run(pool, tmp_path, folder / "1.eml")).new == 1
    report = await run(pool, tmp_path, folder)
    assert (report.new, report.again) == (2, 1)


async def test_what_we_sent_is_marked(pool: Pool, tmp_path: Path) -> None:
    await run(pool, tmp_path, "-", mail(1), sent=True)
    assert await pool.fetchval("SELECT meta->>'direction' FROM arrivals") == "out"


async def test_what_cannot_be_taken_is_named_and_the_rest_comes(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "box"
    big = FROM + b"Subject: big\n\n" + b"x" * (LIMIT * 2) + b"\n\n"
    file.write_bytes(box(1) + big + box(2))
    report = await run(pool, tmp_path, file)
    assert report.new == 2
    assert report.problems == [
        (f"{file}, at byte {len(box(1))}", "is larger than 1,000,000 bytes; a higher --limit takes it in")
    ]
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "a.eml").write_bytes(b"")
    (folder / "b.eml").symlink_to(folder)
    (folder / "c.eml").write_bytes(mail(3))
    report = await run(pool, tmp_path, folder)
    assert report.new == 1
    assert [(os.path.basename(place), problem) for place, problem in report.problems] == [
        ("a.eml", "is empty"),
        ("b.eml", "cannot be read (Is a directory)"),
    ]


async def test_paths_that_lead_nowhere_are_clear_errors(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing", "No such file"), (tmp_path, "neither a Maildir")):
        with pytest.raises(InvalidInput, match=words):
            open_mail_files(str(path), io.BytesIO(), LIMIT)


async def test_an_interrupted_run_goes_on_and_takes_nothing_twice(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(box(*range(1000)))
    async with open_intake(pool, tmp_path) as intake:
        done: list[int] = []

        async def show(bytes_done: int, total: int | None) -> None:
            done.append(bytes_done)

        files = open_mail_files(str(file), io.BytesIO(), LIMIT)
        task = asyncio.create_task(ingest(pool, intake, files, show))
        while len(done) < 3:  # noqa: ASYNC110 - another task changes it
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert 300 <= await pool.fetchval("SELECT count(*) FROM raw_mails") < 1000
    await run(pool, tmp_path, file)
    assert await subjects(pool) == list(range(1000))
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 1000


async def test_it_waits_for_the_database_and_then_says_where_it_stopped(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingesting, "_PAUSE", 0.1)
    async with lay_wire(database_url) as wire:
        pool = await open_pool(wire.url, max_size=3)
        async with open_intake(pool, tmp_path, patience=0.3) as intake:
            files = MailFiles(iter([Found("box, at byte 0", "box/0", 10, mail(1))]), None)
            await wire.break_down()
            task = asyncio.create_task(ingest(pool, intake, files, show_nothing))
            await asyncio.sleep(0.5)
            wire.mend()
            assert (await task).new == 1
            await wire.break_down()
            monkeypatch.setattr(ingesting, "_ATTEMPTS", 2)
            files = MailFiles(iter([Found("box, at byte 7", "box/7", 10, mail(2))]), None)
            with pytest.raises(Unavailable, match=r"Stopped at box, at byte 7; run the same command again"):
                await ingest(pool, intake, files, show_nothing)
        pool.terminate()

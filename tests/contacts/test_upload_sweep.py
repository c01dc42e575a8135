"""Uploaded lists go when their import is over; files of other people stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from contacts.importing import cancel_import, create_import, run_import
from contacts.upload_sweep import UNCLAIMED, sweep_uploads
from storage.pool import Pool


def upload(folder: Path, letter: str, text: str = "email\na@b.example\n") -> Path:
    path = folder / f"{letter * 32}.csv"
    path.write_text(text)
    return path


async def test_an_upload_goes_when_its_import_is_done(pool: Pool, tmp_path: Path) -> None:
    path = upload(tmp_path, "a")
    number = await create_import(pool, "list.csv", path)
    await sweep_uploads(pool, tmp_path)
    assert path.exists()
    assert (await run_import(pool, None, number)).state == "done"
    await sweep_uploads(pool, tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
async def test_an_upload_goes_however_its_import_ended(pool: Pool, tmp_path: Path, state: str) -> None:
    path = upload(tmp_path, "b")
    number = await create_import(pool, "list.csv", path)
    if state == "cancelled":
        await cancel_import(pool, number)
    else:
        await pool.execute("UPDATE imports SET state = $2 WHERE id = $1", number, state)
    await sweep_uploads(pool, tmp_path)
    assert not path.exists()


async def test_an_upload_that_is_being_read_stays(pool: Pool, tmp_path: Path) -> None:
    path = upload(tmp_path, "c")
    number = await create_import(pool, "list.csv", path)
    await pool.execute("UPDATE imports SET state = 'running' WHERE id = $1", number)
    os.utime(path, (0, 0))
    await sweep_uploads(pool, tmp_path)
    assert path.exists()


async def test_a_file_without_an_import_goes_after_a_day(pool: Pool, tmp_path: Path) -> None:
    fresh, old = upload(tmp_path, "d"), upload(tmp_path, "e")
    yesterday = time.time() - UNCLAIMED - 60
    os.utime(old, (yesterday, yesterday))
    await sweep_uploads(pool, tmp_path)
    assert (fresh.exists(), old.exists()) == (True, False)


async def test_a_list_that_was_named_on_the_command_line_stays(pool: Pool, tmp_path: Path) -> None:
    uploads, home = tmp_path / "uploads", tmp_path / "home"
    uploads.mkdir()
    home.mkdir()
    theirs, beside = upload(home, "f"), uploads / "customers.csv"
    beside.write_text("email\nc@d.example\n")
    link = uploads / f"{'9' * 32}.csv"
    link.symlink_to(theirs)
    for path in (theirs, beside):
        os.utime(path, (0, 0))
        number = await create_import(pool, path.name, path)
        await run_import(pool, None, number)
    await sweep_uploads(pool, uploads)
    assert theirs.exists()
    assert beside.exists()


async def test_a_folder_that_nobody_uploaded_to_is_no_problem(pool: Pool, tmp_path: Path) -> None:
    await sweep_uploads(pool, tmp_path / "nowhere")

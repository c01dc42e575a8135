"""An upload that becomes no import leaves no file behind, whatever went wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from tests.web.house import House
from web import import_work


@pytest.mark.parametrize("error", [asyncpg.ConnectionDoesNotExistError("away"), asyncio.CancelledError()])
async def test_an_upload_that_cannot_be_noted_is_removed(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def create(*_: object) -> int:
        raise error

    monkeypatch.setattr(import_work, "create_import", create)
    path = tmp_path / "upload.csv"
    path.write_text("email\na@b.example\n")
    with pytest.raises(type(error)):
        await import_work.begin_import(house.context, "list.csv", path, 1)
    assert not path.exists()

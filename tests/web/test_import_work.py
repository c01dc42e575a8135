"""An upload that becomes no import leaves no file behind, whatever went wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from contacts.importing import run_import
from contacts.settings import ContactsSettings
from tests.web.house import House
from web.work import imports as import_work


@pytest.mark.parametrize("error", [asyncpg.ConnectionDoesNotExistError("away"), asyncio.CancelledError()])
async def test_an_upload_that_cannot_be_noted_is_removed(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def create(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(import_work, "create_import", create)
    path = tmp_path / "upload.csv"
    path.write_text("email\na@b.example\n")
    with pytest.raises(type(error)):
        await import_work.begin_import(house.context, "list.csv", path, 1)
    assert not path.exists()


async def test_numbers_of_an_upload_are_read_as_those_of_the_country_of_the_settings(
    house: House, tmp_path: Path
) -> None:
    house.context.contacts = ContactsSettings(country="FR")
    path = tmp_path / "upload.csv"
    path.write_text("email,phone\na@b.example,01 99 00 00 01\n")
    number = await import_work.begin_import(house.context, "list.csv", path, 1)
    assert (await run_import(house.pool, None, number)).rejected == 0
    assert await house.pool.fetchval("SELECT address FROM identities WHERE kind = 'phone'") == "+33199000001"

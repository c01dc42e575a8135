"""`clytie mail` as it is typed: what it says, and that it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner

from clytie.commands.main import app

BOX = b"".join(
    b"From a@b.example Thu Jan  1 00:00:00 1970\nSubject: %d\n\nbody\n\n" % number for number in range(3)
)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, redis_url: str) -> None:
    monkeypatch.setenv("CLYTIE_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("CLYTIE_DATABASE_URL", database_url)
    monkeypatch.setenv("CLYTIE_REDIS_URL", redis_url)


@pytest.mark.usefixtures("house")
def test_ingest_says_what_became_of_the_mails(tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(BOX)
    first = CliRunner().invoke(app, ["mail", "ingest", str(file)])
    assert first.exit_code == 0, first.output
    assert "3 mails are new, 0 were there already." in first.output
    again = CliRunner().invoke(
        app, ["mail", "ingest", "-"], input=BOX + BOX.replace(b"Subject: 0", b"Subject: 9")
    )
    assert "1 mails are new, 5 were there already." in again.output


@pytest.mark.usefixtures("house")
def test_ingest_names_what_it_could_not_take(tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "empty.eml").touch()
    result = CliRunner().invoke(app, ["mail", "ingest", str(tmp_path / "mails")])
    assert result.exit_code == 1
    assert "empty.eml: is empty" in result.output


def test_a_password_becomes_a_hash() -> None:
    result = CliRunner().invoke(app, ["mail", "password"], input="correct horse\n")
    assert result.exit_code == 0
    assert PasswordHasher().verify(result.output.strip(), "correct horse")

"""A data directory of a newer version, of another process or of another user is refused in a clear sentence."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clytie.services.account import choose_account
from clytie.services.supervisor import Services
from domain.errors import ConfigurationError, Conflict

Open = Callable[..., Services]
Hold = Callable[[Path], tuple[subprocess.Popen[str], dict[str, str]]]


def test_a_directory_in_use_by_another_process_is_refused_naming_it(var: Path, hold_services: Hold) -> None:
    holder, _ = hold_services(var)
    with pytest.raises(Conflict, match=rf"in use by another Clytie \(process {holder.pid}\)"):
        Services(var).start()
    with pytest.raises(Conflict):
        Services(var).stop_leftovers()
    assert holder.poll() is None


def test_a_directory_in_use_by_this_very_process_is_refused_too(var: Path, open_services: Open) -> None:
    open_services(var).start()
    with pytest.raises(Conflict):
        Services(var).start()


def test_a_directory_is_free_again_once_it_was_stopped(
    var: Path, hold_services: Hold, open_services: Open
) -> None:
    holder, _ = hold_services(var)
    holder.communicate()
    open_services(var).start()


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"format": 99, "postgresql": 18, "clytie": "7.1"}, "was written by a newer Clytie .7.1; format 99"),
        ({"format": 1, "postgresql": 19, "clytie": "7.1"}, "newer Clytie .7.1; format 1, PostgreSQL 19"),
        ({"format": 1, "postgresql": 16, "clytie": "0.0"}, "holds a PostgreSQL 16 database.*pg_dump"),
        ({"something": "else"}, "cannot be read as the record of a data directory"),
    ],
)
def test_a_directory_of_another_version_is_refused_and_left_as_it_was(
    var: Path, record: dict[str, object], sentence: str
) -> None:
    var.mkdir()
    (var / "clytie.json").write_text(json.dumps(record))
    for _ in range(2):  # the refusal lets go of the lock
        with pytest.raises(ConfigurationError, match=sentence):
            Services(var).start()
    assert json.loads((var / "clytie.json").read_text()) == record
    assert not (var / "services").exists()


def test_a_cluster_without_its_record_is_still_recognised_as_newer(var: Path) -> None:
    cluster = var / "services" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("19\n")
    with pytest.raises(ConfigurationError, match="PostgreSQL 19"):
        Services(var).start()


def test_an_ordinary_user_is_told_whose_servers_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 4242)
    with pytest.raises(ConfigurationError, match=r"belongs to the account .*Start Clytie as root or as"):
        choose_account(tmp_path)

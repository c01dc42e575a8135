"""A data directory for each test of the life cycle, and nothing of it left running afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from clytie.services.supervisor import Services
from domain.errors import ClytieError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """The path of a data directory that does not exist yet."""
    path = tmp_path / "var"
    yield path
    if path.exists():
        with suppress(ClytieError):
            Services(path).stop_leftovers()


@pytest.fixture
def open_services() -> Iterator[Callable[..., Services]]:
    """Make Services that are stopped after the test."""
    made: list[Services] = []

    def make(path: Path, **options: str) -> Services:
        made.append(Services(path, durable=False, **options))
        return made[-1]

    yield make
    for services in made:
        services.stop()


@pytest.fixture
def hold_services() -> Iterator[Callable[[Path], tuple[subprocess.Popen[str], dict[str, str]]]]:
    """Start another process that owns the servers of a data directory; returns it and the addresses."""
    holders: list[subprocess.Popen[str]] = []

    def hold(path: Path) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.clytie.holder", str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the holder could not start the servers"
        return process, json.loads(line)

    yield hold
    for process in holders:
        process.kill()
        process.communicate()

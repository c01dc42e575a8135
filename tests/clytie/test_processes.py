"""Role processes are started again when they die, and end with their parent however it goes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PARENT = """
import asyncio, sys
from clytie.processes import ProcessGroup, RoleProcess, stop_on_signals

async def main():
    role = RoleProcess("one", ("one",), {"JOURNAL": sys.argv[1]})
    group = ProcessGroup([role], command=(sys.executable, "-c", sys.argv[2]), grace=5)
    stop_on_signals(group.stop)
    await group.run()

asyncio.run(main())
"""
CHILD = """
import asyncio, os
from clytie.processes import stop_on_signals

def note(word):
    with open(os.environ["JOURNAL"], "a") as journal:
        journal.write(f"{word} {os.getpid()}\\n")

async def main():
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    note("up")
    await stop.wait()
    note("down")

asyncio.run(main())
"""


class Family:
    """A parent with one role process, and what that wrote down."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.parent = subprocess.Popen([sys.executable, "-c", PARENT, str(journal), CHILD], cwd=ROOT)

    def notes(self, word: str) -> list[int]:
        """The process ids behind a word, in order."""
        lines = self._journal.read_text().splitlines() if self._journal.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(word)]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait some seconds for something to become true."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.02)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path / "journal")
    family.until(lambda: len(family.notes("up")) == 1)
    yield family
    family.parent.kill()
    family.parent.wait()
    for pid in family.notes("up"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_process_that_dies_is_started_again(family: Family) -> None:
    os.kill(family.notes("up")[0], signal.SIGKILL)
    family.until(lambda: len(family.notes("up")) == 2)


def test_when_the_parent_is_told_to_stop_its_processes_end_in_good_order(family: Family) -> None:
    family.parent.terminate()
    assert family.parent.wait(20) == 0
    assert family.notes("down") == family.notes("up")


def test_when_the_parent_is_killed_its_processes_end_in_good_order_too(family: Family) -> None:
    family.parent.kill()
    family.parent.wait()
    family.until(lambda: family.notes("down") == family.notes("up"))

"""SIGKILL under load: whatever a client was told is recorded is in the database, and the service comes back.

Each request carries a number of its own as its agent, so every answered hit can be found again.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest

from clytie.services.supervisor import Services
from storage.migrations import upgrade
from storage.pool import Pool, open_pool
from tests.servers import PREFIX
from tests.tracking.town import Letter, send_letter

CLIENTS = 24


@dataclass
class Load:
    """Clients that ask without pause, and what they were told."""

    letters: Sequence[Letter]
    port: int
    noted: list[str] = field(default_factory=list)  #: numbers of hits answered as recorded
    marked: int = 0  #: answered as unrecorded
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def ask_forever(self, session: aiohttp.ClientSession) -> None:
        while True:
            number = f"hit {next(self.numbers)}"
            letter = random.choice(self.letters)
            path = random.choice((letter.pixel, letter.link(random.randint(1, 5))))
            try:
                async with session.get(
                    f"http://127.0.0.1:{self.port}{path}",
                    headers={"User-Agent": number},
                    allow_redirects=False,
                ) as answer:
                    await answer.read()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(0.02)
                continue
            if "Clytie-Unrecorded" in answer.headers:
                self.marked += 1
            elif answer.status in (200, 302):
                self.noted.append(number)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            tasks = [asyncio.create_task(self.ask_forever(session)) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def more(self, count: int) -> None:
        """Wait for so many further hits that are answered as recorded."""
        goal = len(self.noted) + count
        async with asyncio.timeout(30):
            while len(self.noted) < goal:  # noqa: ASYNC110 - the clients are at work
                await asyncio.sleep(0.02)

    async def check(self, pool: Pool) -> None:
        """Every noted hit is recorded, exactly once, with its event."""
        rows = await pool.fetch(
            "SELECT h.agent FROM hits h JOIN events e ON e.id = h.event_id AND e.recorded_at = h.recorded_at"
        )
        recorded = Counter(row["agent"] for row in rows)
        assert [number for number in self.noted if recorded[number] != 1] == []
        assert set(recorded.values()) == {1}


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def open_door_process(database_url: str, port: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.tracking.door_process", database_url, str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"open\n"
    return process


async def end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_killing_the_web_process_loses_no_answered_hit(pool: Pool, database_url: str) -> None:
    letters = [await send_letter(pool) for _ in range(20)]
    load = Load(letters, find_port())
    process = await open_door_process(database_url, load.port)
    try:
        async with load.running():
            for _ in range(5):
                await load.more(random.randint(50, 1200))
                await end(process)
                process = await open_door_process(database_url, load.port)
            await load.more(100)
        await load.check(pool)
    finally:
        await end(process)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killing_postgresql_loses_no_answered_hit_and_the_doors_recover_by_themselves() -> None:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    services = Services(folder)
    urls = await asyncio.to_thread(services.start)
    try:
        await asyncio.to_thread(upgrade, urls.database_url)
        pool = await open_pool(urls.database_url, max_size=4)
        letters = [await send_letter(pool) for _ in range(20)]
        load = Load(letters, find_port())
        process = await open_door_process(urls.database_url, load.port)
        try:
            async with load.running():
                for _ in range(3):
                    await load.more(random.randint(200, 1500))
                    kill_postgres(folder)
                    await load.more(300)
            pool.terminate()
            pool = await open_pool(urls.database_url, max_size=4)
            await load.check(pool)
        finally:
            await end(process)
            pool.terminate()
    finally:
        await asyncio.to_thread(services.stop)
        shutil.rmtree(folder, ignore_errors=True)


def kill_postgres(folder: Path) -> None:
    """SIGKILL the server and all its processes at once, as when the machine runs out of memory."""
    [pid_file] = folder.rglob("postmaster.pid")
    server = psutil.Process(int(pid_file.read_text().splitlines()[0]))
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)

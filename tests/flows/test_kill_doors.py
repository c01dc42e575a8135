"""The mail process is killed again and again under load: every mail that was answered 250 is there, once.

CLYTIE_TEST_KILLS sets how many blows there are (6), CLYTIE_TEST_SEED repeats a run. Two loads at a time: Postfix's
smtp-source, which only makes it hot, and senders of our own that behave like mail servers: they note each 250, and
what was not answered is sent again.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from storage.pool import Pool
from tests.servers import find_program

KILLS = int(os.environ.get("CLYTIE_TEST_KILLS", "6"))
SEED = int(os.environ.get("CLYTIE_TEST_SEED", "0")) or random.randrange(1 << 32)
SENDERS = 8


class MailRole:
    """The role `mail` in a process of its own, always on the same port."""

    def __init__(self, database_url: str, var: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._environment = {
            **os.environ,
            "CLYTIE_VAR": str(var),
            "CLYTIE_DATABASE_URL": database_url,
            "CLYTIE_SANDBOX__ENABLED": "false",
            "CLYTIE_INBOX__DOMAINS": '["help.example"]',
            "CLYTIE_INBOX__SMTP__PORT": str(self.port),
            "CLYTIE_INBOX__INTAKE__BLOB_FROM": "20000",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clytie", "role", "mail"],
            env=self._environment,
            stderr=subprocess.DEVNULL,
        )

    async def until_open(self) -> None:
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    greeting = await reader.read(3)
                    writer.close()
                    if greeting == b"220":
                        return
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


class Sender:
    """A mail server: sends its mails one after the other, each until it is answered 250."""

    def __init__(self, port: int, name: str, rng: random.Random) -> None:
        self._port = port
        self._name = name
        self._rng = rng
        self.taken: list[str] = []
        self.again = 0

    async def run(self, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            mail = f"{self._name}-{number}"
            size = self._rng.choice((100, 4000, 4000, 30_000))
            while not await self._deliver(mail, size) and not stop.is_set():
                self.again += 1
                await asyncio.sleep(0.05)

    async def _deliver(self, mail: str, size: int) -> bool:
        """One connection, one attempt."""
        content = f"Subject: {mail}\r\n\r\n" + ("x" * 70 + "\r\n") * (size // 72)
        lines = ["EHLO client", "MAIL FROM:<a@b.example>", "RCPT TO:<x@help.example>", "DATA", content + "."]
        writer = None
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                await reader.readline()
                for line in lines:
                    writer.write(line.encode() + b"\r\n")
                    reply = await reader.readline()
                    while reply[3:4] == b"-":
                        reply = await reader.readline()
                    if reply[:1] not in b"23" or not reply:
                        return False
        except (OSError, TimeoutError):
            return False
        finally:
            if writer is not None:
                writer.transport.abort()
        self.taken.append(mail)
        return True


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_every_mail_answered_250_is_there_once_however_often_the_process_dies(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    source = find_program("smtp-source", "postfix")
    rng = random.Random(SEED)
    role = MailRole(database_url, tmp_path)
    senders = [Sender(role.port, f"s{number}", rng) for number in range(SENDERS)]
    stop = asyncio.Event()
    role.start()
    await role.until_open()
    running = [asyncio.create_task(sender.run(stop)) for sender in senders]
    try:
        for _ in range(KILLS):
            load = await asyncio.create_subprocess_exec(
                *(source, "-d", "-s", "5", "-m", "1000000", "-l", "4096", "-f", "load@b.example"),
                *("-t", "load@help.example", f"127.0.0.1:{role.port}"),
                stderr=asyncio.subprocess.DEVNULL,
            )
            await asyncio.sleep(rng.uniform(0.3, 1.5))
            role.kill()
            with suppress(ProcessLookupError):
                load.kill()
            await load.wait()
            role.start()
            await role.until_open()
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*running), 20)
    finally:
        stop.set()
        for task in running:
            task.cancel()
        role.kill()
    taken = [mail for sender in senders for mail in sender.taken]
    print(f"seed {SEED}: {len(taken)} taken, {sum(sender.again for sender in senders)} attempts failed")
    there: Counter[str] = Counter()
    for row in await pool.fetch(_OURS):
        content = row["content"] or (tmp_path / "blobs" / row["blob"][:2] / row["blob"]).read_bytes()
        assert row["arrivals"] == 1
        there[content.split(b"\r\n", 1)[0].decode().removeprefix("Subject: ")] += 1
    assert len(taken) == len(set(taken)) > 100
    assert set(taken) - set(there) == set()
    assert {mail for mail, count in there.items() if count > 1} == set()
    assert await pool.fetchval(_LOAD) > 100


_OURS = """
SELECT content, blob, (SELECT count(*) FROM arrivals a WHERE a.raw_id = r.id) AS arrivals
FROM raw_mails r WHERE sender = 'a@b.example'
"""
_LOAD = "SELECT count(*) FROM raw_mails WHERE sender = 'load@b.example'"

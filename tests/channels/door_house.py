"""A mail door for tests: what it took, a store that can be out of order, and a wire to speak by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.base import Received
from channels.mail.door.mail_door import DoorName, MailDoor
from channels.mail.door.settings import LmtpSettings, SmtpSettings
from domain.errors import Unavailable


class DoorHouse:
    """Knows every address at example.com, and keeps mails in a list."""

    def __init__(self) -> None:
        self.mails: list[Received] = []
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def store(self, received: Received) -> str:
        await self.gate.wait()
        if self.away:
            raise Unavailable("The database is away.")
        self.mails.append(received)
        return str(len(self.mails))

    async def knows(self, address: str) -> bool:
        if address == "broken@example.com":
            raise OSError("the database is away")
        return address.endswith("@example.com")

    @asynccontextmanager
    async def door(self, name: DoorName = "smtp", **settings: Any) -> AsyncIterator[MailDoor]:
        model = SmtpSettings if name == "smtp" else LmtpSettings
        values = {"port": 0, "hostname": "mx.example.com", **settings}
        opened = MailDoor(name, self.store, self.knows, model.model_validate(values))
        await opened.start()
        try:
            yield opened
        finally:
            await opened.stop()


class Wire:
    """A connection to a door, spoken by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> str:
        """The next reply; its lines joined by LF. Empty when the connection is closed."""
        lines = []
        while line := (await asyncio.wait_for(self.reader.readline(), 10)).decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    async def say(self, line: bytes | str) -> str:
        """Send one line and read the reply."""
        self.send(line)
        return await self.read()

    def send(self, line: bytes | str) -> None:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    async def begin(self, *recipients: str, greeting: str = "EHLO client.example") -> None:
        """Up to the 354 of a mail to `recipients`."""
        assert (await self.say(greeting)).startswith("250")
        assert (await self.say("MAIL FROM:<a@b.example>")).startswith("250")
        for recipient in recipients or ("x@example.com",):
            assert (await self.say(f"RCPT TO:<{recipient}>")).startswith("250")
        assert (await self.say("DATA")).startswith("354")

    async def closed(self) -> bool:
        """Whether the other side closes, within some seconds."""
        try:
            return await asyncio.wait_for(self.reader.read(), 10) is not None
        except ConnectionError:
            return True

    def cut(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def wire_to(door: MailDoor, greeting: str = "220") -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    wire = Wire(reader, writer)
    try:
        assert (await wire.read()).startswith(greeting)
        yield wire
    finally:
        writer.transport.abort()

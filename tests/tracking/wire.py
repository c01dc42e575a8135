"""A wire to PostgreSQL that tests can cut: refuse connections, drop those there are, or swallow the server's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Wire:
    """The wire; `url` is the address of the same database through it."""

    target: str
    url: str = ""
    refusing: bool = False
    deaf: bool = False  #: what the server says does not arrive any more
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Drop every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def break_down(self) -> None:
        """Drop every connection and refuse new ones; returns when both ends have noticed."""
        self.refusing = True
        self.cut()
        await asyncio.sleep(0.1)

    def mend(self) -> None:
        """Let everything through again."""
        self.refusing = self.deaf = False

    async def _reach(self) -> Streams:
        parts = urlsplit(self.target)
        folder = parse_qs(parts.query).get("host", [""])[0]
        if folder.startswith("/"):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{parts.port or 5432}")
        return await asyncio.open_connection(parts.hostname, parts.port or 5432)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self._writers.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            if self.refusing:
                return
            answers, other = await self._reach()
            self._writers.add(other)
            await asyncio.gather(
                self._carry(reader, other, answers=False), self._carry(answers, writer, answers=True)
            )
        except OSError:
            pass
        finally:
            for each in (writer, other):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while data := await reader.read(65536):
            if not (answers and self.deaf):
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def lay_wire(database_url: str) -> AsyncIterator[Wire]:
    """A wire to the database of this address."""
    wire = Wire(database_url)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    parts = urlsplit(database_url)
    wire.url = f"postgresql://{parts.username or 'clytie'}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2)

"""An SMTP server that follows a script: it answers each command as told, cuts the connection, or keeps silent.

It reads exactly what is written to it and keeps every line, so that tests see the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what the other side does sets no event of ours
            await asyncio.sleep(0.01)


class Cut:
    """Drop the connection instead of answering; `reset` with RST, else with FIN."""

    def __init__(self, *, reset: bool = False) -> None:
        self.reset = reset


@dataclass
class Pause:
    """Answer after so many seconds."""

    seconds: float
    reply: bytes


SILENCE = Pause(3600, b"")
Answer = bytes | Cut | Pause

FINE: dict[str, bytes] = {
    "greeting": b"220 script.example ESMTP\r\n",
    "HELO": b"250 script.example\r\n",
    "MAIL": b"250 2.1.0 sender ok\r\n",
    "RCPT": b"250 2.1.5 recipient ok\r\n",
    "DATA": b"354 go ahead\r\n",
    "content": b"250 2.0.0 taken\r\n",
    "RSET": b"250 2.0.0 reset\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
    "STARTTLS": b"220 2.0.0 go ahead\r\n",
}


_VERBS = {*FINE, "EHLO", "AUTH", "NOOP"}


@dataclass
class ScriptedServer:
    """Answers by step (`greeting`, a verb, `response`, or `content` for the final dot): the queued answers first, then the
    usual ones. `mails` holds what was answered with 2xx, `complete` all that came with its final dot."""

    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000")
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    cut_in_content: int | None = None  # cut after so many bytes of content
    stop_in_content: bool = False  # read no further
    port: int = 0
    lines: list[str] = field(default_factory=list)
    early: int = 0  # commands that were here before the one before them was answered
    encrypted_mails: int = 0
    reached: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    complete: list[tuple[str, str, bytes]] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    always: dict[str, Answer] = field(default_factory=dict)
    by_recipient: dict[str, dict[str, Answer]] = field(default_factory=dict)
    _answers: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def say(self, step: str, *answers: Answer) -> None:
        """Queue the next answers of a step, over all connections."""
        self._answers[step].extend(answers)

    @contextlib.asynccontextmanager
    async def running(self, host: str = "127.0.0.1") -> AsyncIterator[ScriptedServer]:
        """Listen on a free port of the loopback while the block runs."""
        server = await asyncio.start_server(
            self._accept, host, 0, ssl=self.tls if self.implicit else None, limit=2**20
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open_now += 1
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, _Over, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self.open_now -= 1
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer("greeting", writer, FINE["greeting"])
        sender = recipient = ""  # as far as they were accepted
        encrypted = self.implicit
        while line := (await reader.readuntil(b"\n")).decode("utf-8", "replace"):
            self.lines.append(line.rstrip("\r\n"))
            verb = line[:8].split()[0].upper() if line.strip() else ""
            verb = verb if verb in _VERBS else "response"  # to a challenge of AUTH
            usual = FINE.get(verb, b"500 5.5.1 what?\r\n")
            if verb == "EHLO":
                usual = self._ehlo(encrypted=encrypted)
            elif (verb == "RCPT" and not sender) or (verb == "DATA" and not recipient):
                usual = b"503 5.5.1 something is missing\r\n"
            if reader._buffer:  # type: ignore[attr-defined]
                self.early += 1
            tried = _path(line) if verb == "RCPT" else recipient
            code = await self._answer(verb, writer, usual, tried)
            if verb == "MAIL":
                sender, recipient = _path(line) if code.startswith(b"2") else "", ""
            elif verb == "RCPT" and code.startswith(b"2"):
                recipient = tried
            elif verb == "RSET":
                sender = recipient = ""
            elif verb == "DATA" and code == b"354":
                await self._take_content(reader, writer, sender, recipient)
            elif verb == "STARTTLS" and code == b"220" and self.tls:
                await writer.start_tls(self.tls)
                encrypted = True
            elif verb == "QUIT":
                return

    async def _take_content(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sender: str, recipient: str
    ) -> None:
        if self.cut_in_content is not None:
            await reader.readexactly(self.cut_in_content)
            _reset(writer)
            raise _Over
        if self.stop_in_content:
            await asyncio.sleep(3600)
        lines = [await reader.readuntil(b"\n")]
        while lines[-1] != b".\r\n":
            lines.append(await reader.readuntil(b"\n"))
        content = b"".join(lines)
        self.complete.append((sender, recipient, content))
        self.encrypted_mails += writer.get_extra_info("ssl_object") is not None
        if (await self._answer("content", writer, FINE["content"], recipient)).startswith(b"2"):
            self.mails.append((sender, recipient, content))

    async def _answer(
        self, step: str, writer: asyncio.StreamWriter, usual: bytes, recipient: str = ""
    ) -> bytes:
        queued = self._answers[step]
        answer: Answer = usual
        answer = self.by_recipient.get(recipient, {}).get(step, self.always.get(step, answer))
        if queued:
            answer = queued.popleft()
        self.reached[step].set()
        if isinstance(answer, Pause):
            await asyncio.sleep(answer.seconds)
            answer = answer.reply
        if isinstance(answer, Cut):
            if answer.reset:
                _reset(writer)
            raise _Over
        writer.write(answer)
        await writer.drain()
        return answer[:3]

    def _ehlo(self, *, encrypted: bool) -> bytes:
        words: Iterable[str] = ("script.example", *self.extensions)
        if self.tls and not encrypted:
            words = (*words, "STARTTLS")
        *first, last = words
        return "".join(f"250-{word}\r\n" for word in first).encode() + f"250 {last}\r\n".encode()


class _Over(Exception):
    """The script ends this connection."""


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def _reset(writer: asyncio.StreamWriter) -> None:
    import socket
    import struct

    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

"""A mail server that takes everything and notes each Message-ID in a file before it answers; a process of its own.

`python -m tests.flows.sink PORT [FILE] [DELAY]`: one line per mail is appended to FILE; DELAY seconds pass between
noting a mail and answering for it, so that a sender that dies often dies without the answer.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)
_REPLIES = {
    b"EHLO": b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 0\r\n",
    b"HELO": b"250 sink.example\r\n",
    b"QUIT": b"221 bye\r\n",
}


class Dialogue(asyncio.Protocol):
    """One connection."""

    def __init__(self, notes: int | None, delay: float) -> None:
        self._notes = notes
        self._delay = delay
        self._buffer = b""
        self._in_data = False
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read()

    def _read(self) -> None:
        assert self._transport is not None
        while not self._busy:
            if self._in_data:
                content, end, rest = self._buffer.partition(b"\r\n.\r\n")
                if not end:
                    return
                self._buffer = rest
                self._in_data = False
                self._note(content)
            else:
                line, end, rest = self._buffer.partition(b"\r\n")
                if not end:
                    return
                self._buffer = rest
                word = line[:4].upper()
                if word == b"DATA":
                    self._in_data = True
                    self._transport.write(b"354 go on\r\n")
                else:
                    self._transport.write(_REPLIES.get(word, b"250 ok\r\n"))
                    if word == b"QUIT":
                        self._transport.close()

    def _note(self, content: bytes) -> None:
        found = _MESSAGE_ID.search(content)
        if self._notes is not None:
            os.write(self._notes, (found[1] if found else b"<none>") + b"\n")
        if self._delay:
            self._busy = True
            asyncio.get_running_loop().call_later(self._delay, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        assert self._transport is not None
        self._busy = False
        self._transport.write(b"250 noted\r\n")
        self._read()


async def serve(port: int, notes: int | None, delay: float) -> None:
    """Take mail until the process is ended."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Dialogue(notes, delay), "127.0.0.1", port, backlog=200
    )
    await server.serve_forever()


def main() -> None:
    """Run with the arguments of the command line."""
    port, *rest = sys.argv[1:]
    notes = os.open(rest[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if rest else None
    asyncio.run(serve(int(port), notes, float(rest[1]) if len(rest) > 1 else 0.0))


if __name__ == "__main__":
    main()

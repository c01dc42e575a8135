"""Answers made ready in advance: the doors for pixels and links write the same bytes thousands of times a second.

A ready answer keeps nothing of a request, so one object serves them all. It writes its bytes to the transport
itself, which spares the building and serialising of headers that are always the same; only the date changes, once a
second. Hooks on responses (`on_response_prepare`) do not see it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

NO_STORE: Final[Mapping[str, str]] = {"Cache-Control": "no-store, private", "X-Robots-Tag": "noindex"}
#: Marks an answer whose hit is not known to be recorded (promise 1).
UNRECORDED: Final[Mapping[str, str]] = {"Clytie-Unrecorded": "1"}
#: How long a client may leave its answers unread, once they fill the connection's buffers.
READER_SECONDS: float = 10.0

_date: tuple[int, bytes] = (0, b"")


def _date_now() -> bytes:
    """The Date header's value (RFC 9110, 6.6.1), made once a second."""
    global _date
    now = int(time.time())
    if now != _date[0]:
        _date = (now, formatdate(now, usegmt=True).encode("ascii"))
    return _date[1]


async def _wait_for_reader(protocol: web.RequestHandler, transport: asyncio.Transport) -> None:
    try:
        async with asyncio.timeout(READER_SECONDS):
            await protocol._drain_helper()  # as aiohttp's own answers do; it has no public name
    except TimeoutError:
        transport.abort()
        raise ConnectionResetError("The client does not read its answers.") from None


class ReadyAnswer(web.StreamResponse):
    """The same status, headers and body for everybody."""

    def __init__(self, before: bytes, after: bytes, *, status: int, keep_alive: bool) -> None:
        super().__init__(status=status)
        self._before = before
        self._after = after
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the whole answer. When more is unread than a connection holds, wait until its reader goes on.

        Raises ConnectionError when it does not within READER_SECONDS; the connection is closed then.
        """
        transport = request.transport
        if transport is not None:
            transport.write(self._before + _date_now() + self._after)
            if request.protocol.writing_paused:
                await _wait_for_reader(request.protocol, transport)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: everything was written."""


class AnswerKit:
    """One answer in the four shapes that a request may need: with or without body, connection kept or closed.

    Raises ValueError for a header with a line break in it.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("A header may not contain a line break.")
        start = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
        before = "\r\n".join([start, *lines, f"Content-Length: {len(body)}", "Date: "]).encode("latin-1")

        def shape(after: bytes, *, keep_alive: bool) -> ReadyAnswer:
            ending = b"\r\n\r\n" if keep_alive else b"\r\nConnection: close\r\n\r\n"
            return ReadyAnswer(before, ending + after, status=status, keep_alive=keep_alive)

        self._full: Final = shape(body, keep_alive=True)
        self._full_closing: Final = shape(body, keep_alive=False)
        self._head: Final = shape(b"", keep_alive=True)
        self._head_closing: Final = shape(b"", keep_alive=False)

    def fit(self, request: web.BaseRequest) -> ReadyAnswer:
        """The shape for this request. Connections of HTTP/1.0 are closed."""
        if request.keep_alive and request.version >= HttpVersion11:
            return self._head if request.method == "HEAD" else self._full
        return self._head_closing if request.method == "HEAD" else self._full_closing

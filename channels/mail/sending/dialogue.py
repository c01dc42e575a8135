"""An SMTP connection while it is being opened: one command, one reply, awaited in turn."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from channels.mail.sending.wire import Reply, ReplyParser

#: Replies kept that nobody asked for yet; a server that says more is not listened to.
_UNASKED_LIMIT: Final = 8


class Dialogue(asyncio.Protocol):
    """The asyncio protocol of one connection. `farewell` is why it ended (a word of our vocabulary, and a
    sentence); empty for an end in good order, and while it is open."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = ReplyParser()
        self._waiter: asyncio.Future[Reply] | None = None
        self._unasked: list[Reply] = []
        self.transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.farewell = ("", "")

    async def read_reply(self) -> Reply:
        """The next reply. Raises ConnectionError when none can come any more."""
        if self._unasked:
            return self._unasked.pop(0)
        self._demand_open()
        self._waiter = self._loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    async def ask(self, command: bytes) -> Reply:
        """Write a command and return the reply to it. Raises ConnectionError."""
        self._demand_open().write(command)
        return await self.read_reply()

    def _demand_open(self) -> asyncio.Transport:
        if self.transport is None or self.closed.done():
            raise ConnectionResetError("the server closed the connection")
        return self.transport

    @property
    def unread(self) -> bool:
        """Whether the server said more than it was asked."""
        return bool(self._unasked) or self._parser.pending

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio, and again when STARTTLS has put TLS in between."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with whatever came."""
        for reply in self._parser.feed(data):
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(reply)
            elif len(self._unasked) < _UNASKED_LIMIT:
                self._unasked.append(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio once, however the connection ended."""
        words = f"the connection broke: {exc}" if exc else "the server closed the connection"
        self.farewell = ("connection_lost", words)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError(words))
        if not self.closed.done():
            self.closed.set_result(None)

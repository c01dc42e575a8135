"""The HTTP session below a channel: opened when it is first used, telling whether a request may have been read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from channels.http.dispatch import FLIGHT
from channels.http.settings import Timeouts

#: An answer of an API of messages is small; what is longer is not read.
_LONGEST_ANSWER = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; header names as they came, read without regard to case."""

    status: int
    text: str
    headers: Any


class WebSession:
    """Requests over kept connections. Sets `written` of the current flight before the first byte of one leaves."""

    def __init__(self, timeouts: Timeouts, connections: int) -> None:
        self._timeouts = timeouts
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        login: tuple[str, str] | None = None,
    ) -> Answer:
        """One request; redirects are answers. Raises aiohttp's errors, TimeoutError, ValueError for an endless answer."""
        flight = FLIGHT.get()
        if login is not None:
            headers = {**(headers or {}), **authorization(login)}
        async with self.open().request(
            method,
            url,
            params=params,
            data=data,
            headers=headers,
            allow_redirects=False,
            trace_request_ctx=flight,
        ) as response:
            if flight is not None:
                flight.retry_after = response.headers.get("Retry-After", "")
            raw = bytearray()
            async for piece in response.content.iter_any():
                raw += piece
                if len(raw) > _LONGEST_ANSWER:
                    raise ValueError("the answer is too long")
            return Answer(response.status, raw.decode("utf-8", "replace"), response.headers)

    def open(self) -> aiohttp.ClientSession:
        """The session of the running loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            waits = self._timeouts
            trace = aiohttp.TraceConfig()
            # A connection is there: from now on the request may be written.
            trace.on_connection_create_end.append(_mark)
            trace.on_connection_reuseconn.append(_mark)
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(
                    total=waits.connect + waits.answer,
                    connect=None,
                    sock_connect=waits.connect,
                    sock_read=waits.answer,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close its connections; the next request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def authorization(login: tuple[str, str]) -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"Authorization": aiohttp.encode_basic_auth(*login, encoding="utf-8")}


async def _mark(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    flight = context.trace_request_ctx
    if flight is not None:
        flight.written = True


def name_failure(error: Exception) -> tuple[str, str, bool]:
    """Our word for a request that brought no answer, its words, and whether no connection could be had at all."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "connection_failed", words, True
    if isinstance(error, TimeoutError):
        return "timeout", words, False
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        return "connection_lost", words, False
    return "protocol_error", words, False

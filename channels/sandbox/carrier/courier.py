"""The requests that the carrier makes by itself: signed as the provider signs them, sent to this machine only.

The signature is made by the official library's RequestValidator, over the address as it was given to the carrier.
Callbacks of one message or call go out one after the other, in order, unless mischief says otherwise; the provider
itself promises no order. A callback that is refused is not repeated (neither does the provider by default); one
whose connection failed is repeated once.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.mischief import OF_CALLBACKS, Occasion, Trick
from channels.sandbox.carrier.records import make_sid

_LOG_SIZE: Final = 2000
_MAX_ANSWER: Final = 1_000_000  #: bytes of a document or of media that are read


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that the carrier made, or would have made: `status` 0 when nothing answered."""

    at: datetime
    url: str
    params: Mapping[str, str]
    status: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address of ours answered."""

    status: int
    content_type: str
    content: bytes

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", "replace")


class Unanswered(Exception):  # an ending of a request, not a fault of ours
    """No usable answer: the address is not on this machine, the connection failed, or it took too long."""


class Unroutable(Unanswered):
    """The address is not on this machine, and no route leads there: never asked."""


class Courier:
    """Makes the requests. `log` holds the last of them, the newest at the end."""

    def __init__(self, exchange: Exchange) -> None:
        self.log: deque[Sent] = deque(maxlen=_LOG_SIZE)
        self._exchange = exchange
        self._session: aiohttp.ClientSession | None = None
        self._last: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, list[_Callback]] = {}

    async def start(self) -> None:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100),
            timeout=aiohttp.ClientTimeout(total=self._exchange.settings.callback_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    def tell(
        self,
        account_sid: str,
        url: str,
        params: Mapping[str, str],
        occasion: Occasion,
        *,
        about: str,
        method: str = "POST",
        final: bool = False,
    ) -> None:
        """Send a callback about the thing `about`, without waiting. `final`: nothing will follow it."""
        if not url:
            return
        rules = self._exchange.mischief.choose(OF_CALLBACKS, occasion)
        tricks = {rule.trick: rule for rule in rules}
        callback = _Callback(account_sid, url, method, dict(params), Trick.FORGED in tricks)
        if Trick.MISSING in tricks:
            self._note(callback, 0, "left out on request")
            ready: list[_Callback] = []
        else:
            ready = [callback] * (2 if Trick.TWICE in tricks else 1)
        if Trick.BACKWARDS in tricks or about in self._held:
            held = self._held.setdefault(about, [])
            held.extend(ready)
            ready = []
            if final:
                ready = self._held.pop(about)[::-1]
        late = tricks.get(Trick.LATE)
        for each in ready:
            if late is not None:
                self._exchange.spawn(self._send_late(each, late.seconds), "late callback")
            else:
                self._queue(about, each)

    async def ask(
        self,
        account_sid: str,
        url: str,
        params: Mapping[str, str],
        *,
        method: str = "POST",
        forged: bool = False,
    ) -> Answer:
        """Make a request and give the answer. Raises Unanswered."""
        callback = _Callback(account_sid, url, method, dict(params), forged)
        return await self._request(callback)

    async def ask_with_fallback(
        self, account_sid: str, hook: tuple[str, str], fallback: tuple[str, str], params: Mapping[str, str]
    ) -> tuple[str, Answer]:
        """Ask `hook`, an address and a method; when that fails, `fallback`. Gives who answered. Raises Unanswered."""
        url, method = hook
        try:
            answer = await self.ask(account_sid, url, params, method=method)
            if answer.status < 400:
                return url, answer
            raise Unanswered(f"{url} answered {answer.status}")
        except Unanswered:
            if not fallback[0]:
                raise
        more = {**params, "ErrorCode": "11200", "ErrorUrl": url}
        answer = await self.ask(account_sid, fallback[0], more, method=fallback[1])
        if answer.status >= 400:
            raise Unanswered(f"{fallback[0]} answered {answer.status}")
        return fallback[0], answer

    async def fetch(self, url: str) -> Answer:
        """Fetch media, unsigned. Raises Unanswered."""
        return await self._exchange_http("GET", url, {}, b"")

    # --- sending -------------------------------------------------------------------------------------------

    def _queue(self, about: str, callback: _Callback) -> None:
        before = self._last.get(about)
        task = self._exchange.spawn(self._send_after(before, callback), f"callback about {about}")
        self._last[about] = task
        task.add_done_callback(lambda done: self._last.pop(about) if self._last.get(about) is done else None)

    async def _send_after(self, before: asyncio.Task[None] | None, callback: _Callback) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        await self._send(callback)

    async def _send_late(self, callback: _Callback, seconds: float) -> None:
        await self._exchange.sleep(seconds)
        await self._send(callback)

    async def _send(self, callback: _Callback) -> None:
        try:
            await self._request(callback)
        except Unroutable:
            return
        except Unanswered:
            await self._exchange.sleep(self._exchange.settings.pace)
            try:
                await self._request(callback)
            except Unanswered:
                return

    async def _request(self, callback: _Callback) -> Answer:
        token = self._exchange.memory.accounts[callback.account_sid].auth_token
        url, body, form = callback.url.partition("#")[0], b"", dict(callback.params)
        if callback.method == "GET":
            parts = urlsplit(url)
            query = "&".join(filter(None, (parts.query, urlencode(form))))
            url, form = urlunsplit(parts._replace(query=query)), {}
        else:
            body = urlencode(form).encode()
        signature = RequestValidator(token).compute_signature(url, form)
        if callback.forged:
            signature = signature[::-1]
        headers = {"X-Twilio-Signature": str(signature), "I-Twilio-Idempotency-Token": callback.idempotency}
        if callback.method != "GET":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        try:
            answer = await self._exchange_http(callback.method, url, headers, body)
        except Unanswered as error:
            self._note(callback, 0, str(error))
            raise
        self._note(callback, answer.status, "")
        return answer

    async def _exchange_http(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        target, extra = find_route(url, self._exchange.settings.routes)
        if self._session is None:
            raise Unanswered("the carrier is stopped")
        try:
            async with self._session.request(
                method,
                URL(target, encoded=True),
                data=body or None,
                headers={"User-Agent": "TwilioProxy/1.1", "Accept": "*/*", **headers, **extra},
                allow_redirects=False,
            ) as response:
                content = await response.content.read(_MAX_ANSWER)
                return Answer(response.status, response.content_type, content)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unanswered(f"{url}: {type(error).__name__} {error}") from error

    def _note(self, callback: _Callback, status: int, error: str) -> None:
        self.log.append(Sent(self._exchange.now(), callback.url, callback.params, status, error))


class _Callback:
    """One request to make; a repeated one carries the same idempotency token."""

    __slots__ = ("account_sid", "forged", "idempotency", "method", "params", "url")

    def __init__(self, account_sid: str, url: str, method: str, params: dict[str, str], forged: bool) -> None:
        self.account_sid = account_sid
        self.url = url
        self.method = method.upper()
        self.params = params
        self.forged = forged
        self.idempotency = make_sid("")


def find_route(url: str, routes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Where an address really lies, and the headers a proxy would add. Raises Unroutable when it is not ours."""
    parts = urlsplit(url)
    for public, private in routes.items():
        if url == public or url.startswith(public.rstrip("/") + "/"):
            proxied = {"Host": parts.netloc.rpartition("@")[2], "X-Forwarded-Proto": parts.scheme}
            return private.rstrip("/") + url[len(public.rstrip("/")) :], proxied
    if parts.scheme in ("http", "https") and _is_loopback(parts.hostname or ""):
        return url, {}
    raise Unroutable(f"{url} is not on this machine and in no route, so the test carrier does not ask it")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""A provider of short messages that follows a script: it takes, refuses, keeps silent, or hangs up, as told.

It answers as Twilio's API does for messages, and takes JSON for the generic channel at /plain. What it took is kept
in `messages`; `asked` counts requests. It shares no code with the test carrier.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

ACCOUNT = "AC" + "0a" * 16
TOKEN = "12345"
SERVICE = "MG" + "0b" * 16


@dataclass(frozen=True)
class Script:
    """What becomes of one request. `status` 0: no answer, the connection is cut."""

    status: int = 201
    code: int | None = None
    takes: bool = True  #: whether the message is taken, whatever is answered
    retry_after: str = ""
    body: bytes | None = None
    delay: float = 0.0
    in_pieces: bool = False  #: the answer comes fifty bytes at a time


TAKE = Script()
CUT_BEFORE = Script(status=0, takes=False)
CUT_AFTER = Script(status=0)
SILENCE = Script(delay=30)
GARBAGE = Script(status=201, body=b"<html>what?</html>")
BUSY = Script(status=429, code=20429, takes=False, retry_after="0.05")
BUSY_WITHOUT_TIME = Script(status=429, code=20429, takes=False)
BROKEN = Script(status=500, code=20500)
AWAY = Script(status=503, takes=False, body=b"<html>maintenance</html>", retry_after="1")
GATEWAY = Script(status=502, body=b"<html>bad gateway</html>")


def refusal(code: int, status: int = 400) -> Script:
    return Script(status=status, code=code, takes=False)


@dataclass
class Provider:
    """The state of a running one; `url` is its base."""

    url: str = ""
    script: deque[Script] = field(default_factory=deque)  # for the next requests
    always: Script = TAKE  # for those after the script
    asked: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    def next(self) -> Script:
        return self.script.popleft() if self.script else self.always

    @property
    def bodies(self) -> list[str]:
        return [str(message["body"]) for message in self.messages]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Provider]:
        app = web.Application()
        self._add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", self._create)
        app.router.add_get("/2010-04-01/Accounts/{account}/Messages.json", self._list)
        app.router.add_get("/2010-04-01/Accounts/{account}/Messages/{sid}.json", self._fetch)
        app.router.add_get("/media/{name}", self._media)
        app.router.add_route("*", "/plain", self._plain)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Of a channel to it; short of patience."""
        return {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "base_url": self.url,
            "callback_url": "https://hub.example/callbacks/sms",
            "rate": 10_000,
            "timeouts": {"connect": 2, "answer": 0.5, "turn": 5, "grace": 0.3},
            **changes,
        }

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        fields = {name: [str(value) for value in form.getall(name)] for name in form}
        self.forms.append(fields)
        first = {name: values[0] for name, values in fields.items()}
        return await self._answer(request, first)

    async def _plain(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            asked = dict(request.query)
        elif request.content_type == "application/json":
            asked = await request.json()
        else:
            asked = {name: str(value) for name, value in (await request.post()).items()}
        return await self._answer(request, {"To": asked["to"], "From": asked["from"], "Body": asked["text"]})

    async def _answer(self, request: web.Request, asked: dict[str, str]) -> web.StreamResponse:
        self.asked += 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self.headers.append(dict(request.headers))
        try:
            script = self.next()
            made = self._take(asked) if script.takes else {}
            if script.delay:
                await asyncio.sleep(script.delay)
            if not script.status:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            headers = {"Retry-After": script.retry_after} if script.retry_after else {}
            if script.body is not None:
                return web.Response(status=script.status, body=script.body, headers=headers)
            if script.status >= 400:
                made = {"code": script.code, "message": "no", "status": script.status, "more_info": ""}
            if script.in_pieces:
                return await _trickle(request, script.status, json.dumps(made).encode())
            return web.json_response(made, status=script.status, headers=headers)
        finally:
            self._now -= 1

    def _take(self, asked: dict[str, str]) -> dict[str, Any]:
        number = len(self.messages) + 1
        message: dict[str, Any] = {
            "sid": f"SM{number:032x}",
            "id": f"SM{number:032x}",
            "account_sid": ACCOUNT,
            "body": asked.get("Body", ""),
            "to": asked["To"],
            "from": asked.get("From"),
            "messaging_service_sid": asked.get("MessagingServiceSid"),
            "status": "queued",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "num_segments": "1",
            "num_media": "0",
            "price": None,
            "price_unit": "USD",
            "date_created": format_datetime(datetime.now(UTC)),
            "date_sent": None,
            "date_updated": format_datetime(datetime.now(UTC)),
            "api_version": "2010-04-01",
            "uri": "",
            "subresource_uris": {},
        }
        self.messages.append(message)
        return message

    async def _list(self, request: web.Request) -> web.Response:
        self.asked += 1
        wanted = {"to": request.query.get("To"), "from": request.query.get("From")}
        found = [m for m in reversed(self.messages) if all(v is None or m[n] == v for n, v in wanted.items())]
        if (script := self.next()).status >= 400:
            return web.json_response({"code": script.code, "message": "no"}, status=script.status)
        return web.json_response({"messages": found, "next_page_uri": None, "page": 0, "page_size": 50})

    async def _fetch(self, request: web.Request) -> web.Response:
        for message in self.messages:
            if message["sid"] == request.match_info["sid"]:
                return web.json_response(message)
        return web.json_response({"code": 20404, "message": "no such message", "status": 404}, status=404)

    async def _media(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if "Authorization" not in request.headers:
            return web.Response(status=401)
        if name == "moved":
            raise web.HTTPFound("/media/cat.jpg")
        if name == "elsewhere":
            raise web.HTTPFound("http://169.254.169.254/latest/meta-data")
        if name == "gone":
            raise web.HTTPNotFound
        return web.Response(body=b"JPEG" * 100, content_type="image/jpeg")


async def _trickle(request: web.Request, status: int, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for start in range(0, len(body), 50):
        await response.write(body[start : start + 50])
        await asyncio.sleep(0.002)
    await response.write_eof()
    return response


def inbound_form(**changes: str) -> dict[str, str]:
    """The fields of a message that arrives."""
    return {
        "MessageSid": "SM" + "c0" * 16,
        "AccountSid": ACCOUNT,
        "From": "+33612345678",
        "To": "+33700000001",
        "Body": "Bonjour",
        "NumMedia": "0",
        "NumSegments": "1",
        "FromCountry": "FR",
        **changes,
    }


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()

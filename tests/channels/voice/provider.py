"""A provider of calls that follows a script: it takes, refuses, keeps silent, or hangs up, as told.

What it took is kept in `messages`, as the provider shows a call. It shares no code with the test carrier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from tests.channels.sms.provider import ACCOUNT, TOKEN, Provider

RECORDING = "RE" + "0d" * 16


@dataclass
class CallProvider(Provider):
    """The state of a running one; `deleted`: the recordings and transcripts that it was told to forget."""

    deleted: list[str] = field(default_factory=list)

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_post("/2010-04-01/Accounts/{account}/Calls.json", self._create)
        app.router.add_get("/2010-04-01/Accounts/{account}/Calls.json", self._list)
        app.router.add_get("/2010-04-01/Accounts/{account}/Calls/{sid}.json", self._fetch)
        app.router.add_post("/2010-04-01/Accounts/{account}/Calls/{sid}.json", self._update)
        app.router.add_get("/2010-04-01/Accounts/{account}/Recordings/{sid}/Transcriptions.json", self._texts)
        app.router.add_get("/2010-04-01/Accounts/{account}/Recordings/{name}", self._sound)
        app.router.add_delete("/2010-04-01/Accounts/{account}/{kind}/{name}.json", self._delete)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Of a channel to it; short of patience."""
        values = super().settings()
        account = {name: values[name] for name in ("account_sid", "auth_token", "base_url")}
        return {"account": account, "rate": values["rate"], "timeouts": values["timeouts"], **changes}

    def _take(self, asked: dict[str, str]) -> dict[str, Any]:
        now = format_datetime(datetime.now(UTC))
        call: dict[str, Any] = {
            "sid": f"CA{len(self.messages) + 1:032x}",
            "account_sid": ACCOUNT,
            "to": asked["To"],
            "from": asked["From"],
            "status": "queued",
            "direction": "outbound-api",
            "parent_call_sid": None,
            "date_created": now,
            "date_updated": now,
            "start_time": None,
            "end_time": None,
            "duration": None,
            "price": None,
            "price_unit": "USD",
        }
        self.messages.append(call)
        return call

    async def _list(self, request: web.Request) -> web.Response:
        self.asked += 1
        fields = {"To": "to", "From": "from", "ParentCallSid": "parent_call_sid"}
        wanted = {field: request.query[name] for name, field in fields.items() if name in request.query}
        found = [
            c for c in reversed(self.messages) if all(c[field] == value for field, value in wanted.items())
        ]
        if (script := self.next()).status >= 400:
            return web.json_response({"code": script.code, "message": "no"}, status=script.status)
        return web.json_response({"calls": found, "next_page_uri": None, "page": 0, "page_size": 50})

    async def _update(self, request: web.Request) -> web.Response:
        self.asked += 1
        if (script := self.next()).status >= 400:
            return web.json_response({"code": script.code, "message": "no"}, status=script.status)
        return await self._fetch(request)

    async def _texts(self, request: web.Request) -> web.Response:
        """Transcripts of the recording, which outlive it."""
        made = format_datetime(datetime.now(UTC))
        texts = [
            {"sid": f"TR{number:032x}", "date_created": made, "date_updated": made, "status": "completed"}
            for number in (1, 2)
            if f"TR{number:032x}" not in self.deleted
        ]
        return web.json_response({"transcriptions": texts, "page": 0, "next_page_uri": None})

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.deleted:
            return web.json_response({"code": 20404, "message": "gone", "status": 404}, status=404)
        self.deleted.append(name)
        return web.Response(status=204)

    async def _sound(self, request: web.Request) -> web.Response:
        name, _, form = request.match_info["name"].partition(".")
        if "Authorization" not in request.headers:
            return web.Response(status=401)
        if name != RECORDING:
            raise web.HTTPNotFound
        if form == "wav":
            raise web.HTTPFound("http://169.254.169.254/latest/meta-data")
        if form == "odd":
            return web.Response(status=302, headers={"Location": "https://[nowhere"})
        if form == "port":
            return web.Response(status=302, headers={"Location": "https://a.twilio.com:x/"})
        return web.Response(body=b"MP3!" * 100, content_type="audio/mpeg")


__all__ = ["ACCOUNT", "RECORDING", "TOKEN", "CallProvider"]

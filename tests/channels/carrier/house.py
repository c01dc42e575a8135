"""Our side of the carrier, for its tests: addresses that answer with documents, and check every signature."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web
from twilio.request_validator import RequestValidator

Seen = TypeVar("Seen")


@dataclass
class Told:
    """A request of the carrier."""

    path: str
    params: dict[str, str]
    signed: bool


@dataclass
class House:
    """Answers what `documents` say for a path; notes everything."""

    token: str
    public: str = ""  #: the address that was signed, when it is another than the one asked
    told: list[Told] = field(default_factory=list)
    documents: dict[str, str | Callable[[dict[str, str]], str]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.path
        if path in self.files:
            content_type, content = self.files[path]
            return web.Response(body=content, content_type=content_type)
        form = {key: str(value) for key, value in (await request.post()).items()}
        root = self.public or self.url
        signature = request.headers.get("X-Twilio-Signature", "")
        url = root + request.raw_path
        signed = bool(RequestValidator(self.token).validate(url, form, signature))
        params = form or dict(request.query)
        self.told.append(Told(path, params, signed))
        document = self.documents.get(path, "")
        text = document(params) if callable(document) else document
        return web.Response(text=text, status=self.statuses.get(path, 200), content_type="text/xml")

    def about(self, path: str) -> list[dict[str, str]]:
        """What a path was told, in order."""
        return [one.params for one in self.told if one.path == path]

    async def wait_for(self, path: str, count: int = 1) -> list[dict[str, str]]:
        """What a path was told, once it was told so often."""
        return await eventually(lambda: self.about(path) if len(self.about(path)) >= count else [])


async def eventually(look: Callable[[], Seen], seconds: float = 5.0) -> Seen:
    """What `look` gives, as soon as it is true; fails after a while."""
    until = asyncio.get_running_loop().time() + seconds
    while not (seen := look()):
        if asyncio.get_running_loop().time() > until:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.005)
    return seen

"""The doors that mails lead to: pixel, redirect and download; each answers when its hit is committed, not before.

Any application may mount them with `add_tracking_routes`. Forged or unknown tokens get a calm 404; a redirect leads
only where a campaign's own links lead.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import Future
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aiohttp import web

from domain.clock import Clock
from domain.errors import Unavailable
from domain.tokens import TEXT_LENGTH, TokenKeys, TokenUse
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tracking.hits import Hit, Outcome
from tracking.links import load_links, load_recent_links
from tracking.recorder import Recorder
from tracking.remembered import TROUBLE, Remembered
from tracking.settings import TrackingSettings
from web.tracking.answers import NO_STORE, UNRECORDED, AnswerKit
from web.tracking.downloads import Downloads
from web.tracking.pages import Note, answer_note
from web.tracking.preferences import Preferences
from web.tracking.redirects import Redirect, make_redirects
from web.tracking.source import SourceReader, read_agent, read_reasons

#: A transparent picture of one pixel (GIF89a).
GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_LATER: Final = {"Retry-After": "5"}
GIF_HEADERS: Final = {
    "Content-Type": "image/gif",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    **NO_STORE,
}

PIXEL: Final = AnswerKit(200, GIF_HEADERS, GIF)
PIXEL_UNKNOWN: Final = AnswerKit(404, GIF_HEADERS, GIF)
PIXEL_UNRECORDED: Final = AnswerKit(503, {"Content-Type": "text/plain", **NO_STORE, **_LATER, **UNRECORDED})


@dataclass(slots=True)
class TrackingEndpoints:
    """What the doors work with. The recorder must be started before the first request."""

    pool: Pool
    recorder: Recorder
    announcer: Announcer
    clock: Clock
    tokens: TokenKeys
    blobs: BlobStore
    settings: TrackingSettings = field(default_factory=TrackingSettings)


def add_tracking_routes(app: web.Application, endpoints: TrackingEndpoints) -> None:
    """Mount /o, /c, /d and /u."""
    doors = Doors(endpoints)
    downloads = Downloads(endpoints.pool, endpoints.blobs, endpoints.tokens, endpoints.settings, doors.put)
    preferences = Preferences(endpoints.pool, endpoints.announcer, endpoints.clock, endpoints.tokens)
    app.cleanup_ctx.append(doors.keep_warm)
    app.router.add_get("/o/{name}", doors.answer_pixel)
    app.router.add_get("/c/{name}", doors.answer_click)
    app.router.add_get("/d/{token}/{name}", downloads.answer)
    app.router.add_get("/u/{token}", preferences.show)
    app.router.add_post("/u/{token}", preferences.change)


class Doors:
    """The handlers of pixel and redirect, and what all doors share."""

    def __init__(self, endpoints: TrackingEndpoints) -> None:
        settings = endpoints.settings
        self._verify = endpoints.tokens.verify
        self._now = endpoints.clock.now
        self._put = endpoints.recorder.put
        self._source = SourceReader(settings.trusted_proxies)
        self._pool = endpoints.pool
        self._pause = settings.cache_seconds * 0.8
        self._redirects: Remembered[int, Mapping[int, Redirect]] = Remembered(
            partial(_load_redirects, endpoints.pool),
            seconds=settings.cache_seconds,
            patience=settings.patience,
        )

    async def keep_warm(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the links of recent campaigns in memory, so that redirects work whenever the database goes away."""
        warming = asyncio.create_task(self._warm_forever(), name="links")
        yield
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)

    async def _warm_forever(self) -> None:
        while True:
            with contextlib.suppress(*TROUBLE):
                async with asyncio.timeout(self._pause):
                    for campaign_id, links in (await load_recent_links(self._pool)).items():
                        self._redirects.keep(campaign_id, make_redirects(links))
            await asyncio.sleep(self._pause)

    async def answer_pixel(self, request: web.Request) -> web.StreamResponse:
        """GET, HEAD /o/{token}.gif"""
        name = request.match_info["name"]
        token = self._verify(name[:TEXT_LENGTH], TokenUse.MEASURE) if name[TEXT_LENGTH:] == ".gif" else None
        if token is None:
            return PIXEL_UNKNOWN.fit(request)
        outcome = await self.put(request, "Opened", token.campaign_id, token.message_id)
        return (PIXEL_UNRECORDED if outcome is Outcome.UNRECORDED else PIXEL).fit(request)

    async def answer_click(self, request: web.Request) -> web.StreamResponse:
        """GET, HEAD /c/{token}.{n}"""
        name = request.match_info["name"]
        number = _read_number(name[TEXT_LENGTH:])
        token = self._verify(name[:TEXT_LENGTH], TokenUse.MEASURE) if number is not None else None
        if token is None or number is None:
            return answer_note(request, Note.UNKNOWN_LINK)
        try:
            redirect = (await self._redirects.get(token.campaign_id)).get(number)
            if redirect is None:  # a draft that was tried out may have got another link since
                redirect = (await self._redirects.get(token.campaign_id, age=1.0)).get(number)
        except Unavailable:
            return answer_note(request, Note.UNAVAILABLE)
        if redirect is None:
            return answer_note(request, Note.UNKNOWN_LINK)
        outcome = await self.put(
            request,
            "Clicked",
            token.campaign_id,
            token.message_id,
            link_no=number,
            data=redirect.data,
        )
        return redirect.fit(request, recorded=outcome is not Outcome.UNRECORDED)

    def put(
        self,
        request: web.Request,
        kind: str,
        campaign_id: int,
        message_id: int | None,
        *,
        link_no: int | None = None,
        data: str | None = None,
    ) -> Future[Outcome]:
        """Hand the hit of this request to the recorder; the future tells what became of it."""
        return self._put(
            Hit(
                kind,
                self._now(),
                campaign_id,
                message_id,
                link_no,
                request.method,
                self._source.address(request),
                read_agent(request),
                read_reasons(request),
                data,
            )
        )


async def _load_redirects(pool: Pool, campaign_id: int) -> Mapping[int, Redirect]:
    return make_redirects(await load_links(pool, campaign_id))


def _read_number(text: str) -> int | None:
    """The number in `.12`: one to four digits after a dot, not beginning with a zero."""
    digits = text[1:]
    if text[:1] != "." or not 1 <= len(digits) <= 4 or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits) if digits[0] != "0" else None

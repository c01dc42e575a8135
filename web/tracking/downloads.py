"""Downloads: /d/{token}/{name}, and /d/none/{name} for mails that measure nothing.

A name is looked up in the table of assets and never touches the file system; the bytes come from the BlobStore by
their digest. Browsers are always told to save the file, never to show it, so an uploaded page or drawing cannot run
as ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from functools import partial
from typing import Final, Protocol
from urllib.parse import quote

from aiohttp import web

from domain.errors import NotFound, Unavailable
from domain.tokens import TokenKeys, TokenUse
from storage.blobs import BlobStore
from storage.pool import Pool
from tracking.hits import Outcome
from tracking.links import Asset, load_asset
from tracking.remembered import Remembered
from tracking.settings import TrackingSettings
from web.tracking.answers import NO_STORE, UNRECORDED
from web.tracking.pages import Note, answer_note

#: In place of a token: nothing is measured.
UNTRACKED: Final = "none"
NAME_LENGTH: Final = 255
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_FIRST_BYTES: Final = re.compile(r"\s*(bytes\s*=\s*0\s*-.*)?", re.IGNORECASE)
_RFC_8187: Final = "!#$&+-.^_`|~"  # attr-char, besides letters and digits


class Put(Protocol):
    """Hand the hit of a request to the recorder."""

    def __call__(
        self,
        request: web.Request,
        kind: str,
        campaign_id: int,
        message_id: int | None,
        *,
        link_no: int | None = None,
        data: str | None = None,
    ) -> Awaitable[Outcome]:
        """Give the outcome after the commit, or UNRECORDED."""
        ...


class Downloads:
    """The handler of downloads."""

    def __init__(
        self, pool: Pool, blobs: BlobStore, tokens: TokenKeys, settings: TrackingSettings, put: Put
    ) -> None:
        self._blobs = blobs
        self._tokens = tokens
        self._put = put
        self._assets: Remembered[str, Asset | None] = Remembered(
            partial(load_asset, pool), seconds=settings.cache_seconds, patience=settings.patience, limit=2000
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """GET, HEAD /d/{token}/{name}"""
        text, name = request.match_info["token"], request.match_info["name"]
        token = self._tokens.verify(text, TokenUse.MEASURE)
        if (token is None and text != UNTRACKED) or len(name) > NAME_LENGTH or not name.isprintable():
            return answer_note(request, Note.UNKNOWN_FILE)
        try:
            asset = await self._assets.get(name)
            path = self._blobs.path(asset.blob) if asset is not None else None
        except Unavailable:
            return answer_note(request, Note.UNAVAILABLE)
        except NotFound:
            path = None
        if asset is None or path is None:
            return answer_note(request, Note.UNKNOWN_FILE)
        headers = describe_file(asset)
        if token is not None and is_beginning(request):
            outcome = await self._put(
                request,
                "Downloaded",
                token.campaign_id,
                token.message_id,
                data=json.dumps({"asset": asset.name}, ensure_ascii=False),
            )
            if outcome is Outcome.UNRECORDED:
                headers |= UNRECORDED
        return web.FileResponse(path, headers=headers)


def is_beginning(request: web.BaseRequest) -> bool:
    """Tell whether this request starts a download; those for later parts of a file are no hits of their own."""
    return _FIRST_BYTES.fullmatch(request.headers.get("Range", "")) is not None


def describe_file(asset: Asset) -> dict[str, str]:
    """The headers of a download (RFC 6266, with the name as in RFC 8187)."""
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", asset.name)
    media_type = asset.media_type.lower()
    return {
        "Content-Type": media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream",
        "Content-Disposition": (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(asset.name, safe=_RFC_8187)}"
        ),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        **NO_STORE,
    }

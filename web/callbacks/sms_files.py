"""What the SMS provider fetches of us: the files of a message that we asked it to send.

Whoever has the address may fetch, for as long as its token says; nobody else learns even that there is a message.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from domain.errors import NotFound
from domain.tokens import TokenKeys
from outbox.texts.files import load_file, read_address
from storage.blobs import BlobStore
from storage.pool import DATABASE_AWAY, Pool
from tracking.links import Asset
from web.callbacks.requests import TAKEN, answer
from web.tracking.downloads import describe_file

#: below the address of the SMS callbacks
FILES_PATH: Final = "files"


class SmsFiles:
    """The handler of GET and HEAD /callbacks/sms/files/{token}/{no}."""

    def __init__(self, pool: Pool, blobs: BlobStore, tokens: TokenKeys) -> None:
        self._pool = pool
        self._blobs = blobs
        self._tokens = tokens

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The file, as a download that no browser shows as a page of ours."""
        message_id = read_address(self._tokens, request.match_info["token"])
        number = request.match_info["no"]
        if message_id is None or not (number.isascii() and number.isdecimal() and len(number) < 3):
            return answer("sms", "file", "unknown", 404)
        try:
            file = await load_file(self._pool, message_id, int(number))
            path = self._blobs.path(file.blob) if file is not None else None
        except DATABASE_AWAY:
            return answer("sms", "file", "unavailable", 503)
        except NotFound:
            path = None
        if file is None or path is None:
            return answer("sms", "file", "unknown", 404)
        TAKEN.labels("sms", "file", "fetched").inc()
        return web.FileResponse(
            path, headers=describe_file(Asset(file.name, file.blob, file.media_type, file.size))
        )

"""What the callbacks of all providers have in common: the request as the provider saw it, refusing, patience, answers.

Nothing of a request is read before its signature holds for the address as the provider saw it. There is no session and
no secret of a form here. A provider repeats and reorders; the rooms below take that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiohttp import web
from prometheus_client import Counter

from channels.base import CallbackRequest
from channels.twilio.signatures import SIGNATURE, seen_url
from domain.errors import InvalidInput, Unavailable
from storage.pool import DATABASE_AWAY

log = logging.getLogger("clytie.callbacks")

LARGEST: Final = 65_536  # bytes of a body; a provider's form has a few thousand
PATIENCE: Final = 8.0  # seconds for the database: providers wait 15 for an answer
_PAUSE: Final = 0.25
_LATER: Final = {"Retry-After": "5"}

TAKEN: Final = Counter("clytie_callbacks", "Requests of providers", ["channel", "kind", "result"])

Result = TypeVar("Result")


async def read_request(request: web.Request, public_url: str) -> CallbackRequest:
    """The request as the provider saw it. Raises InvalidInput for a body that is too large."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > LARGEST:
            raise InvalidInput("body", f"longer than {LARGEST} bytes.", "Send the provider's form.")
        pieces.append(piece)
    url = seen_url(public_url, request.raw_path)
    return CallbackRequest(request.method, url, dict(request.headers), b"".join(pieces))


async def insist(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do it, and again while the database is away: few providers repeat a request. Raises Unavailable in the end."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await work()
                except DATABASE_AWAY:
                    await asyncio.sleep(_PAUSE)
    except TimeoutError as error:
        raise Unavailable("The database is away.") from error


def refuse(channel: str, kind: str, error: InvalidInput) -> web.Response:
    """The answer to a request that is forged (403), too large (413) or senseless (400)."""
    if error.field.lower() == SIGNATURE:
        log.warning("a %s with a wrong signature came: %s", kind, error)
        return answer(channel, kind, "forged", 403)
    return answer(channel, kind, "invalid", 413 if error.field == "body" else 400)


def answer(channel: str, kind: str, result: str, status: int) -> web.Response:
    """An answer without content, counted."""
    TAKEN.labels(channel, kind, result).inc()
    return web.Response(status=status, headers=_LATER if status == 503 else {})


def answer_document(channel: str, kind: str, text: str) -> web.Response:
    """A document in the provider's language, counted."""
    TAKEN.labels(channel, kind, "taken").inc()
    return web.Response(text=text, content_type="text/xml", charset="utf-8")

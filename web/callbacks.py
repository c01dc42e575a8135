"""What providers call: reports about our short messages, and messages that arrive. Answered when committed, not before.

Nothing of a request is read before its signature holds for the address as the provider saw it. There is no session and
no secret of a form here. A provider repeats and reorders; the rooms below take that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import Counter

from channels.base import CallbackRequest, Received
from channels.sms.reports import INBOUND_PATH, STATUS_PATH, Report
from channels.sms.signatures import SIGNATURE, seen_url
from domain.clock import Clock
from domain.errors import InvalidInput, NotFound, Unavailable
from domain.messages import ChannelKind
from domain.tokens import TokenKeys, TokenUse
from inbox.texts.reports import take_report
from storage.announce import Announcer
from storage.pool import DATABASE_AWAY, Pool

log = logging.getLogger("clytie.callbacks")

#: below our public address; the setting `sms.callback_url` ends in it
SMS_PATH: Final = "/callbacks/sms"
_LARGEST: Final = 65_536  # bytes of a body; a provider's form has a few thousand
_PATIENCE: Final = 8.0  # seconds for the database: providers wait 15 for an answer
_PAUSE: Final = 0.25
_LATER: Final = {"Retry-After": "5"}
#: an answer in the provider's language that tells it to do nothing
_NOTHING: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

TAKEN: Final = Counter("clytie_callbacks", "Requests of providers", ["channel", "kind", "result"])


class SmsProvider(Protocol):
    """The part of a channel that reads what its provider sends (channels/sms/twilio.py)."""

    def verify(self, request: CallbackRequest) -> None:
        """Raises InvalidInput when the signature does not hold."""
        ...

    def parse_report(self, request: CallbackRequest) -> Report | None:
        """The report in a signed request; None for a state that nobody knows. Raises InvalidInput."""
        ...

    def parse_inbound(self, raw: bytes) -> Received:
        """The envelope of a message; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class SmsCallbacks:
    """What the routes work with. `public_url`: our address as the provider calls it, without `/callbacks/sms`.

    `take` keeps a message, and raises Unavailable when that cannot be done now.
    """

    provider: SmsProvider
    public_url: str
    take: Callable[[Received], Awaitable[object]]
    pool: Pool
    clock: Clock
    tokens: TokenKeys
    announcer: Announcer | None = None


def add_sms_callbacks(app: web.Application, callbacks: SmsCallbacks) -> None:
    """Mount the routes of short messages."""
    routes = _Routes(callbacks)
    app.router.add_post(f"{SMS_PATH}/{STATUS_PATH}/{{token}}", routes.take_report)
    app.router.add_post(f"{SMS_PATH}/{INBOUND_PATH}", routes.take_message)


class _Routes:
    def __init__(self, callbacks: SmsCallbacks) -> None:
        self._with = callbacks

    async def take_report(self, request: web.Request) -> web.Response:
        """POST /callbacks/sms/status/{token}"""
        try:
            report = self._with.provider.parse_report(await self._read(request))
        except InvalidInput as error:
            return _refuse("report", error)
        if report is None:
            return _answer("report", "unknown_state", 204)
        token = self._with.tokens.verify(report.token, TokenUse.CALLBACK)
        if token is None or token.message_id is None:
            return _answer("report", "unknown_token", 404)
        try:
            async with asyncio.timeout(_PATIENCE):
                news = await self._keep(token.message_id, report)
        except NotFound:
            return _answer("report", "unknown_message", 404)
        except (TimeoutError, *DATABASE_AWAY) as error:
            log.warning("a report could not be kept: %s", str(error) or type(error).__name__)
            return _answer("report", "unavailable", 503)
        return _answer("report", "news" if news else "known", 204)

    async def _keep(self, message_id: int, report: Report) -> bool:
        """Keep it, trying again while the database is away: few providers repeat a report."""
        here = self._with
        while True:
            try:
                return await take_report(here.pool, here.clock, message_id, report, here.announcer)
            except DATABASE_AWAY:
                await asyncio.sleep(_PAUSE)

    async def take_message(self, request: web.Request) -> web.Response:
        """POST /callbacks/sms/inbound"""
        try:
            asked = await self._read(request)
            self._with.provider.verify(asked)
        except InvalidInput as error:
            return _refuse("message", error)
        received = self._with.provider.parse_inbound(asked.body)
        try:
            await self._with.take(replace(received, door="sms", kind=ChannelKind.SMS))
        except Unavailable:
            return _answer("message", "unavailable", 503)
        TAKEN.labels("sms", "message", "taken").inc()
        return web.Response(text=_NOTHING, content_type="text/xml", charset="utf-8")

    async def _read(self, request: web.Request) -> CallbackRequest:
        """The request as the provider saw it. Raises InvalidInput for a body that is too large."""
        pieces: list[bytes] = []
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > _LARGEST:
                raise InvalidInput("body", f"longer than {_LARGEST} bytes.", "Send the provider's form.")
            pieces.append(piece)
        url = seen_url(self._with.public_url, request.raw_path)
        return CallbackRequest(request.method, url, dict(request.headers), b"".join(pieces))


def _refuse(kind: str, error: InvalidInput) -> web.Response:
    if error.field.lower() == SIGNATURE:
        log.warning("a %s with a wrong signature came: %s", kind, error)
        return _answer(kind, "forged", 403)
    return _answer(kind, "invalid", 413 if error.field == "body" else 400)


def _answer(kind: str, result: str, status: int) -> web.Response:
    TAKEN.labels("sms", kind, result).inc()
    return web.Response(status=status, headers=_LATER if status == 503 else {})

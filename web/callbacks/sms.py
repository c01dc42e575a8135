"""What the SMS provider calls: reports about our short messages, and messages that arrive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from aiohttp import web

from channels.base import CallbackRequest, Received
from channels.sms.reports import INBOUND_PATH, STATUS_PATH, Report
from domain.clock import Clock
from domain.errors import InvalidInput, NotFound, Unavailable
from domain.messages import ChannelKind
from domain.tokens import TokenKeys, TokenUse
from inbox.texts.report_groups import ReportGroups
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from web.callbacks.requests import answer, answer_document, insist, log, read_request, refuse
from web.callbacks.sms_files import FILES_PATH, SmsFiles

#: below our public address; the setting `sms.callback_url` ends in it
SMS_PATH: Final = "/callbacks/sms"
#: an answer in the provider's language that tells it to do nothing
_NOTHING: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


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

    `take` keeps a message, and raises Unavailable when that cannot be done now. `blobs`: where files that go out lie.
    """

    provider: SmsProvider
    public_url: str
    take: Callable[[Received], Awaitable[object]]
    pool: Pool
    clock: Clock
    tokens: TokenKeys
    announcer: Announcer | None = None
    blobs: BlobStore | None = None


def add_sms_callbacks(app: web.Application, callbacks: SmsCallbacks) -> None:
    """Mount the routes of short messages."""
    routes = _Routes(callbacks)
    app.router.add_post(f"{SMS_PATH}/{STATUS_PATH}/{{token}}", routes.take_report)
    app.router.add_post(f"{SMS_PATH}/{INBOUND_PATH}", routes.take_message)
    if callbacks.blobs is not None:
        files = SmsFiles(callbacks.pool, callbacks.blobs, callbacks.tokens)
        app.router.add_get(f"{SMS_PATH}/{FILES_PATH}/{{token}}/{{no}}", files.answer)


class _Routes:
    def __init__(self, callbacks: SmsCallbacks) -> None:
        self._with = callbacks
        self._reports = ReportGroups(callbacks.pool, callbacks.clock, callbacks.announcer)

    async def take_report(self, request: web.Request) -> web.Response:
        """POST /callbacks/sms/status/{token}"""
        here = self._with
        try:
            report = here.provider.parse_report(await read_request(request, here.public_url))
        except InvalidInput as error:
            return refuse("sms", "report", error)
        if report is None:
            return answer("sms", "report", "unknown_state", 204)
        token = here.tokens.verify(report.token, TokenUse.CALLBACK)
        if token is None or token.message_id is None:
            return answer("sms", "report", "unknown_token", 404)
        message_id = token.message_id
        try:
            news = await insist(lambda: self._reports.take(message_id, report))
        except NotFound:
            return answer("sms", "report", "unknown_message", 404)
        except Unavailable as error:
            log.warning("a report could not be kept: %s", error)
            return answer("sms", "report", "unavailable", 503)
        return answer("sms", "report", "news" if news else "known", 204)

    async def take_message(self, request: web.Request) -> web.Response:
        """POST /callbacks/sms/inbound"""
        here = self._with
        try:
            asked = await read_request(request, here.public_url)
            here.provider.verify(asked)
        except InvalidInput as error:
            return refuse("sms", "message", error)
        received = here.provider.parse_inbound(asked.body)
        try:
            await here.take(replace(received, door="sms", kind=ChannelKind.SMS))
        except Unavailable:
            return answer("sms", "message", "unavailable", 503)
        return answer_document("sms", "message", _NOTHING)

"""What the voice provider calls: it asks what a caller hears next, and reports how calls stand.

Every address but that of calls that come in holds the call's signed token. An answer is a document in the provider's
language, given when what happened is committed; asked twice, the same is answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from aiohttp import web

from channels.base import CallbackRequest
from domain.calls import Document
from domain.errors import InvalidInput, NotFound, Unavailable
from inbox.calls.addresses import VOICE_PATH
from inbox.calls.provider import CallProvider
from inbox.calls.switchboard import Switchboard
from inbox.lines.desk import LineDesk
from web.callbacks.requests import answer, answer_document, insist, log, read_request, refuse

#: What is done with a signed request about a call: the document that is answered; None when nothing is to be said.
AboutCall = Callable[[int, CallbackRequest], Awaitable[Document | None]]
#: The same for a request that begins a call.
FirstWord = Callable[[CallbackRequest], Awaitable[Document | None]]

_CALL: Final = f"{VOICE_PATH}/{{token}}"


class VoiceProvider(CallProvider, Protocol):
    """A channel that also reads what its provider sends, and writes what callers hear (channels/voice/twilio.py)."""

    def verify(self, request: CallbackRequest) -> None:
        """Raises InvalidInput when the signature does not hold."""
        ...

    def write(self, document: Document) -> str:
        """The document in the provider's language."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceCallbacks:
    """What the routes work with. `lines`: what calls that come in are answered with; None where none are taken."""

    provider: VoiceProvider
    switchboard: Switchboard
    lines: LineDesk | None = None


class VoiceDoor:
    """Mounts routes: each request is verified, handled until it is committed, and answered with a document."""

    def __init__(self, app: web.Application, callbacks: VoiceCallbacks) -> None:
        self._app = app
        self._with = callbacks

    def add(self, what: str, work: AboutCall) -> None:
        """POST /callbacks/voice/{token}/`what`. `work` may raise NotFound, InvalidInput, and what it raises while the
        database is away; it is tried again then."""
        kind = what.partition("/")[0]

        async def take(request: web.Request) -> web.Response:
            message_id = self._with.switchboard.addresses.read(request.match_info["token"])

            async def about(asked: CallbackRequest) -> Document | None:
                if message_id is None:
                    raise NotFound("This address is not one of ours.")
                return await work(message_id, asked)

            return await self._take(request, kind, about)

        self._app.router.add_post(f"{_CALL}/{what}", take)

    def add_first(self, path: str, work: FirstWord) -> None:
        """POST `path`, for requests about calls that we do not know yet."""

        async def take(request: web.Request) -> web.Response:
            return await self._take(request, "inbound", work)

        self._app.router.add_post(path, take)

    async def _take(self, request: web.Request, kind: str, work: FirstWord) -> web.Response:
        here = self._with
        try:
            asked = await read_request(request, here.switchboard.addresses.public_url)
            here.provider.verify(asked)
            document = await insist(partial(work, asked))
        except InvalidInput as error:
            return refuse("voice", kind, error)
        except NotFound:
            return answer("voice", kind, "unknown_call", 404)
        except Unavailable as error:
            log.warning("a request about a call could not be kept: %s", error)
            return answer("voice", kind, "unavailable", 503)
        if document is None:
            return answer("voice", kind, "taken", 204)
        return answer_document("voice", kind, here.provider.write(document))

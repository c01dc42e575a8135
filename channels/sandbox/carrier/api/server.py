"""The interface as an aiohttp application: who may ask, how often, what mischief does to the answer, and the routes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from multidict import MultiDict, MultiMapping

from channels.sandbox.carrier.api import accounts, calls, gatherings, messages, recordings
from channels.sandbox.carrier.api.asked import Asked, Handler
from channels.sandbox.carrier.api.control import add_controls
from channels.sandbox.carrier.handsets import Handsets
from channels.sandbox.carrier.mischief import OF_ANSWERS, Occasion, Rule, Trick
from channels.sandbox.carrier.parts import Parts
from channels.sandbox.carrier.records import Account
from channels.sandbox.carrier.refusals import Refusal

TRICK_HEADER: Final = "X-Carrier-Trick"  #: of one request: the name of a trick that spoils its answer
RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_ROOT: Final = "/2010-04-01/Accounts"
_SILENCE: Final = 600.0  #: real seconds that `silent` waits for the asker to give up

#: Method, address below `_ROOT`, handler, and the resource as rules name it.
ROUTES: Final[tuple[tuple[str, str, Handler, str], ...]] = (
    ("POST", ".json", accounts.create_account, "accounts"),
    ("GET", ".json", accounts.list_accounts, "accounts"),
    ("GET", "/{account}.json", accounts.fetch_account, "accounts"),
    ("POST", "/{account}.json", accounts.update_account, "accounts"),
    ("POST", "/{account}/IncomingPhoneNumbers.json", accounts.create_number, "numbers"),
    ("GET", "/{account}/IncomingPhoneNumbers.json", accounts.list_numbers, "numbers"),
    ("GET", "/{account}/IncomingPhoneNumbers/{sid}.json", accounts.fetch_number, "numbers"),
    ("POST", "/{account}/IncomingPhoneNumbers/{sid}.json", accounts.update_number, "numbers"),
    ("DELETE", "/{account}/IncomingPhoneNumbers/{sid}.json", accounts.delete_number, "numbers"),
    ("POST", "/{account}/Messages.json", messages.create, "messages"),
    ("GET", "/{account}/Messages.json", messages.list_all, "messages"),
    ("GET", "/{account}/Messages/{sid}.json", messages.fetch, "messages"),
    ("POST", "/{account}/Messages/{sid}.json", messages.update, "messages"),
    ("DELETE", "/{account}/Messages/{sid}.json", messages.delete, "messages"),
    ("POST", "/{account}/Messages/{sid}/Feedback.json", messages.create_feedback, "messages"),
    ("GET", "/{account}/Messages/{sid}/Media.json", messages.list_media, "media"),
    ("GET", "/{account}/Messages/{sid}/Media/{media}.json", messages.fetch_media, "media"),
    ("DELETE", "/{account}/Messages/{sid}/Media/{media}.json", messages.delete_media, "media"),
    ("GET", "/{account}/Messages/{sid}/Media/{media:ME[0-9a-f]+}", messages.fetch_content, "content"),
    ("POST", "/{account}/Calls.json", calls.create, "calls"),
    ("GET", "/{account}/Calls.json", calls.list_all, "calls"),
    ("GET", "/{account}/Calls/{sid}.json", calls.fetch, "calls"),
    ("POST", "/{account}/Calls/{sid}.json", calls.update, "calls"),
    ("DELETE", "/{account}/Calls/{sid}.json", calls.delete, "calls"),
    ("GET", "/{account}/Calls/{sid}/Events.json", calls.list_events, "calls"),
    ("POST", "/{account}/Calls/{sid}/Recordings.json", calls.start_recording, "recordings"),
    ("GET", "/{account}/Calls/{sid}/Recordings.json", calls.list_recordings, "recordings"),
    ("GET", "/{account}/Calls/{sid}/Recordings/{recording}.json", calls.fetch_recording, "recordings"),
    ("POST", "/{account}/Calls/{sid}/Recordings/{recording}.json", calls.update_recording, "recordings"),
    ("GET", "/{account}/Recordings.json", recordings.list_all, "recordings"),
    ("GET", "/{account}/Recordings/{sid}.json", recordings.fetch, "recordings"),
    ("DELETE", "/{account}/Recordings/{sid}.json", recordings.delete, "recordings"),
    ("GET", "/{account}/Recordings/{sid:RE[0-9a-f]+}", recordings.fetch_sound, "content"),
    ("GET", "/{account}/Recordings/{sid:RE[0-9a-f]+}.wav", recordings.fetch_sound, "content"),
    ("GET", "/{account}/Recordings/{sid:RE[0-9a-f]+}.mp3", recordings.fetch_sound, "content"),
    (
        "GET",
        "/{account}/Recordings/{recording}/Transcriptions.json",
        recordings.list_transcriptions,
        "recordings",
    ),
    (
        "GET",
        "/{account}/Recordings/{recording}/Transcriptions/{sid}.json",
        recordings.fetch_transcription,
        "recordings",
    ),
    ("GET", "/{account}/Transcriptions.json", recordings.list_transcriptions, "recordings"),
    ("GET", "/{account}/Transcriptions/{sid}.json", recordings.fetch_transcription, "recordings"),
    ("DELETE", "/{account}/Transcriptions/{sid}.json", recordings.delete_transcription, "recordings"),
    ("POST", "/{account}/Queues.json", gatherings.create_queue, "queues"),
    ("GET", "/{account}/Queues.json", gatherings.list_queues, "queues"),
    ("GET", "/{account}/Queues/{sid}.json", gatherings.fetch_queue, "queues"),
    ("POST", "/{account}/Queues/{sid}.json", gatherings.update_queue, "queues"),
    ("DELETE", "/{account}/Queues/{sid}.json", gatherings.delete_queue, "queues"),
    ("GET", "/{account}/Queues/{sid}/Members.json", gatherings.list_members, "queues"),
    ("GET", "/{account}/Queues/{sid}/Members/{call}.json", gatherings.fetch_member, "queues"),
    ("POST", "/{account}/Queues/{sid}/Members/{call}.json", gatherings.update_member, "queues"),
    ("GET", "/{account}/Conferences.json", gatherings.list_conferences, "conferences"),
    ("GET", "/{account}/Conferences/{sid}.json", gatherings.fetch_conference, "conferences"),
    ("POST", "/{account}/Conferences/{sid}.json", gatherings.update_conference, "conferences"),
    ("GET", "/{account}/Conferences/{sid}/Participants.json", gatherings.list_participants, "conferences"),
    (
        "GET",
        "/{account}/Conferences/{sid}/Participants/{call}.json",
        gatherings.fetch_participant,
        "conferences",
    ),
    (
        "POST",
        "/{account}/Conferences/{sid}/Participants/{call}.json",
        gatherings.update_participant,
        "conferences",
    ),
    (
        "DELETE",
        "/{account}/Conferences/{sid}/Participants/{call}.json",
        gatherings.delete_participant,
        "conferences",
    ),
)


def build_app(parts: Parts, phones: Handsets) -> web.Application:
    """The interface over these parts."""
    app = web.Application(middlewares=[_answer_refusals], client_max_size=8_000_000)
    rate = _Rate(parts)
    for method, path, handler, resource in ROUTES:
        app.router.add_route(method, _ROOT + path, _guard(parts, rate, handler, resource))
    app.router.add_get("/content/{media:ME[0-9a-f]{32}}", _show_content(parts))
    add_controls(app, parts, phones, lambda request: _login(parts, request))
    return app


@web.middleware
async def _answer_refusals(request: web.Request, handler: RequestHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return _refuse(refusal)
    except web.HTTPNotFound:
        return _refuse(Refusal(20404, request.path))
    except web.HTTPMethodNotAllowed:
        return _refuse(Refusal(20004))


def _refuse(refusal: Refusal) -> web.Response:
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(refusal.retry_after)))
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return web.json_response(refusal.as_json(), status=refusal.status, headers=headers)


def _guard(parts: Parts, rate: _Rate, handler: Handler, resource: str) -> RequestHandler:
    """Let a request through to its handler, if it may; and spoil the answer, if it shall."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        form = await _read_form(request)
        rule = _choose_trick(parts, request, form, resource)
        trick = rule.trick if rule is not None else None
        seconds = rule.seconds if rule is not None else 0.0
        if trick is Trick.FORBIDDEN:
            raise Refusal(20003)
        if trick is Trick.BUSY_API:
            raise Refusal(20429, retry_after=seconds)
        if trick is Trick.BROKEN_API:
            raise Refusal(20503, retry_after=seconds)
        if trick is Trick.LOST:
            return _drop(request)
        open_to_all = resource == "content" and not parts.exchange.settings.media_needs_login
        account = _find_account(parts, request, None if open_to_all else _login(parts, request))
        rate.take()
        response = await handler(Asked(parts, request, account, form))
        if trick is Trick.KEPT:
            return _drop(request)
        if trick is Trick.SILENT:
            await _keep_silent(request)
        elif trick is Trick.SLOW:
            await parts.exchange.sleep(seconds)
        elif trick is Trick.GARBLED:
            return web.Response(
                text="<html><body>Bad Gateway", content_type="text/html", status=response.status
            )
        return response

    return guarded


async def _read_form(request: web.Request) -> MultiMapping[str]:
    form: MultiDict[str] = MultiDict()
    if request.method == "POST":
        for name, value in (await request.post()).items():
            if isinstance(value, str):
                form.add(name, value)
    return form


def _choose_trick(parts: Parts, request: web.Request, form: MultiMapping[str], resource: str) -> Rule | None:
    wanted = request.headers.get(TRICK_HEADER, "")
    if wanted in {trick.value for trick in OF_ANSWERS}:
        return Rule(trick=Trick(wanted))
    occasion = Occasion(
        resource, request.method, form.get("To", ""), form.get("From", ""), form.get("Body", "")
    )
    return next(iter(parts.exchange.mischief.choose(OF_ANSWERS, occasion)), None)


def _login(parts: Parts, request: web.Request) -> Account:
    """The account whose name and secret the request carries. Raises Refusal."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refusal(20003) from error
    settings, accounts = parts.exchange.settings, parts.exchange.memory.accounts
    key = settings.api_keys.get(name)
    account = accounts.get(name if key is None else settings.account_sid)
    if kind != "Basic" or account is None:
        raise Refusal(20003)
    wanted = account.auth_token if key is None else key.get_secret_value()
    if not hmac.compare_digest(secret.encode(), wanted.encode()):
        raise Refusal(20003)
    if account.status != "active":
        raise Refusal(20005)
    return account


def _find_account(parts: Parts, request: web.Request, login: Account | None) -> Account:
    """The account that the address names, if whoever logged in may use it. Raises Refusal."""
    sid = request.match_info.get("account")
    memory = parts.exchange.memory
    if sid is None and login is not None:
        return login
    account = memory.accounts.get(sid or "")
    if account is None or (login is not None and not memory.may_use(login.sid, account.sid)):
        raise Refusal(20404, request.path)
    if account.status != "active" and login is account:
        raise Refusal(20005)
    return account


def _drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection instead of answering."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _keep_silent(request: web.Request) -> None:
    """Until the asker gives up."""
    until = asyncio.get_running_loop().time() + _SILENCE
    while request.transport is not None and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110  # no event tells
        await asyncio.sleep(0.05)


def _show_content(parts: Parts) -> RequestHandler:
    """Content of media, for whoever knows its name, as on the provider's storage."""

    async def show(request: web.Request) -> web.StreamResponse:
        media = parts.exchange.memory.media.get(request.match_info["media"])
        if media is None:
            raise Refusal(20404, request.path)
        headers = {
            "Content-Type": media.content_type,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return web.Response(body=media.content, headers=headers)

    return show


class _Rate:
    """How many requests a second are answered: a bucket that holds one second's worth."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._level = 0.0
        self._at = 0.0

    def take(self) -> None:
        """Count one request. Raises Refusal: 429."""
        limit = self._parts.exchange.settings.requests_per_second
        if limit is None:
            return
        now = asyncio.get_running_loop().time()
        self._level = max(0.0, self._level - (now - self._at) * limit)
        self._at = now
        if self._level + 1 > max(1.0, limit):
            raise Refusal(20429, retry_after=1.0)
        self._level += 1

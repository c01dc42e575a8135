"""The provider's requests about calls that come in on our lines: what is heard next, who answers, what was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from channels.base import CallbackRequest
from channels.http.forms import first, read_form
from channels.voice.callbacks import (
    read_call,
    read_dial_ended,
    read_gathered,
    read_left_message,
    read_leg,
    read_recording,
    read_transcript,
)
from domain.calls import Document
from domain.errors import NotFound
from inbox.calls.addresses import INBOUND_PATH, VOICE_PATH
from inbox.lines.answering import take_choice, take_end, take_left, take_ring, take_rung_report
from inbox.lines.arriving import find_incoming, take_call
from inbox.lines.desk import LineDesk
from inbox.lines.recorded import Kind, keep_recording, keep_transcript
from inbox.lines.tune import make_tune
from inbox.lines.whispering import announce_caller, connect_caller
from web.callbacks.voice_door import VoiceDoor

ENDED_PATH: Final = f"{VOICE_PATH}/ended"
TUNE_PATH: Final = f"{VOICE_PATH}/hold.wav"

_Work = Callable[[LineDesk, int, CallbackRequest], Awaitable[Document | None]]


def add_line_routes(door: VoiceDoor, desk: LineDesk) -> None:
    """Mount them."""
    door.add_first(INBOUND_PATH, partial(_arrive, desk))
    door.add_first(ENDED_PATH, partial(_end, desk))
    routes: dict[str, _Work] = {
        "step/{step}": _step,
        "left/{step}": _left,
        "whisper/{step}/{user}": _whisper,
        "accept/{step}/{user}": _accept,
        "rang/{step}/{user}": _rang,
        "recorded/voicemail": partial(_recorded, "voicemail"),
        "recorded/talk": partial(_recorded, "talk"),
        "transcript": _transcript,
    }
    for what, work in routes.items():
        door.add(what, partial(work, desk))


def add_tune(app: web.Application) -> None:
    """GET /callbacks/voice/hold.wav: the house's own music; nothing of anybody is in it."""

    async def play(request: web.Request) -> web.Response:
        body = await asyncio.to_thread(make_tune)
        headers = {"Cache-Control": "public, max-age=86400"}
        return web.Response(body=body, content_type="audio/wav", headers=headers)

    app.router.add_get(TUNE_PATH, play)


async def _arrive(desk: LineDesk, asked: CallbackRequest) -> Document:
    return await take_call(desk, read_call(asked.body))


async def _end(desk: LineDesk, asked: CallbackRequest) -> None:
    """Of a call that was not let in, or never answered, we know nothing."""
    report = read_leg(asked.body)
    if report is None:
        return
    message_id = await find_incoming(desk, report.provider_id)
    if message_id is not None:
        await take_end(desk, message_id, report)


async def _step(desk: LineDesk, message_id: int, asked: CallbackRequest) -> Document:
    (step,) = _numbers(asked, 1)
    if first(read_form(asked.body), "DialCallStatus"):
        return await take_ring(desk, message_id, step, read_dial_ended(asked.body))
    return await take_choice(desk, message_id, step, read_gathered(asked.body))


async def _left(desk: LineDesk, message_id: int, asked: CallbackRequest) -> Document:
    (step,) = _numbers(asked, 1)
    return await take_left(desk, message_id, step, read_left_message(asked.body))


async def _whisper(desk: LineDesk, message_id: int, asked: CallbackRequest) -> Document:
    step, user_id = _numbers(asked, 2)
    return await announce_caller(desk, message_id, step, user_id, read_call(asked.body).provider_id)


async def _accept(desk: LineDesk, message_id: int, asked: CallbackRequest) -> Document:
    step, user_id = _numbers(asked, 2)
    told = read_gathered(asked.body)
    return await connect_caller(desk, message_id, step, user_id, told.call.provider_id, told.keys)


async def _rang(desk: LineDesk, message_id: int, asked: CallbackRequest) -> None:
    step, user_id = _numbers(asked, 2)
    report = read_leg(asked.body)
    if report is not None:
        await take_rung_report(desk, message_id, step, user_id, report)


async def _recorded(kind: Kind, desk: LineDesk, message_id: int, asked: CallbackRequest) -> None:
    await keep_recording(desk.board, message_id, kind, read_recording(asked.body))


async def _transcript(desk: LineDesk, message_id: int, asked: CallbackRequest) -> None:
    await keep_transcript(desk.board, message_id, read_transcript(asked.body))


def _numbers(asked: CallbackRequest, count: int) -> list[int]:
    """The last numbers of the address. Raises NotFound."""
    parts = urlsplit(asked.url).path.split("/")[-count:]
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        raise NotFound("This address is not one of ours.")
    return [int(part) for part in parts]

"""Recordings, their sound, and transcriptions."""

from __future__ import annotations

from aiohttp import web

from channels.sandbox.carrier.api.asked import Asked, answer, answer_page
from channels.sandbox.carrier.recordings import make_mp3, make_wave
from channels.sandbox.carrier.records import Recording
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import show_recording, show_transcription


async def list_all(asked: Asked) -> web.StreamResponse:
    """The account's recordings by CallSid, ConferenceSid and DateCreated, the newest first."""
    query = asked.request.query
    recordings = [
        one
        for one in asked.own(asked.parts.exchange.memory.recordings)
        if query.get("CallSid", one.call_sid) == one.call_sid
        and query.get("ConferenceSid", one.conference_sid) == one.conference_sid
        and asked.within("DateCreated", one.created)
    ]
    return answer_page(asked, "recordings", recordings, show_recording)


async def fetch(asked: Asked) -> web.StreamResponse:
    """What is known of one."""
    return answer(show_recording(_find(asked)))


async def fetch_sound(asked: Asked) -> web.StreamResponse:
    """Its sound, as WAV or MP3."""
    recording = _find(asked)
    if recording.status != "completed":
        raise Refusal(20404, asked.request.path)
    if asked.request.path.endswith(".mp3"):
        return web.Response(body=make_mp3(recording), content_type="audio/mpeg")
    return web.Response(body=make_wave(recording), content_type="audio/x-wav")


async def delete(asked: Asked) -> web.StreamResponse:
    """Forget one, and its texts."""
    recording, memory = _find(asked), asked.parts.exchange.memory
    if recording.status in ("in-progress", "paused"):
        raise Refusal(20009)
    del memory.recordings[recording.sid]
    for sid in [one.sid for one in memory.transcriptions.values() if one.recording_sid == recording.sid]:
        del memory.transcriptions[sid]
    return web.Response(status=204)


async def list_transcriptions(asked: Asked) -> web.StreamResponse:
    """The account's transcriptions, or those of one recording."""
    of = asked.request.match_info.get("recording")
    transcriptions = [
        one
        for one in asked.own(asked.parts.exchange.memory.transcriptions)
        if of in (None, one.recording_sid)
    ]
    return answer_page(asked, "transcriptions", transcriptions, show_transcription)


async def fetch_transcription(asked: Asked) -> web.StreamResponse:
    """One transcription."""
    return answer(
        show_transcription(asked.find(asked.parts.exchange.memory.transcriptions, asked.path("sid")))
    )


async def delete_transcription(asked: Asked) -> web.StreamResponse:
    """Forget one."""
    transcriptions = asked.parts.exchange.memory.transcriptions
    asked.find(transcriptions, asked.path("sid"))
    del transcriptions[asked.path("sid")]
    return web.Response(status=204)


def _find(asked: Asked) -> Recording:
    return asked.find(asked.parts.exchange.memory.recordings, asked.path("sid"))

"""Record, and Start and Stop of Recording: what is said is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.twiml import is_true, number_of
from channels.sandbox.carrier.voice.line import Deed, Recorder, Source

if TYPE_CHECKING:
    from channels.sandbox.carrier.voice.script import Script


async def record(script: Script, verb: Element) -> Source | None:
    """Keep what the person says until a key, silence or the longest time; empty means the verb after it."""
    line, exchange, recordings = script.line, script.exchange, script.switch.recordings
    recording = recordings.begin(line.call, "RecordVerb", **told_of(script, verb))
    recorder = Recorder(recording, own_only=True)
    transcribe = None
    if is_true(verb.get("transcribe")) or verb.get("transcribeCallback"):
        transcribe = (
            urljoin(script.base, verb.get("transcribeCallback", "")) if verb.get("transcribeCallback") else ""
        )
    line.listen("digits", "speech")
    line.recorders.append(recorder)
    line.hear("note", "beep" if is_true(verb.get("playBeep"), True) else "recording")
    action, method = verb.get("action", ""), verb.get("method", "POST")
    digits = "hangup"
    try:
        digits = await _listen(script, verb)
    finally:
        line.listen()
        if recorder in line.recorders:
            line.recorders.remove(recorder)
        filled = recordings.end(recording, line.call, transcribe=transcribe)
        params = {
            "RecordingUrl": recordings.url_of(recording),
            "RecordingSid": recording.sid,
            "RecordingDuration": str(recording.duration),
            "Digits": digits,
        }
        if line.ended.is_set() and filled:
            script.part(action or script.base, method, params)
    exchange.changed()
    return script.source(action, method, **params) if filled else None


async def _listen(script: Script, verb: Element) -> str:
    """Until it is over; gives the key that ended it, empty when silence did."""
    exchange, line = script.exchange, script.line
    finish = verb.get("finishOnKey", "1234567890*#")
    silence = number_of(verb, "timeout", 5) + exchange.settings.typing_seconds
    loop = asyncio.get_running_loop()
    latest = loop.time() + exchange.real(number_of(verb, "maxLength", 3600))
    while (left := min(exchange.real(silence), latest - loop.time())) > 0:
        try:
            async with asyncio.timeout(
                left
            ):  # wait_for of Python 3.11 swallows a hang-up that comes with a deed
                deed: Deed = await line.deeds.get()
        except TimeoutError:
            break
        if deed.digit and deed.digit in finish:
            return deed.digit
    return ""


async def start(script: Script, verb: Element) -> Source | None:
    """Start<Recording>: keep what is said on this line from now on, and go on."""
    noun = verb.find("Recording")
    if noun is not None:
        recording = script.switch.recordings.begin(
            script.line.call, "StartCallRecordingAPI", channels=2, **told_of(script, noun)
        )
        script.line.recorders.append(Recorder(recording))
    return None


async def stop(script: Script, verb: Element) -> Source | None:
    """Stop<Recording>: no longer."""
    line = script.line
    for recorder in [one for one in line.recorders if one.recording.source == "StartCallRecordingAPI"]:
        line.recorders.remove(recorder)
        script.switch.recordings.end(recorder.recording, line.call)
    return None


class Told(TypedDict):
    """Who is told of a recording."""

    callback: str
    method: str
    events: tuple[str, ...]


def told_of(script: Script, verb: Element) -> Told:
    """Whom a verb wants to be told of its recording."""
    url = verb.get("recordingStatusCallback", "")
    return {
        "callback": urljoin(script.base, url) if url else "",
        "method": verb.get("recordingStatusCallbackMethod", "POST"),
        "events": tuple(verb.get("recordingStatusCallbackEvent", "completed").split()),
    }

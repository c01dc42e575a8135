"""Dial: calls others and connects whoever answers first; or connects with a queue or a conference."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.records import Webhooks
from channels.sandbox.carrier.twiml import is_true, number_of, words_of
from channels.sandbox.carrier.voice import conferences, queueing
from channels.sandbox.carrier.voice.line import Bridge, Deed, Line, Recorder, Source, first_of
from channels.sandbox.carrier.voice.recorded import told_of

if TYPE_CHECKING:
    from channels.sandbox.carrier.voice.script import Script

_MOST: Final = 10  #: numbers that may ring at once


async def dial(script: Script, verb: Element) -> Source | None:
    """Connect with others; afterwards the action's document, or the verb after it. Raises TwimlError."""
    action, method = verb.get("action"), verb.get("method", "POST")
    result: dict[str, str] = {"DialCallStatus": "failed"}
    conference, queue = verb.find("Conference"), verb.find("Queue")
    try:
        if conference is not None:
            await conferences.join(script, verb, conference, result)
        elif queue is not None:
            await queueing.take_first(script, verb, queue, result)
        else:
            await _connect(script, verb, result)
    except asyncio.CancelledError:
        if script.line.ended.is_set():
            script.part(action, method, result)
        raise
    return script.source(action, method, **result) if action else None


async def _connect(script: Script, verb: Element, result: dict[str, str]) -> None:
    """Let phones ring, talk with the first that is answered. `result` tells how it went, also when interrupted."""
    legs = [(_leg(script, verb, noun), noun) for noun in _nouns(verb)[:_MOST]]
    accepted: Line | None = None
    try:
        accepted = await _ring(script, legs, one_by_one=is_true(verb.get("sequential")))
        result.update(_outcome(accepted, [line for line, _ in legs]))
        if accepted is None:
            return
        for line, _ in legs:
            if line is not accepted:
                script.switch.finish(line, "canceled")
        if script.line.call.status == "ringing":
            script.switch.connect(script.line)
        await _talk(script, verb, accepted, result)
    finally:
        for line, _ in legs:
            if not line.left.is_set():
                script.switch.finish(line, "completed" if line.answered.is_set() else "canceled")
        if accepted is not None:
            result.update(_outcome(accepted, [accepted]))
            result["DialCallDuration"] = str(accepted.call.duration or 0)


def _nouns(verb: Element) -> list[Element]:
    nouns = [child for child in verb if child.tag in ("Number", "Client", "Sip")]
    if not nouns and (verb.text or "").strip():
        nouns = [Element("Number")]
        nouns[0].text = verb.text
    return nouns


def _leg(script: Script, verb: Element, noun: Element) -> Line:
    to = words_of(noun)
    if noun.tag == "Client":
        identity = noun.find("Identity")
        to = "client:" + (words_of(identity) if identity is not None else to)
    elif noun.tag == "Number":
        to = "".join(sign for sign in to if sign in "+0123456789")
    callback = noun.get("statusCallback", "")
    hooks = Webhooks(
        url=noun.get("url", ""),
        method=noun.get("method", "POST"),
        status_callback=urljoin(script.base, callback) if callback else "",
        status_callback_method=noun.get("statusCallbackMethod", "POST"),
        status_events=tuple(noun.get("statusCallbackEvent", "completed").split()),
    )
    caller_id = verb.get("callerId") or script.line.call.from_
    return script.switch.dial(script.line, to, caller_id, number_of(verb, "timeout", 30), hooks)


async def _ring(script: Script, legs: list[tuple[Line, Element]], *, one_by_one: bool) -> Line | None:
    """The first leg that is answered, and whose person lets the call through."""
    if one_by_one:
        for leg in legs:
            line = await _ring_one(script, *leg)
            if line is not None:
                return line
        return None
    tasks = {asyncio.create_task(_ring_one(script, *leg)) for leg in legs}
    try:
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (line := task.result()) is not None:
                    return line
        return None
    finally:
        for task in tasks:
            task.cancel()


async def _ring_one(script: Script, line: Line, noun: Element) -> Line | None:
    if not await script.switch.ring(line):
        return None
    if line.call.hooks.url:  # what the called person hears, and may refuse, before being connected
        way = script.beside(line)
        line.script = asyncio.create_task(way.run(script.source(line.call.hooks.url, line.call.hooks.method)))
        await asyncio.wait([line.script])
        if way.hung_up:
            script.switch.finish(line, "completed")
    return line if line.call.status == "in-progress" else None


async def _talk(script: Script, verb: Element, other: Line, result: dict[str, str]) -> None:
    line, exchange, recordings = script.line, script.exchange, script.switch.recordings
    bridge = Bridge(line, other)
    result["DialBridged"] = "true"
    line.hear("note", f"connected with {other.call.to}")
    other.hear("note", f"connected with {line.person}")
    recorder = None
    if verb.get("record", "do-not-record") not in ("do-not-record", "false"):
        channels = 2 if "dual" in verb.get("record", "") else 1
        recorder = Recorder(
            recordings.begin(line.call, "DialVerb", channels=channels, **told_of(script, verb))
        )
        line.recorders.append(recorder)
    star = asyncio.Event()
    keys = asyncio.create_task(_watch_star(line, star)) if is_true(verb.get("hangupOnStar")) else None
    limit = number_of(verb, "timeLimit", 14_400)
    try:
        await first_of(bridge.over, line.ended, other.ended, other.left, star, timeout=exchange.real(limit))
    finally:
        bridge.part()
        if keys is not None:
            keys.cancel()
        if recorder is not None:
            if recorder in line.recorders:
                line.recorders.remove(recorder)
            recordings.end(recorder.recording, line.call)
            result["RecordingUrl"] = recordings.url_of(recorder.recording)
            result["RecordingSid"] = recorder.recording.sid
            result["RecordingDuration"] = str(recorder.recording.duration)


async def _watch_star(line: Line, star: asyncio.Event) -> None:
    deed = Deed()
    while deed.digit != "*":
        deed = await line.deeds.get()
    star.set()


def _outcome(accepted: Line | None, legs: list[Line]) -> dict[str, str]:
    """How the dialling ended: of the leg that was connected, else of the one that tells most."""
    if accepted is not None:
        return {"DialCallStatus": "completed", "DialCallSid": accepted.call.sid}
    for status in ("busy", "no-answer", "failed", "completed", "canceled"):
        for line in legs:
            if line.call.status == status:
                told = "no-answer" if status in ("completed", "canceled") else status
                return {"DialCallStatus": told, "DialCallSid": line.call.sid, "DialBridged": "false"}
    return {"DialCallStatus": "failed"}

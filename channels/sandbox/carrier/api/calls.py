"""Calls: placing, watching, redirecting and ending them."""

from __future__ import annotations

from aiohttp import web

from channels.sandbox.carrier.api.asked import Asked, answer, answer_page
from channels.sandbox.carrier.moves import CALL_FINAL
from channels.sandbox.carrier.records import Call, Webhooks, make_sid
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import show_call, show_recording
from channels.sandbox.carrier.voice.line import Line, Recorder, Source


async def create(asked: Asked) -> web.StreamResponse:
    """Call somebody; when they answer, Url or Twiml tells what to do."""
    now = asked.parts.exchange.now()
    if not asked.field("To"):
        raise Refusal(21201)
    if not asked.field("From"):
        raise Refusal(21213)
    if not asked.field("Url") and not asked.field("Twiml"):
        raise Refusal(21218 if asked.field("ApplicationSid") else 21205)
    events = [event for given in asked.fields("StatusCallbackEvent") for event in given.split()]
    call = Call(
        sid=make_sid("CA"),
        account_sid=asked.account.sid,
        from_=asked.field("From"),
        to=asked.field("To"),
        direction="outbound-api",
        status="queued",
        created=now,
        updated=now,
        hooks=Webhooks(
            url=asked.field("Url"),
            method=asked.method("Method"),
            fallback_url=asked.field("FallbackUrl"),
            fallback_method=asked.method("FallbackMethod"),
            document="" if asked.field("Url") else asked.field("Twiml"),
            status_callback=asked.field("StatusCallback"),
            status_callback_method=asked.method("StatusCallbackMethod"),
            status_events=tuple(events) or ("completed",),
        ),
        ring_seconds=asked.number("Timeout", 60),
        limit_seconds=asked.number("TimeLimit", 14_400),
        answered_by="human" if asked.field("MachineDetection") else "",
    )
    asked.parts.switch.place(asked.account, call, record=asked.flag("Record"))
    return answer(show_call(call), 201)


async def list_all(asked: Asked) -> web.StreamResponse:
    """The account's calls by To, From, Status, ParentCallSid, StartTime and EndTime, the newest first."""
    query = asked.request.query
    calls = [
        call
        for call in asked.own(asked.parts.exchange.memory.calls)
        if query.get("To", call.to) == call.to
        and query.get("From", call.from_) == call.from_
        and query.get("Status", call.status) == call.status
        and query.get("ParentCallSid", call.parent_sid) == call.parent_sid
        and asked.within("StartTime", call.started)
        and asked.within("EndTime", call.ended)
    ]
    return answer_page(asked, "calls", calls, show_call)


async def fetch(asked: Asked) -> web.StreamResponse:
    """One call."""
    return answer(show_call(_find(asked)))


async def update(asked: Asked) -> web.StreamResponse:
    """End it, or let it follow another document."""
    call = _find(asked)
    line = asked.parts.switch.lines[call.sid]
    status, url, document = asked.field("Status"), asked.field("Url"), asked.field("Twiml")
    if status not in ("", "completed", "canceled"):
        raise Refusal(20001)
    if "StatusCallback" in asked.form:
        call.hooks.status_callback = asked.field("StatusCallback")
        call.hooks.status_callback_method = asked.method("StatusCallbackMethod")
    if status == "completed" or (status == "canceled" and call.status != "in-progress"):
        if call.status in CALL_FINAL:
            raise Refusal(21220)
        asked.parts.switch.finish(line, "completed" if call.status == "in-progress" else "canceled")
    elif url or document:
        fallback = (asked.field("FallbackUrl"), asked.method("FallbackMethod"))
        asked.parts.switch.redirect(line, Source(url, asked.method("Method"), document, {}, fallback))
    return answer(show_call(call))


async def delete(asked: Asked) -> web.StreamResponse:
    """Forget a call that has ended."""
    call = _find(asked)
    if call.status not in CALL_FINAL:
        raise Refusal(20009)
    del asked.parts.exchange.memory.calls[call.sid]
    del asked.parts.switch.lines[call.sid]
    return web.Response(status=204)


async def list_events(asked: Asked) -> web.StreamResponse:
    """Requests that were made about a call; the log of the control interface tells more."""
    _find(asked)
    return answer_page(asked, "events", [], lambda nothing: {})


async def start_recording(asked: Asked) -> web.StreamResponse:
    """Keep what is said from now on."""
    line = _line(asked)
    if line.call.status != "in-progress":
        raise Refusal(21220)
    events = [event for given in asked.fields("RecordingStatusCallbackEvent") for event in given.split()]
    recording = asked.parts.recordings.begin(
        line.call,
        "StartCallRecordingAPI",
        callback=asked.field("RecordingStatusCallback"),
        method=asked.method("RecordingStatusCallbackMethod"),
        events=tuple(events) or ("completed",),
        channels=2 if asked.field("RecordingChannels") == "dual" else 1,
    )
    line.recorders.append(Recorder(recording))
    return answer(show_recording(recording, of_call=True), 201)


async def list_recordings(asked: Asked) -> web.StreamResponse:
    """Recordings of one call."""
    call = _find(asked)
    recordings = [
        one for one in asked.own(asked.parts.exchange.memory.recordings) if one.call_sid == call.sid
    ]
    return answer_page(asked, "recordings", recordings, lambda one: show_recording(one, of_call=True))


async def update_recording(asked: Asked) -> web.StreamResponse:
    """Pause it, go on, or stop."""
    line, status = _line(asked), asked.field("Status")
    running = [
        one for one in line.recorders if asked.path("recording") in (one.recording.sid, "Twilio.CURRENT")
    ]
    if not running:
        raise Refusal(20404, asked.request.path)
    recorder = running[0]
    if status == "stopped":
        line.recorders.remove(recorder)
        asked.parts.recordings.end(recorder.recording, line.call)
    elif status in ("paused", "in-progress"):
        recorder.paused = status == "paused"
        recorder.recording.status = status
    else:
        raise Refusal(20001)
    return answer(show_recording(recorder.recording, of_call=True))


async def fetch_recording(asked: Asked) -> web.StreamResponse:
    """One recording of a call."""
    recording = asked.find(asked.parts.exchange.memory.recordings, asked.path("recording"))
    return answer(show_recording(recording, of_call=True))


def _find(asked: Asked) -> Call:
    return asked.find(asked.parts.exchange.memory.calls, asked.path("sid"))


def _line(asked: Asked) -> Line:
    return asked.parts.switch.lines[_find(asked).sid]

"""Calls: the list, one call with its legs and recordings, and the bar that every page shows while one rings or lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from contacts.directory import load_contacts
from contacts.timeline import read_timeline
from domain.calls import CallState
from domain.errors import NotFound
from domain.tasks import OPEN_STATES, TaskState
from inbox.calls.outcomes import suggest_outcome
from web.access.people import Person
from web.access.permissions import Permission
from web.console.call_lines import fold_calls
from web.console.event_words import describe_event
from web.console.mail_files import SEALED, disposition
from web.console.pages import page
from web.console.visit import Visit
from web.context import WebContext
from web.queries.calls import (
    PAGE,
    CallScope,
    CallView,
    find_call,
    list_calls,
    list_calls_now,
    read_legs,
    read_recordings,
)
from web.queries.tasks import as_viewer, list_tasks_of_contact
from web.work.phones import read_phone_settings

_log = structlog.get_logger("web.console.calls")
_SCOPES: Final = frozenset(CallScope)
_PERMISSION: Final = Permission.TASKS_WORK
#: what a recording is handed out as; anything else is not played
_SOUNDS: Final = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/ogg": "ogg",
    "audio/mp4": "m4a",
}


@page("GET", "/calls", permission=_PERMISSION)
async def show_calls(visit: Visit) -> web.StreamResponse:
    """Mine, those that nobody took, or all that this person may see; as a fragment only the rows."""
    asked = visit.request.query.get("scope", CallScope.MINE.value)
    scope = CallScope(asked) if asked in _SCOPES else CallScope.MINE
    before = visit.query_number("before")
    rows = await list_calls(visit.context.pool, visit.person, scope, before=before, limit=PAGE + 1)
    return visit.page(
        "call_list.html" if visit.is_fragment else "calls.html",
        calls=rows[:PAGE],
        scope=scope.value,
        before=before,
        following=rows[PAGE - 1].id if len(rows) > PAGE else None,
        has_phone=bool((await read_phone_settings(visit.context.pool, visit.person.id))[0]),
    )


@page("GET", "/calls/{id}", permission=_PERMISSION)
async def show_call(visit: Visit) -> web.StreamResponse:
    """One call; as a fragment only what changes while it lasts."""
    call = await _find(visit)
    pool = visit.context.pool
    return visit.page(
        "call_state.html" if visit.is_fragment else "call.html",
        call=call,
        legs=await read_legs(pool, call.id),
        recordings=(await read_recordings(pool, [call.id])).get(call.id, []) if call.heard else [],
    )


async def _find(visit: Visit) -> CallView:
    call = await find_call(visit.context.pool, visit.person, visit.number("id"))
    if call is None:
        raise NotFound(f"There is no call {visit.number('id')}.")
    return call


@page("GET", "/calls/{id}/recordings/{recording}", permission=_PERMISSION)
async def play_recording(visit: Visit) -> web.StreamResponse:
    """The sound of a recording, in parts when the player asks for them (RFC 9110, 14); `?save=1` as a download."""
    call = await _find(visit)
    found = await read_recordings(visit.context.pool, [call.id]) if call.heard else {}
    number = visit.number("recording")
    recording = next((one for one in found.get(call.id, ()) if one["id"] == number), None)
    path = _sound_of(visit, recording)
    if recording is None or path is None:
        raise NotFound(f"There is no recording {number} of call {call.id}.")
    if visit.request.headers.get("Range", "bytes=0-").startswith("bytes=0-"):
        _log.info("recording heard", call=call.id, recording=number, user=visit.person.id)
    way = "attachment" if visit.request.query.get("save") == "1" else "inline"
    name = f"call-{call.id}-{number}.{_SOUNDS[recording['media_type']]}"
    return web.FileResponse(
        path,
        headers={
            **SEALED,
            "Content-Type": recording["media_type"],
            "Content-Disposition": disposition(name, way),
        },
    )


def _sound_of(visit: Visit, recording: Any | None) -> Path | None:
    """Where the sound lies; None when it is not there (yet, or any more), or its time of retention has passed."""
    if recording is None or recording["state"] != "fetched" or recording["media_type"] not in _SOUNDS:
        return None
    if recording["delete_after"] is not None and recording["delete_after"] <= visit.now:
        return None
    try:
        return visit.context.blobs.path(recording["blob"] or "")
    except NotFound:
        return None


@dataclass(slots=True)
class CallCard:
    """A call in the bar: `phase` is what it asks of this person."""

    call: CallView
    phase: str  #: own_phone, ringing, talking, incoming, on_hold, outcome, ended, unconfirmed
    suggested: str = ""  #: result of the task that the call suggests
    contact: Any | None = None
    events: Sequence[Any] = ()
    tasks: Sequence[Any] = ()


_OURS: Final = {
    CallState.PLACING: "own_phone",
    CallState.RINGING_US: "own_phone",
    CallState.RINGING: "ringing",
    CallState.TALKING: "talking",
    CallState.UNCONFIRMED: "unconfirmed",
}


def phase_of(call: CallView, person: Person) -> str:
    """What a call is to this person right now; empty when it is nothing that the bar shows."""
    state = CallState(call.state)
    if state is CallState.ENDED:
        asks = (
            suggest_outcome(call.result)
            is not None  # whoever gave up before anybody rang has nothing to tell
            and call.task_id is not None
            and call.task_state is not None
            and TaskState(call.task_state) in OPEN_STATES
            and call.task_assignee_id in (None, person.id)
        )
        return "outcome" if asks else "ended"
    if call.is_ours:
        return _OURS.get(state, "")
    if call.rings_here or (state is CallState.RINGING and call.user_id == person.id):
        return "incoming" if state in (CallState.RINGING, CallState.WAITING) else ""
    return "talking" if state is CallState.TALKING and call.user_id == person.id else ""


@page("GET", "/calls/bar", permission=_PERMISSION)
async def show_bar(visit: Visit) -> web.StreamResponse:
    """What rings or talks with this person now, for every page; nobody opens it by itself."""
    if not visit.is_fragment:
        return visit.redirect("/calls")
    return await bar_page(visit)


async def bar_page(
    visit: Visit, *, status: int = 200, problem: str = "", no_phone: bool = False
) -> web.Response:
    """The bar; `problem`: why a call was not placed; `no_phone`: because nobody knows which phone is this person's."""
    voice = visit.context.voice
    calls = await list_calls_now(visit.context.pool, visit.person, visit.now)
    cards = []
    for call in calls:
        phase = phase_of(call, visit.person)
        if phase == "incoming":
            cards.append(await _incoming(visit.context, visit.person, call, visit))
        elif phase:
            cards.append(CallCard(call, phase, suggest_outcome(call.result) or ""))
    return visit.page(
        "call_bar.html",
        status=status,
        cards=cards,
        problem=problem,
        no_phone=no_phone,
        confirm_key=voice.switchboard.settings.confirm_key if voice is not None else "",
    )


async def _incoming(context: WebContext, person: Person, call: CallView, visit: Visit) -> CallCard:
    """Who calls: the contact, what was said lately, what is open, as far as this person may see it."""
    card = CallCard(call, "incoming")
    if call.contact_id is None:
        return card
    card.contact = (await load_contacts(context.pool, [call.contact_id])).get(call.contact_id)
    rows = await read_timeline(context.pool, call.contact_id, viewer=as_viewer(person), limit=8)
    earlier = [row for row in rows if row["message_id"] != call.id]
    card.events = [(row, describe_event(row)) for row in await fold_calls(context.pool, earlier)][:3]
    tasks = await list_tasks_of_contact(context.pool, person, call.contact_id, visit.now)
    card.tasks = [task for task in tasks if task.is_open][:3]
    return card

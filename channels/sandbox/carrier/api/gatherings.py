"""Queues with their members, conferences with their participants."""

from __future__ import annotations

from aiohttp import web

from channels.sandbox.carrier.api.asked import Asked, answer, answer_page
from channels.sandbox.carrier.records import CallQueue, Conference
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import show_conference, show_member, show_participant, show_queue
from channels.sandbox.carrier.voice.line import Source
from channels.sandbox.carrier.voice.queues import Taken


async def create_queue(asked: Asked) -> web.StreamResponse:
    """Make a queue."""
    name = asked.field("FriendlyName")
    if not name:
        raise Refusal(20001)
    if asked.parts.exchange.memory.find_queue(asked.account.sid, name) is not None:
        raise Refusal(22001, name)
    queue = asked.parts.switch.queues.open(asked.account.sid, name, int(asked.number("MaxSize", 1000)))
    return answer(show_queue(queue, asked.parts.exchange.now()), 201)


async def list_queues(asked: Asked) -> web.StreamResponse:
    """The account's queues."""
    now = asked.parts.exchange.now()
    queues = asked.own(asked.parts.exchange.memory.queues)
    return answer_page(asked, "queues", queues, lambda queue: show_queue(queue, now))


async def fetch_queue(asked: Asked) -> web.StreamResponse:
    """One queue."""
    return answer(show_queue(_queue(asked), asked.parts.exchange.now()))


async def update_queue(asked: Asked) -> web.StreamResponse:
    """Rename it, or let it be longer."""
    queue = _queue(asked)
    queue.friendly_name = asked.field("FriendlyName") or queue.friendly_name
    queue.max_size = int(asked.number("MaxSize", queue.max_size))
    queue.updated = asked.parts.exchange.now()
    return answer(show_queue(queue, queue.updated))


async def delete_queue(asked: Asked) -> web.StreamResponse:
    """Forget an empty queue."""
    queue = _queue(asked)
    if queue.members:
        raise Refusal(22002)
    del asked.parts.exchange.memory.queues[queue.sid]
    return web.Response(status=204)


async def list_members(asked: Asked) -> web.StreamResponse:
    """Who waits, the first first."""
    queue, now = _queue(asked), asked.parts.exchange.now()
    return answer_page(asked, "queue_members", queue.members, lambda sid: show_member(queue, sid, now))


async def fetch_member(asked: Asked) -> web.StreamResponse:
    """One who waits; `Front` is the first."""
    queue, sid = _queue(asked), asked.path("call")
    sid = queue.members[0] if sid == "Front" and queue.members else sid
    if sid not in queue.members:
        raise Refusal(20404, asked.request.path)
    return answer(show_member(queue, sid, asked.parts.exchange.now()))


async def update_member(asked: Asked) -> web.StreamResponse:
    """Take one out, to follow a document."""
    queue, now = _queue(asked), asked.parts.exchange.now()
    sid = asked.path("call")
    sid = queue.members[0] if sid == "Front" and queue.members else sid
    if not asked.field("Url"):
        raise Refusal(21205)
    if sid not in queue.members:
        raise Refusal(20404, asked.request.path)
    shape = show_member(queue, sid, now)
    source = Source(asked.field("Url"), asked.method("Method"))
    asked.parts.switch.queues.take(queue, sid, Taken(source=source))
    return answer(shape)


async def list_conferences(asked: Asked) -> web.StreamResponse:
    """The account's conferences by FriendlyName, Status and dates, the newest first."""
    query = asked.request.query
    conferences = [
        one
        for one in asked.own(asked.parts.exchange.memory.conferences)
        if query.get("FriendlyName", one.friendly_name) == one.friendly_name
        and query.get("Status", one.status) == one.status
        and asked.within("DateCreated", one.created)
        and asked.within("DateUpdated", one.updated)
    ]
    return answer_page(asked, "conferences", conferences, show_conference)


async def fetch_conference(asked: Asked) -> web.StreamResponse:
    """One conference."""
    return answer(show_conference(_conference(asked)))


async def update_conference(asked: Asked) -> web.StreamResponse:
    """End it for everybody."""
    conference = _conference(asked)
    room = asked.parts.switch.conferences.find(conference.sid)
    if asked.field("Status") == "completed" and room is not None:
        asked.parts.switch.conferences.end(room, "conference-ended-via-api")
    return answer(show_conference(conference))


async def list_participants(asked: Asked) -> web.StreamResponse:
    """Who is in it."""
    conference = _conference(asked)
    people = list(conference.participants.values())[::-1]
    return answer_page(asked, "participants", people, lambda one: show_participant(conference, one))


async def fetch_participant(asked: Asked) -> web.StreamResponse:
    """One who is in it."""
    conference = _conference(asked)
    return answer(show_participant(conference, asked.find(conference.participants, asked.path("call"))))


async def update_participant(asked: Asked) -> web.StreamResponse:
    """Mute, hold, or decide whether leaving ends it."""
    conference = _conference(asked)
    one = asked.find(conference.participants, asked.path("call"))
    for name, attribute in (("Muted", "muted"), ("Hold", "hold"), ("EndConferenceOnExit", "end_on_exit")):
        if name in asked.form:
            setattr(one, attribute, asked.flag(name))
    room = asked.parts.switch.conferences.find(conference.sid)
    if room is not None:
        asked.parts.switch.conferences.connect(room)
    return answer(show_participant(conference, one))


async def delete_participant(asked: Asked) -> web.StreamResponse:
    """Throw one out."""
    conference = _conference(asked)
    asked.find(conference.participants, asked.path("call"))
    room = asked.parts.switch.conferences.find(conference.sid)
    if room is not None:
        room.kicked[asked.path("call")].set()
    return web.Response(status=204)


def _queue(asked: Asked) -> CallQueue:
    return asked.find(asked.parts.exchange.memory.queues, asked.path("sid"))


def _conference(asked: Asked) -> Conference:
    return asked.find(asked.parts.exchange.memory.conferences, asked.path("sid"))

"""Conferences: calls that hear each other, from the first that may start it to the last that leaves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.mischief import Occasion
from channels.sandbox.carrier.records import Conference, Participant, make_sid
from channels.sandbox.carrier.shapes import show_date
from channels.sandbox.carrier.twiml import is_true, words_of
from channels.sandbox.carrier.voice.line import Line, first_of

if TYPE_CHECKING:
    from channels.sandbox.carrier.voice.script import Script
    from channels.sandbox.carrier.voice.switch import Switch


@dataclass(slots=True)
class Room:
    """A conference while it lasts."""

    conference: Conference
    lines: dict[str, Line] = field(default_factory=dict)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    kicked: dict[str, asyncio.Event] = field(default_factory=dict)


class Conferences:
    """The conferences that last."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._rooms: dict[str, Room] = {}

    def open(self, account_sid: str, name: str, noun: Element, base: str) -> Room:
        """The conference of this name, begun when there is none; the first to come decides who is told of it."""
        memory, now = self._switch.exchange.memory, self._switch.exchange.now()
        conference = memory.find_conference(account_sid, name)
        if conference is None:
            callback = noun.get("statusCallback", "")
            conference = Conference(
                sid=make_sid("CF"),
                account_sid=account_sid,
                friendly_name=name,
                created=now,
                updated=now,
                callback=urljoin(base, callback) if callback else "",
                callback_method=noun.get("statusCallbackMethod", "POST"),
                callback_events=tuple(noun.get("statusCallbackEvent", "").split()),
            )
            memory.conferences[conference.sid] = conference
            self._rooms[conference.sid] = Room(conference)
        return self._rooms[conference.sid]

    def enter(self, room: Room, line: Line, participant: Participant) -> asyncio.Event:
        """Come in; gives what happens when the participant is thrown out."""
        conference = room.conference
        conference.participants[line.call.sid] = participant
        room.lines[line.call.sid] = line
        kicked = room.kicked[line.call.sid] = asyncio.Event()
        self._tell(conference, "participant-join", line)
        if participant.start_on_enter and conference.status == "init" and len(room.lines) > 1:
            self._start(room)
        elif participant.start_on_enter and conference.status == "init":
            room.started.set()
        if len(room.lines) > 1 and room.started.is_set() and conference.status == "init":
            self._start(room)
        self.connect(room)
        return kicked

    def leave(self, room: Room, line: Line) -> None:
        """Go out; the last ends the conference, and whoever was to end it."""
        conference = room.conference
        participant = conference.participants.pop(line.call.sid, None)
        room.lines.pop(line.call.sid, None)
        was_kicked = room.kicked.pop(line.call.sid, asyncio.Event()).is_set()
        line.peers.clear()
        if participant is None or conference.status == "completed":
            return
        self._tell(conference, "participant-leave", line)
        verb = "kicked" if was_kicked else "left"
        if participant.end_on_exit:
            self.end(room, f"participant-with-end-conference-on-exit-{verb}", line.call.sid)
        elif not room.lines:
            self.end(room, f"last-participant-{verb}", line.call.sid)
        else:
            self.connect(room)

    def end(self, room: Room, reason: str, by: str = "") -> None:
        """End the conference for everybody."""
        conference = room.conference
        conference.status = "completed"
        conference.reason_ended = reason
        conference.ended_by = by
        conference.updated = self._switch.exchange.now()
        for line in room.lines.values():
            line.peers.clear()
        room.ended.set()
        self._tell(conference, "conference-end", None)
        self._rooms.pop(conference.sid, None)

    def find(self, sid: str) -> Room | None:
        """A conference that lasts, by its identifier."""
        return self._rooms.get(sid)

    def connect(self, room: Room) -> None:
        """Let everybody hear everybody who is neither muted nor on hold."""
        people = room.conference.participants
        for sid, line in room.lines.items():
            silent = people[sid].muted or people[sid].hold or not room.started.is_set()
            line.peers = (
                set()
                if silent
                else {other for key, other in room.lines.items() if key != sid and not people[key].hold}
            )
        self._switch.exchange.changed()

    def _start(self, room: Room) -> None:
        room.conference.status = "in-progress"
        room.conference.updated = self._switch.exchange.now()
        room.started.set()
        self._tell(room.conference, "conference-start", None)

    def _tell(self, conference: Conference, event: str, line: Line | None) -> None:
        word = event.removeprefix("participant-").removeprefix("conference-")
        if word not in conference.callback_events:
            return
        params = {
            "ConferenceSid": conference.sid,
            "FriendlyName": conference.friendly_name,
            "AccountSid": conference.account_sid,
            "StatusCallbackEvent": event,
            "SequenceNumber": str(conference.told + 1),
            "Timestamp": show_date(self._switch.exchange.now()) or "",
        }
        conference.told += 1
        if line is not None:
            params["CallSid"] = line.call.sid
        if event == "conference-end":
            params["ReasonConferenceEnded"] = conference.reason_ended
        self._switch.courier.tell(
            conference.account_sid,
            conference.callback,
            params,
            Occasion("conferences", event=event),
            about=conference.sid,
            method=conference.callback_method,
            final=event == "conference-end",
        )


async def join(script: Script, verb: Element, noun: Element, result: dict[str, str]) -> None:
    """Dial with Conference: be in it until it ends, or one leaves. `result` tells how it went."""
    conferences, line, exchange = script.switch.conferences, script.line, script.exchange
    room = conferences.open(line.call.account_sid, words_of(noun), noun, script.base)
    participant = Participant(
        call_sid=line.call.sid,
        joined=exchange.now(),
        muted=is_true(noun.get("muted")),
        start_on_enter=is_true(noun.get("startConferenceOnEnter"), True),
        end_on_exit=is_true(noun.get("endConferenceOnExit")),
        label=noun.get("participantLabel", ""),
    )
    result["DialCallStatus"] = "answered"
    kicked = conferences.enter(room, line, participant)
    line.hear("note", f"in the conference {room.conference.friendly_name}")
    if room.conference.status == "init":
        line.hear("played", "hold music")
    try:
        await first_of(room.ended, kicked, line.ended)
    finally:
        conferences.leave(room, line)

"""A call comes in: its line, its caller, the first document. Asked twice, the same is answered."""

from __future__ import annotations

from typing import Any, Final

from channels.voice.callbacks import CallAsked
from domain.calls import Document
from domain.events import EventType
from inbox.calls.announcement import must_announce
from inbox.calls.keeping import hold_call, tell_of
from inbox.lines.callers import Caller, find_caller
from inbox.lines.desk import LineDesk, keep_step, kept_answer
from inbox.lines.menus import Line
from inbox.lines.position import Mode, Position
from inbox.lines.reach import hold_people, is_line_open, load_reach
from inbox.lines.scene import Heard, Next, Scene
from inbox.lines.stepping import begin, take_step
from inbox.lines.store import line_for
from inbox.texts.writing import hold_number
from storage.pool import Connection
from storage.unit_of_work import unit_of_work

_KNOWN: Final = """
SELECT c.message_id FROM calls c JOIN messages m ON m.id = c.message_id WHERE c.provider_id = $1 AND m.direction = 'in'
"""
_MESSAGE: Final = """
INSERT INTO messages (direction, channel, contact_id, conversation_id, case_id, created_at)
VALUES ('in', 'voice', $1, $2, $3, $4) RETURNING id
"""
_CALL: Final = """
WITH content AS (
    INSERT INTO message_contents (message_id) VALUES ($1)
), leg AS (
    INSERT INTO call_legs (provider_id, message_id, part, number) VALUES ($2, $1, 'them', $4) ON CONFLICT DO NOTHING
), parties AS (
    INSERT INTO message_parties (message_id, part, no, address)
    SELECT $1, part, 0, address FROM (VALUES ('from', $4), ('to', $3)) AS p(part, address) WHERE address <> ''
)
INSERT INTO calls (message_id, state, ours, theirs, line_id, provider_id, placed_at)
VALUES ($1, 'menu', $3, $4, $5, $2, $6)
"""
_LANGUAGE: Final = """
SELECT coalesce(
    (SELECT language FROM contacts WHERE id = $1),
    (SELECT position ->> 'language' FROM calls WHERE theirs = $2 AND $2 <> '' AND position ->> 'language' <> ''
     ORDER BY message_id DESC LIMIT 1), '')
"""
#: how often somebody may be chosen who was rung by another call meanwhile
_CHOICES: Final = 3


async def take_call(desk: LineDesk, asked: CallAsked) -> Document:
    """What a caller hears first."""
    theirs, ours = asked.caller.shown, asked.called.shown
    async with unit_of_work(desk.board.pool, desk.board.announcer) as work:
        connection = work.connection
        await hold_number(connection, asked.provider_id)
        known = await connection.fetchval(_KNOWN, asked.provider_id)
        if known is not None:
            call = await hold_call(connection, known)
            return kept_answer(call)
        line_id, line = await line_for(connection, ours, desk.default_queue)
        refusal = begin(line, await _first_scene(desk, connection, line, theirs))
        if refusal.position.mode is Mode.OVER:
            return refusal.document  # nothing is kept of whoever is not let in
        await hold_number(connection, theirs or asked.provider_id)
        at = desk.board.clock.now()
        is_number = bool(asked.caller.number)  # of a gateway to the telephone network, too
        caller = await find_caller(
            connection,
            theirs,
            ours,
            line.queue,
            line.name,
            at,
            is_number=is_number,
            name=asked.caller_name.strip(),
        )
        message_id = await _keep(connection, asked, caller, line_id, theirs, at)
        call = await hold_call(connection, message_id)
        chosen = await choose(desk, connection, call, line, None, Heard())
        await keep_step(connection, message_id, 1, line, chosen)
        sharers = caller.sharers if caller.sharers > 1 else None
        work.tell(tell_of(call, EventType.CALLED, at, queue=line.queue, sharers=sharers))
    return chosen.document


async def find_incoming(desk: LineDesk, provider_id: str) -> int | None:
    """The call that came in under the provider's number."""
    found: int | None = await desk.board.pool.fetchval(_KNOWN, provider_id)
    return found


async def choose(
    desk: LineDesk, connection: Connection, call: Any, line: Line, position: Position | None, heard: Heard
) -> Next:
    """The next step of a held call; whoever it rings is rung by no other call meanwhile. `position` None: its first."""
    for _ in range(_CHOICES):
        scene = await load_scene(desk, connection, call, line, position)
        chosen = begin(line, scene) if position is None else take_step(line, position, heard, scene)
        if not chosen.ringing:
            return chosen
        users = [rep.user_id for rep in chosen.ringing]
        await hold_people(connection, users)
        again = await load_scene(desk, connection, call, line, position)
        free = {
            rep.user_id
            for reps in (*again.reach.queues.values(), again.reach.people.values())
            for rep in reps
            if rep.is_free
        }
        if again.reach.owner is not None and again.reach.owner.is_free:
            free.add(again.reach.owner.user_id)
        if free.issuperset(users):
            return chosen
    return chosen


async def load_scene(
    desk: LineDesk, connection: Connection, call: Any, line: Line, position: Position | None
) -> Scene:
    """What a step of a held call is taken in."""
    board, now = desk.board, desk.board.clock.now()
    settings = board.settings
    theirs = call["theirs"]
    language = await connection.fetchval(_LANGUAGE, call["contact_id"], call["theirs"])
    since = position.since if position is not None and position.mode in (Mode.HOLD, Mode.RING) else None
    return Scene(
        now=now,
        is_open=await is_line_open(connection, line, desk.is_open, now),
        links=desk.links(call["message_id"], call["step"] + 1),
        caller=theirs,
        language=language,
        announce=must_announce(settings.announce, call["ours"], theirs),
        reach=await load_reach(connection, line, call, since, desk.is_open, now),
        voicemail_seconds=settings.voicemail_seconds,
        longest_talk=settings.longest,
        written=settings.transcribed_languages if settings.transcribe else (),
    )


async def _first_scene(desk: LineDesk, connection: Connection, line: Line, theirs: str) -> Scene:
    """Enough to know whether the caller is let in."""
    now = desk.board.clock.now()
    return Scene(now, is_open=True, links=desk.links(0, 1), caller=theirs)


async def _keep(
    connection: Connection, asked: CallAsked, caller: Caller, line_id: int | None, theirs: str, at: Any
) -> int:
    number: int = await connection.fetchval(
        _MESSAGE, caller.contact_id, caller.conversation_id, caller.case_id, at
    )
    await connection.execute(_CALL, number, asked.provider_id, asked.called.shown, theirs, line_id, at)
    return number

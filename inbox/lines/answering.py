"""The steps of a call that came in, one transaction each: what the caller hears next, who is rung, who answers.

Each document has a number, which stands in the addresses it names. A request for the step that was taken already gets
the answer that was kept; a call that has ended never goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from channels.voice.callbacks import DialEnded, Gathered, LeftMessage, LegReport
from domain.calls import LEG_ENDS, CallPart, CallState, Document, Hangup
from domain.errors import NotFound
from domain.events import EventType
from domain.messages import Direction
from inbox.calls.keeping import hold_call, keep_news, tell_of
from inbox.calls.reports import read_news
from inbox.lines.arriving import choose
from inbox.lines.callers import move_to_queue
from inbox.lines.desk import LineDesk, keep_step, kept_answer, line_of, position_of, stop_ringing
from inbox.lines.endings import end_incoming
from inbox.lines.position import Mode
from inbox.lines.recorded import keep_recording
from inbox.lines.scene import Heard
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork, unit_of_work

#: documents that one call is given; a hold of two hours takes some seven hundred
MOST_STEPS: Final = 2000

_TALK: Final = """
UPDATE calls SET state = 'talking', user_id = $2, answered_at = $3, version = version + 1, changed_at = now(),
       looks = 0, look_at = now() + make_interval(secs => 300)
WHERE message_id = $1
"""
#: the provider's number of a leg that was known by the person alone
_NAME_LEG: Final = """
UPDATE call_legs SET provider_id = $3 WHERE message_id = $1 AND provider_id = $2
  AND NOT EXISTS (SELECT FROM call_legs WHERE provider_id = $3)
"""
_ANSWER_LEG: Final = """
UPDATE call_legs SET answered_at = coalesce(answered_at, $3) WHERE message_id = $1 AND user_id = $2 AND ended_at IS NULL
"""


async def take_choice(desk: LineDesk, message_id: int, step: int, told: Gathered) -> Document:
    """What follows on what was pressed or said, on silence, or on the music. Raises NotFound."""
    heard = Heard(keys=told.keys, speech=told.speech)
    return await _take_step(desk, message_id, step, told.call.status, lambda call: heard)


async def take_ring(desk: LineDesk, message_id: int, step: int, told: DialEnded) -> Document:
    """What follows when nobody answered, or the talk has ended. Raises NotFound."""

    def judge(call: Any) -> Heard:
        position = position_of(call)
        if position.mode is not Mode.RING:
            return Heard()
        return Heard(answered=call["answered_at"] is not None or (told.bridged and not _whispers(call)))

    return await _take_step(desk, message_id, step, told.call.status, judge, told)


async def take_left(desk: LineDesk, message_id: int, step: int, told: LeftMessage) -> Document:
    """A message was left, or nothing was said. Raises NotFound."""
    if told.recording is not None and told.recording.status != "absent":
        await keep_recording(desk.board, message_id, "voicemail", told.recording)
    heard = Heard(left=told.recording is not None)
    return await _take_step(desk, message_id, step, told.call.status, lambda call: heard)


async def whisper(desk: LineDesk, message_id: int, step: int, user_id: int, leg_id: str) -> Any:
    """The held facts of a call that rings for somebody who took their phone; None when it does not any more."""
    async with unit_of_work(desk.board.pool, desk.board.announcer) as work:
        call = await hold_incoming(work.connection, message_id)
        await _name_leg(work.connection, message_id, step, user_id, leg_id)
        return call if _rings(call, step, user_id) else None


async def accept(desk: LineDesk, message_id: int, step: int, user_id: int, leg_id: str) -> bool:
    """Somebody takes the call; false when it is not theirs to take any more. Raises NotFound."""
    async with unit_of_work(desk.board.pool, desk.board.announcer) as work:
        call = await hold_incoming(work.connection, message_id)
        await _name_leg(work.connection, message_id, step, user_id, leg_id)
        if call["state"] == CallState.TALKING and call["user_id"] == user_id:
            return True  # asked twice
        if not _rings(call, step, user_id):
            return False
        await _talk(desk, work, call, user_id)
        return True


async def take_rung_report(
    desk: LineDesk, message_id: int, step: int, user_id: int, report: LegReport
) -> None:
    """How the phone of somebody of us stands. Raises NotFound."""
    news = read_news(desk.board, CallPart.US, report)
    async with unit_of_work(desk.board.pool, desk.board.announcer) as work:
        call = await hold_incoming(work.connection, message_id)
        await _name_leg(work.connection, message_id, step, user_id, report.provider_id)
        await keep_news(work.connection, message_id, news, number=report.called.shown, user_id=user_id)
        taken = report.status == "in-progress" and _rings(call, step, user_id) and not _whispers(call)
        if taken:
            await _talk(desk, work, call, user_id)


async def take_end(desk: LineDesk, message_id: int, report: LegReport) -> None:
    """The caller's leg has ended, or is reported to stand otherwise. Raises NotFound."""
    news = read_news(desk.board, CallPart.THEM, report)
    async with unit_of_work(desk.board.pool, desk.board.announcer) as work:
        call = await hold_incoming(work.connection, message_id)
        await keep_news(work.connection, message_id, news, number=call["theirs"])
        if report.is_end:
            await end_incoming(desk.board, work, call, by_caller=True, at=news.ended_at)


async def hold_incoming(connection: Connection, message_id: int) -> Any:
    """A held call that came in on a line. Raises NotFound."""
    call = await hold_call(connection, message_id)
    if call["direction"] != Direction.IN or (call["state"] != CallState.ENDED and not call["position"]):
        raise NotFound(f"Call {message_id} did not come in.")
    return call


async def _take_step(
    desk: LineDesk,
    message_id: int,
    step: int,
    status: str,
    judge: Callable[[Any], Heard],
    told: DialEnded | None = None,
) -> Document:
    board = desk.board
    async with unit_of_work(board.pool, board.announcer) as work:
        connection = work.connection
        call = await hold_incoming(connection, message_id)
        if told is not None and told.recording is not None:
            await keep_recording(desk.board, message_id, "talk", told.recording, work)
        if call["state"] == CallState.ENDED:
            return kept_answer(call)
        if step > call["step"] or step < 1:
            raise NotFound(f"Call {message_id} has no step {step} yet.")
        if step < call["step"]:
            return kept_answer(call)
        heard, now = judge(call), board.clock.now()
        seconds = told.seconds if told is not None and heard.answered else None
        await stop_ringing(connection, message_id, now)
        if heard.answered and call["answered_at"] is None:
            call = await _answered_unseen(desk, work, call, told)
        if status in LEG_ENDS or step >= MOST_STEPS:
            by_caller = status in LEG_ENDS
            await end_incoming(board, work, call, by_caller=by_caller, at=now, seconds=seconds)
            return (Hangup(),)
        line, position = line_of(call), position_of(call)
        chosen = await choose(desk, connection, call, line, position, heard)
        if chosen.position.queue and chosen.position.queue != position.queue:
            await move_to_queue(connection, call, chosen.position.queue, line.name)
            call = await hold_call(connection, message_id)
        if chosen.position.mode is Mode.OVER:
            over = replace(chosen, position=position)  # where they were tells how it ended
            await keep_step(connection, message_id, call["step"] + 1, line, over)
            await end_incoming(board, work, call, by_caller=False, at=now, seconds=seconds)
        else:
            await keep_step(connection, message_id, call["step"] + 1, line, chosen)
    return chosen.document


async def _answered_unseen(desk: LineDesk, work: UnitOfWork, call: Any, told: DialEnded | None) -> Any:
    """A talk of which nothing was heard while it lasted: without a whisper only the end tells of it, now and then."""
    position = position_of(call)
    user_id = position.ringing[0] if len(position.ringing) == 1 else None
    await _talk(desk, work, call, user_id)
    return await hold_call(work.connection, call["message_id"])


async def _talk(desk: LineDesk, work: UnitOfWork, call: Any, user_id: int | None) -> None:
    now, message_id = desk.board.clock.now(), call["message_id"]
    await work.connection.execute(_TALK, message_id, user_id, now)
    if user_id is not None:
        await work.connection.execute(_ANSWER_LEG, message_id, user_id, now)
        await stop_ringing(work.connection, message_id, now, but=user_id)
    held = await hold_call(work.connection, message_id)
    work.tell(tell_of(held, EventType.ANSWERED, now))


async def _name_leg(connection: Connection, message_id: int, step: int, user_id: int, leg_id: str) -> None:
    await connection.execute(_NAME_LEG, message_id, f"rung:{message_id}:{step}:{user_id}", leg_id)


def _rings(call: Any, step: int, user_id: int) -> bool:
    """Whether a held call rings for this person, by the document of this step."""
    return (
        call["state"] == CallState.RINGING
        and call["step"] == step
        and call["answered_at"] is None
        and user_id in position_of(call).ringing
    )


def _whispers(call: Any) -> bool:
    """Whether whoever is rung has to press a key."""
    position = position_of(call)
    *place, number = position.at
    steps = dict(line_of(call).menu_steps()).get(tuple(place), ())
    ring = steps[int(number)].ring if steps else None
    return ring is None or ring.whisper

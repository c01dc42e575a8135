"""How a call that came in ended, told once; and what it leaves for somebody to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from domain.calls import CallResult, CallState
from domain.events import EventType
from inbox.calls.keeping import hold_call, tell_of
from inbox.calls.switchboard import Switchboard
from inbox.lines.callers import ask_for_answer
from inbox.lines.desk import line_of, position_of, stop_ringing
from inbox.lines.position import Mode
from storage.unit_of_work import UnitOfWork

#: seconds that a recording may take to be told of, after its call has ended
GRACE: Final = 60.0

_LEFT: Final = """
SELECT seconds FROM recordings WHERE message_id = $1 AND kind = 'voicemail' ORDER BY id LIMIT 1
"""
_END: Final = """
UPDATE calls SET state = 'ended', result = $2, ended_at = $3, seconds = $4, position = position - 'line',
       answer = CASE WHEN answer -> 'document' -> -1 ->> 'verb' = 'Hangup' THEN answer END,
       version = version + 1, changed_at = now(), look_at = NULL,
       recordings_at = CASE WHEN $5 THEN now() + make_interval(secs => $6) END
WHERE message_id = $1
"""
_SETTLE: Final = """
UPDATE calls SET result = $2, seconds = coalesce($3, seconds), version = version + 1, changed_at = now()
WHERE message_id = $1
"""
_QUEUE: Final = """
SELECT q.name, q.language FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = $1
"""


async def end_incoming(
    board: Switchboard,
    work: UnitOfWork,
    call: Any,
    *,
    by_caller: bool,
    at: datetime | None = None,
    seconds: int | None = None,
) -> None:
    """End a held call; does nothing when it has ended. `seconds`: of talk, where the provider tells them."""
    if call["state"] == CallState.ENDED:
        return
    ended, position = at or board.clock.now(), position_of(call)
    left = await work.connection.fetchrow(_LEFT, call["message_id"])
    result: CallResult | None
    if call["answered_at"] is not None:
        result = CallResult.ANSWERED
        length = (
            seconds
            if seconds is not None
            else max(0, round((ended - call["answered_at"]) / timedelta(seconds=1)))
        )
    elif left is not None:
        result, length = CallResult.VOICEMAIL, left["seconds"]
    elif position.mode is Mode.VOICEMAIL and by_caller and not position.silent:
        result, length = None, None  # hanging up ends the message: it is told of in a moment
    elif position.rang or position.mode in (Mode.HOLD, Mode.VOICEMAIL) or not by_caller:
        result, length = CallResult.MISSED, None
    else:
        result, length = CallResult.ABANDONED, None
    recorded = result is None or (result is CallResult.ANSWERED and line_of(call).record)
    await work.connection.execute(
        _END, call["message_id"], result.value if result else None, ended, length, recorded, GRACE
    )
    await stop_ringing(work.connection, call["message_id"], ended)
    if result is not None:
        await _tell(work, call, result, length, ended)


async def settle_incoming(
    work: UnitOfWork, call: Any, result: CallResult, seconds: int | None = None
) -> None:
    """What became of a held call that ended while its caller spoke; a later message overrules that there was none."""
    if call["state"] != CallState.ENDED or call["result"] in (CallResult.VOICEMAIL, CallResult.ANSWERED):
        return
    if call["result"] is not None and result is not CallResult.VOICEMAIL:
        return
    await work.connection.execute(_SETTLE, call["message_id"], result.value, seconds)
    await _tell(work, call, result, seconds, call["ended_at"])


async def queue_of(work: UnitOfWork, call: Any) -> tuple[str | None, str]:
    """The queue of the conversation that a call belongs to now, and its language."""
    row = await work.connection.fetchrow(_QUEUE, call["conversation_id"])
    return (row["name"], row["language"]) if row is not None else (None, "en")


async def _tell(work: UnitOfWork, call: Any, result: CallResult, seconds: int | None, at: datetime) -> None:
    if result is CallResult.MISSED and call["conversation_id"] is not None:
        await ask_for_answer(work.connection, call["conversation_id"], at)
    held = await hold_call(work.connection, call["message_id"])
    queue, _language = await queue_of(work, held)
    data = {"result": result.value, "seconds": seconds, "queue": queue}
    work.tell(tell_of(held, EventType.CALL_ENDED, at, **data))

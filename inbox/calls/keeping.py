"""Keeping what is told about a call: its legs, the state that follows from them, and the events of that.

Whoever changes a call holds its row first, so that two reports at a time are kept one after the other. A call only
moves forward; what is told twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.calls import CallPart, CallResult, CallState
from domain.errors import NotFound
from domain.events import EventType, NewEvent
from domain.messages import Direction
from inbox.calls.legs import Leg, Standing, advance, stand
from inbox.calls.switchboard import Switchboard
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

#: seconds until the first look for the price of a leg that was answered
PRICE_AFTER: Final = 30.0
#: seconds in which a recording is told of, after the end of a talk
RECORDED_AFTER: Final = 120.0
#: seconds that reports have, after a side has ended, to tell the rest before the provider is asked
GRACE: Final = 8.0
#: the same while something goes on
_SPARE: Final = 45.0
_TALK: Final = 300.0

_HOLD: Final = """
SELECT c.*, m.direction, m.contact_id, m.conversation_id, m.case_id
FROM calls c JOIN messages m ON m.id = c.message_id WHERE c.message_id = $1 FOR UPDATE OF c
"""
_LEGS: Final = "SELECT * FROM call_legs WHERE message_id = $1 ORDER BY provider_id"
_ADD_LEG: Final = """
INSERT INTO call_legs (provider_id, message_id, part, user_id, number) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_LEG: Final = "SELECT * FROM call_legs WHERE provider_id = $1 AND message_id = $2 FOR UPDATE"
_KEEP_LEG: Final = """
UPDATE call_legs SET status = $2, sequence = $3, answered_at = $4, ended_at = $5, seconds = $6,
       price_at = CASE WHEN $7 AND price IS NULL AND price_looks = 0
                       THEN coalesce(price_at, now() + make_interval(secs => $8)) ELSE price_at END
WHERE provider_id = $1
"""
_MOVE: Final = """
UPDATE calls SET state = $2, result = $3, answered_at = $4, ended_at = $5, seconds = $6, provider_id = $7,
       version = version + 1, changed_at = now(), looks = CASE WHEN state = $2 THEN looks ELSE 0 END,
       look_at = CASE WHEN $8::float8 IS NOT NULL THEN now() + make_interval(secs => $8) END,
       recordings_at = CASE WHEN $9 THEN now() + make_interval(secs => $10) ELSE recordings_at END
WHERE message_id = $1
"""
_REST: Final = "UPDATE calls SET look_at = NULL WHERE message_id = $1 AND look_at IS NOT NULL"
_END: Final = """
UPDATE calls SET state = 'ended', result = $2, ended_at = $3, trouble = left($4, 500), look_at = NULL,
       version = version + 1, changed_at = now()
WHERE message_id = $1
"""
_FORWARD: Final = (
    CallState.PLACING,
    CallState.UNCONFIRMED,
    CallState.RINGING_US,
    CallState.RINGING,
    CallState.TALKING,
    CallState.ENDED,
)


async def hold_call(connection: Connection, message_id: int) -> Any:
    """The call with the facts of its message; nobody else changes it until the transaction ends. Raises NotFound."""
    row = await connection.fetchrow(_HOLD, message_id)
    if row is None:
        raise NotFound(f"There is no call {message_id}.")
    return row


async def load_legs(connection: Connection, message_id: int) -> list[Leg]:
    """What is known of the call's legs."""
    return [_read_leg(row) for row in await connection.fetch(_LEGS, message_id)]


async def keep_news(
    connection: Connection, message_id: int, news: Leg, *, number: str = "", user_id: int | None = None
) -> Leg:
    """Join a report with what is known of its leg, in the transaction of whoever holds the call; gives what is known.

    `number` and `user_id` tell of a new leg whom it rings. Raises NotFound for a leg of another call.
    """
    part = news.part.value
    await connection.execute(_ADD_LEG, news.provider_id, message_id, part, user_id, number)
    row = await connection.fetchrow(_LEG, news.provider_id, message_id)
    if row is None:
        raise NotFound(f"The leg {news.provider_id} belongs to another call.")
    known = _read_leg(row)
    leg = advance(known, news)
    if leg != known:
        await connection.execute(
            _KEEP_LEG,
            leg.provider_id,
            leg.status,
            leg.sequence,
            leg.answered_at,
            leg.ended_at,
            leg.seconds,
            leg.status == "completed",
            PRICE_AFTER,
        )
    return leg


async def settle_call(board: Switchboard, work: UnitOfWork, call: Any) -> Standing:
    """Bring a held call of ours to where its legs say it stands, and tell what is new of it."""
    legs = await load_legs(work.connection, call["message_id"])
    found = stand(legs, asked=bool(call["position"].get("asked")))
    before, after = CallState(call["state"]), found.state
    if not legs or _FORWARD.index(before) > _FORWARD.index(after):
        after = before
    if after is CallState.ENDED and found.state is not CallState.ENDED:
        return found  # ended by a person, or given up: nothing that goes on opens it again
    ours = [leg.provider_id for leg in legs if leg.part is CallPart.US]
    values = (
        after.value,
        found.result.value if found.result else call["result"],
        found.answered_at or call["answered_at"],
        (found.ended_at or call["ended_at"] or board.clock.now()) if after is CallState.ENDED else None,
        found.seconds if found.seconds is not None else call["seconds"],
        call["provider_id"] or (ours[0] if ours else None),
    )
    names = ("state", "result", "answered_at", "ended_at", "seconds", "provider_id")
    if values != tuple(call[name] for name in names):
        patience = _patience(board, after, found, legs)
        recorded = found.result is CallResult.ANSWERED and board.settings.record_talks
        await work.connection.execute(_MOVE, call["message_id"], *values, patience, recorded, RECORDED_AFTER)
        _tell(board, work, call, found)
    elif after is CallState.ENDED and all(leg.has_ended for leg in legs):
        await work.connection.execute(_REST, call["message_id"])
    return found


async def end_call(
    board: Switchboard, work: UnitOfWork, call: Any, result: CallResult, trouble: str = ""
) -> None:
    """End a held call of ours for another reason than its legs'; one that has ended is left alone but for looks."""
    if call["state"] == CallState.ENDED:
        await work.connection.execute(_REST, call["message_id"])
        return
    now = board.clock.now()
    await work.connection.execute(_END, call["message_id"], result.value, now, trouble)
    _tell(board, work, call, Standing(CallState.ENDED, result, None, now))


def tell_of(call: Any, kind: EventType, at: datetime, **data: Any) -> NewEvent:
    """An event of this call, told once."""
    facts = {
        "channel": "voice",
        "direction": call["direction"],
        "line": call["ours"],
        "user": call["user_id"],
        **data,
    }
    return NewEvent(
        kind,
        at,
        call["contact_id"],
        call["message_id"],
        None,
        call["conversation_id"],
        call["case_id"],
        call["task_id"],
        call["user_id"],
        {name: value for name, value in facts.items() if value is not None and value != ""},
        f"call:{call['message_id']}:{kind.value}",
    )


def _tell(board: Switchboard, work: UnitOfWork, call: Mapping[str, Any], found: Standing) -> None:
    """A contact whose phone never rang was not called: nothing is told of such a call on their timeline."""
    if not call["position"].get("asked"):
        return
    if found.state is CallState.TALKING or found.result is CallResult.ANSWERED:
        work.tell(tell_of(call, EventType.ANSWERED, found.answered_at or board.clock.now()))
    if found.result is not None:
        ended = found.ended_at or board.clock.now()
        data = {"result": found.result.value, "seconds": found.seconds}
        work.tell(tell_of(call, EventType.CALL_ENDED, ended, **data))


def _patience(board: Switchboard, state: CallState, found: Standing, legs: Sequence[Leg]) -> float | None:
    """Seconds until the provider is asked how the call stands, unless a report comes before; None: not at all."""
    if state is CallState.ENDED:
        return None if all(leg.has_ended for leg in legs) else _SPARE
    if found.undecided:
        return GRACE
    if state is CallState.RINGING_US:
        return board.settings.our_seconds + _SPARE
    return board.settings.their_seconds + _SPARE if state is CallState.RINGING else _TALK


def _read_leg(row: Any) -> Leg:
    return Leg(
        row["provider_id"],
        CallPart(row["part"]),
        row["status"],
        row["answered_at"],
        row["ended_at"],
        row["seconds"],
        row["sequence"],
    )


def is_outgoing(call: Any) -> bool:
    """Whether a held call is one of ours."""
    return bool(call["direction"] == Direction.OUT)

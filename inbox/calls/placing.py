"""Placing a call: our person's phone rings first, then the contact's. A call is never placed twice.

The row is committed before the provider is asked. Whoever crashes in between, or gets no answer, leaves a call that is
`placing` or `unconfirmed`: its first report settles it, or a look-up (inbox/calls/sweeping.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from channels.voice.twilio import Placed
from domain.calls import CallPart, CallResult, CallState
from domain.errors import Conflict, Unavailable
from domain.messages import DeliveryState
from inbox.calls.keeping import end_call, hold_call, is_outgoing, keep_news, settle_call
from inbox.calls.legs import Leg
from inbox.calls.provider import CallProvider
from inbox.calls.switchboard import Switchboard
from storage.unit_of_work import unit_of_work

#: seconds after which a call whose request has no answer is looked up, beyond all that the request may wait for
_MARGIN: Final = 20.0

_HOLD_USER: Final = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"
#: the call in which somebody is: one that they placed, or one that came in and that they talk on
_LIVE: Final = """
SELECT c.message_id, c.state, c.theirs, m.contact_id, m.direction FROM calls c JOIN messages m ON m.id = c.message_id
WHERE c.user_id = $1 AND c.state <> ALL ('{ended,unconfirmed}') AND (m.direction = 'out' OR c.state = 'talking')
ORDER BY c.message_id DESC LIMIT 1
"""
_OURS_LIVE: Final = """
SELECT count(*) FROM calls c JOIN messages m ON m.id = c.message_id
WHERE c.state <> ALL ('{ended,unconfirmed}') AND m.direction = 'out'
"""
_MESSAGE: Final = """
INSERT INTO messages (direction, channel, contact_id, identity_id, conversation_id, case_id)
VALUES ('out', 'voice', $1, (SELECT id FROM identities WHERE kind = 'phone' AND address = $2 AND contact_id = $1 LIMIT 1),
        $3, $4)
RETURNING id
"""
_CALL: Final = """
INSERT INTO calls (message_id, state, ours, theirs, user_id, task_id, position, placed_at, look_at)
VALUES ($1, 'placing', $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
"""
_DOUBT: Final = """
UPDATE calls SET state = 'unconfirmed', trouble = left($2, 500), version = version + 1, changed_at = now(),
       look_at = now() + interval '5 seconds'
WHERE message_id = $1 AND state = 'placing'
"""
#: its end is asked for soon: when it was over already, no report of that comes any more
_TAKE_BACK: Final = """
UPDATE calls SET position = position || '{"hung_up": true}', version = version + 1, changed_at = now(),
       look_at = CASE WHEN provider_id IS NULL THEN look_at ELSE now() + interval '3 seconds' END
WHERE message_id = $1
"""
_NOT_YET: Final = frozenset({CallState.PLACING, CallState.RINGING_US})


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that somebody of us wants: `phone` is theirs, `theirs` the contact's number, `ours` the one that is shown."""

    user_id: int
    phone: str
    ours: str
    theirs: str
    contact_id: int | None = None
    task_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None


async def place_call(board: Switchboard, provider: CallProvider, wish: Wish) -> int:
    """Ring our person's phone; gives the call's id, or that of the same call which is being placed already.

    Raises Conflict while they are in another call, Unavailable when the provider took it not (the call has failed).
    """
    call_id, is_new = await _write_down(board, wish)
    if is_new:
        # Whoever asked may leave meanwhile; what the provider answers is kept all the same.
        placed = await asyncio.shield(asyncio.ensure_future(_ask(board, provider, call_id, wish)))
        if placed.state is DeliveryState.DEFERRED:
            raise Unavailable("The provider takes no more calls at the moment. Try again in a minute.")
    return call_id


async def hang_up(board: Switchboard, provider: CallProvider, call_id: int) -> None:
    """End a call for both sides, or see to it that it ends as soon as it begins. One that has ended is left alone.

    Raises NotFound, Conflict for one that came in and rings, Unavailable when the provider cannot be asked.
    """
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, call_id)
        if call["state"] == CallState.ENDED:
            return
        if not is_outgoing(call) and call["state"] != CallState.TALKING:
            raise Conflict("This call is not one that you talk on.")
        await work.connection.execute(_TAKE_BACK, call_id)
        if call["state"] == CallState.UNCONFIRMED:
            await end_call(board, work, call, CallResult.CANCELLED)
    if call["provider_id"] is not None:
        await provider.end(call["provider_id"])


def lease_of(board: Switchboard) -> float:
    """Seconds for which a request for a call may be on its way."""
    timeouts = board.settings.timeouts
    return timeouts.turn + timeouts.connect + timeouts.answer + _MARGIN


async def _write_down(board: Switchboard, wish: Wish) -> tuple[int, bool]:
    async with unit_of_work(board.pool, board.announcer) as work:
        await work.connection.execute(_HOLD_USER, wish.user_id)  # two clicks at a time wait for each other
        live = await work.connection.fetchrow(_LIVE, wish.user_id)
        if live is not None:
            if live["state"] in _NOT_YET and live["theirs"] == wish.theirs:
                return live["message_id"], False
            raise Conflict("You are in another call. Hang up there first.")
        if await work.connection.fetchval(_OURS_LIVE) >= board.settings.concurrent:
            raise Unavailable("All our lines are busy. Try again in a minute.")
        call_id: int = await work.connection.fetchval(
            _MESSAGE, wish.contact_id, wish.theirs, wish.conversation_id, wish.case_id
        )
        await work.connection.execute(
            _CALL,
            call_id,
            wish.ours,
            wish.theirs,
            wish.user_id,
            wish.task_id,
            {"phone": wish.phone},
            board.clock.now(),
            lease_of(board),
        )
    return call_id, True


async def _ask(board: Switchboard, provider: CallProvider, call_id: int, wish: Wish) -> Placed:
    bridge = board.addresses.of(call_id, "bridge")
    placed = await provider.place(
        wish.phone,
        wish.ours,
        bridge,
        board.addresses.status(call_id, CallPart.US),
        fallback_url=bridge,  # asked once more before our person hears that something is wrong
        seconds=board.settings.our_seconds,
        longest=board.settings.longest,
    )
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, call_id)
        taken_back = await _keep_answer(board, work, call, wish, placed)
    if taken_back:
        await provider.end(placed.provider_id)
    return placed


async def _keep_answer(board: Switchboard, work: Any, call: Any, wish: Wish, placed: Placed) -> bool:
    """Keep what the provider said; true when our person has taken the call back meanwhile."""
    if placed.provider_id:
        news = Leg(placed.provider_id, CallPart.US, "queued")
        await keep_news(work.connection, call["message_id"], news, number=wish.phone, user_id=wish.user_id)
        await settle_call(board, work, call)
        return bool(call["position"].get("hung_up"))
    if placed.state is DeliveryState.UNCERTAIN:
        await work.connection.execute(_DOUBT, call["message_id"], placed.words)
    elif call["provider_id"] is None:  # else a report tells that there is a call, whatever the answer said
        trouble = placed.words or placed.reason
        await end_call(board, work, call, CallResult.FAILED, trouble)
    return False

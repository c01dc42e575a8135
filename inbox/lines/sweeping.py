"""Calls that came in and of which nothing is heard any more: the provider is asked whether they go on.

Somebody who hangs up in a menu tells nothing by that: the number's status address should, but may be unset, or its
request lost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from domain.calls import LEG_ENDS, CallPart
from domain.errors import Unavailable
from inbox.calls.keeping import hold_call, keep_news
from inbox.calls.legs import Leg
from inbox.calls.provider import CallProvider
from inbox.calls.switchboard import Switchboard
from inbox.lines.endings import end_incoming
from storage.unit_of_work import unit_of_work

log = logging.getLogger("clytie.inbox")

_AT_ONCE: Final = 20
_AWAY: Final = 30.0
_LIVE: Final = 180.0
_LOOKS: Final = 6  #: at a call that the provider does not know

_DUE: Final = """
UPDATE calls SET look_at = now() + make_interval(secs => $2), looks = looks + 1
WHERE message_id IN (
    SELECT c.message_id FROM calls c JOIN messages m ON m.id = c.message_id
    WHERE c.look_at <= now() AND m.direction = 'in' ORDER BY c.look_at LIMIT $1 FOR UPDATE OF c SKIP LOCKED)
RETURNING message_id, provider_id, version, looks
"""


@dataclass(frozen=True, slots=True)
class IncomingSweeper:
    """Brings calls up to date whose time for a request is over; twins do no harm."""

    board: Switchboard
    provider: CallProvider

    async def sweep_due(self) -> int:
        """Look at what is due; gives how many there were."""
        rows = await self.board.pool.fetch(_DUE, _AT_ONCE, _LIVE)
        for row in rows:
            await self._ask(row)
        return len(rows)

    async def _ask(self, row: Any) -> None:
        try:
            record = await self.provider.fetch_call(row["provider_id"])
        except Unavailable as error:
            log.warning("call %d cannot be asked about: %s", row["message_id"], error)
            return
        if record is None and row["looks"] < _LOOKS:
            return
        if record is not None and record.status not in LEG_ENDS:
            return
        async with unit_of_work(self.board.pool, self.board.announcer) as work:
            call = await hold_call(work.connection, row["message_id"])
            if call["version"] != row["version"]:
                return  # something was heard meanwhile
            ended = self.board.business_time(record.ended) if record is not None else None
            if record is not None:
                leg = Leg(
                    record.provider_id, CallPart.THEM, record.status, ended_at=ended, seconds=record.seconds
                )
                await keep_news(work.connection, row["message_id"], leg, number=call["theirs"])
            await end_incoming(self.board, work, call, by_caller=True, at=ended)

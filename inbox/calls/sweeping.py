"""Calls that nothing is heard of: whether one was placed is looked up, how one stands is asked. Nothing is placed again.

A call whose request has no answer is `unconfirmed` after a lease that outlasts the request; its first report settles
it, or the one call in the provider's list that none of ours is known by. A call in progress whose reports stay away is
brought up to date from the provider's records, in which its legs stand as in their reports.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from channels.voice.records import CallRecord
from domain.calls import CallPart, CallResult, CallState
from domain.errors import NotFound, Unavailable
from inbox.calls.keeping import end_call, hold_call, keep_news, settle_call
from inbox.calls.legs import Leg
from inbox.calls.placing import lease_of
from inbox.calls.provider import CallProvider
from inbox.calls.switchboard import Switchboard
from storage.pool import DATABASE_AWAY
from storage.unit_of_work import unit_of_work

log = logging.getLogger(__name__)

#: Keeps two processes from looking at a time: each could take the same call there for its own.
_LOCK: Final = 0x63616C6C
_AT_ONCE: Final = 20
#: Looks at one call, each after twice the wait, and the longest wait in seconds: some hours altogether.
_LOOKS: Final = 12
#: the same at one that the provider had once and does not know any more, after which its person is free again
_GONE_LOOKS: Final = 3
_FIRST: Final = 15.0
_LONGEST: Final = 3_600.0
_AWAY: Final = 30.0
#: seconds between looks at a call in progress
_LIVE: Final = 120.0
#: business time and the machine's differ by less, unless a demo has moved its clock
_SAME: Final = timedelta(minutes=1)
_NOTHING_TOLD: Final = "The provider tells nothing of this call."

_DUE: Final = """
SELECT c.*, m.direction, m.created_at AS marked_at FROM calls c JOIN messages m ON m.id = c.message_id
WHERE c.look_at <= now() AND m.direction = 'out' ORDER BY c.look_at LIMIT $1
"""
#: legs of other calls that changed since; by the machine's time
_TAKEN: Final = """
SELECT l.provider_id FROM call_legs l JOIN calls c ON c.message_id = l.message_id
WHERE c.message_id <> $1 AND c.changed_at > $2
"""
_DOUBT: Final = """
UPDATE calls SET state = 'unconfirmed', version = version + 1, changed_at = now() WHERE message_id = $1
"""
_LATER: Final = """
UPDATE calls SET looks = looks + $3, look_at = now() + make_interval(secs => $2) WHERE message_id = $1
"""


@dataclass(frozen=True, slots=True)
class CallSweeper:
    """Looks after calls of ours whose time for reports is over."""

    board: Switchboard
    provider: CallProvider

    async def sweep_due(self) -> bool:
        """Look at what is due; true when there may be more. One process at a time, the others do nothing."""
        async with self.board.pool.acquire() as guard:
            if not await guard.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return False
            try:
                rows = await guard.fetch(_DUE, _AT_ONCE)
                for row in rows:
                    if not await self._try(row):
                        return False
            finally:
                if not guard.is_closed():
                    await guard.execute("SELECT pg_advisory_unlock($1)", _LOCK)
        return len(rows) == _AT_ONCE

    async def _try(self, row: Any) -> bool:
        """Look at one; false when nobody can be asked now. One that breaks does not keep the others waiting."""
        try:
            await self._look(row)
        except DATABASE_AWAY:
            raise
        except Unavailable as error:
            log.warning("calls cannot be looked up: %s", error)
            await self.board.pool.execute(_LATER, row["message_id"], _AWAY, 0)
            return False
        except Exception:
            log.exception("call %d cannot be looked at", row["message_id"])
            await self.board.pool.execute(_LATER, row["message_id"], _LONGEST, 1)
        return True

    async def _look(self, row: Any) -> None:
        message_id = row["message_id"]
        if row["provider_id"] is None:
            found = await self._find(row)
            records = [] if found is None else [(CallPart.US, found)]
        else:
            records = await self._ask(row["provider_id"])
        async with unit_of_work(self.board.pool, self.board.announcer) as work:
            call = await hold_call(work.connection, message_id)
            if call["version"] != row["version"]:
                return  # a report came meanwhile, and set the next look
            for part, record in records:
                number = record.recipient if record.outbound else record.caller
                user_id = row["user_id"] if part is CallPart.US else None
                news = self._read(part, record)
                await keep_news(work.connection, message_id, news, number=number, user_id=user_id)
            if call["state"] == CallState.PLACING and not records:
                await work.connection.execute(_DOUBT, message_id)
            goes_on = any(part is CallPart.US and not record.is_end for part, record in records)
            wait = _LIVE if goes_on else min(_FIRST * 2 ** min(row["looks"], 20), _LONGEST)
            await work.connection.execute(_LATER, message_id, wait, 0 if goes_on else 1)
            standing = await settle_call(self.board, work, await hold_call(work.connection, message_id))
            call = await hold_call(work.connection, message_id)
            if standing.undecided and len(records) == 1 and row["looks"]:
                # our side has ended, and the provider knows of no other leg: the contact's phone never rang
                await end_call(self.board, work, call, CallResult.CANCELLED)
            elif not goes_on and row["looks"] + 1 >= self._most_looks(row, found=bool(records)):
                await end_call(self.board, work, call, CallResult.FAILED, _NOTHING_TOLD)
        if records and row["position"].get("hung_up") and not records[0][1].is_end:
            await self._end(records[0][1].provider_id)

    def _most_looks(self, row: Any, *, found: bool) -> int:
        """After how many looks nothing more is waited for; whoever has hung up waits for none."""
        if found or row["provider_id"] is None:
            return _LOOKS
        return 1 if row["position"].get("hung_up") else _GONE_LOOKS

    async def _find(self, row: Any) -> CallRecord | None:
        """The call that was placed in doubt."""
        taken = await self.board.pool.fetch(_TAKEN, row["message_id"], row["marked_at"] - timedelta(hours=1))
        known = {one["provider_id"] for one in taken}
        lease = timedelta(seconds=lease_of(self.board))
        phone = row["position"].get("phone", "")
        # in a demo whose clock was moved, the test carrier tells business time
        for began in dict.fromkeys((row["marked_at"], row["placed_at"])):
            looked = await self.provider.look_up(phone, row["ours"], began, began + lease, known)
            if looked.found is not None or abs(row["placed_at"] - row["marked_at"]) < _SAME:
                return looked.found
        return None

    async def _ask(self, provider_id: str) -> list[tuple[CallPart, CallRecord]]:
        """All legs of a call as the provider has them."""
        record = await self.provider.fetch_call(provider_id)
        if record is None:
            return []
        legs = await self.provider.list_legs(provider_id)
        return [(CallPart.US, record), *((CallPart.THEM, leg) for leg in legs)]

    def _read(self, part: CallPart, record: CallRecord) -> Leg:
        started, ended = map(self.board.business_time, (record.started, record.ended))
        answered = record.status in ("in-progress", "completed")
        return Leg(
            record.provider_id,
            part,
            record.status,
            answered_at=started if answered else None,
            ended_at=ended if record.is_end else None,
            seconds=record.seconds if record.is_end and answered else None,
        )

    async def _end(self, provider_id: str) -> None:
        try:
            await self.provider.end(provider_id)
        except (Unavailable, NotFound) as error:
            log.warning("a call that was taken back could not be ended: %s", error)

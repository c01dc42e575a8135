"""Reports of the usual kind, taken in groups: one transaction for all that came while the one before was committed.

Usual is a report without an error about a message that nobody has doubts about. Everything else, and whatever a group
did not move, goes the way of `take_report`, each by itself; so does what is reported for the second time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from channels.sms.reports import Report, to_event
from channels.sms.statuses import FINAL_RANK, STATUSES, moves_forward
from domain.clock import Clock
from domain.events import EventType, NewEvent
from inbox.texts.reports import PRICE_AFTER, UNDER_WAY, take_report
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Connection, Pool

_MOST: Final = 200
#: Groups that are committed at a time: while one waits for its commit, the next one is prepared.
_AT_ONCE: Final = 2
#: For each state the states that it follows, as a text to search in: `|` before and after each; no state is `||`.
_BEFORE: Final = {
    status: "||" + "".join(f"{other}|" for other in STATUSES if moves_forward(other, status))
    for status in STATUSES
}

#: $1 message ids in order, $2 states, $3 the states before, $4 the provider's numbers, $5 whether it is an end, $6 states of
#: deliveries under way, $7 seconds until the price is asked for. Deliveries are locked first, as everybody does.
_MOVE: Final = """
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[])
      AS a(message_id, status, before, provider_id, is_end)
), held AS MATERIALIZED (
    SELECT d.message_id, d.state FROM deliveries AS d WHERE d.message_id = ANY ($1::bigint[])
    ORDER BY d.message_id FOR NO KEY UPDATE
), moved AS (
    UPDATE sms_facts AS f
    SET status = a.status, reason = NULL, provider_id = coalesce(nullif(a.provider_id, ''), f.provider_id),
        unsettled = h.state = ANY ($6::text[]), reported_at = now(),
        price_at = CASE WHEN f.price IS NULL AND a.is_end THEN now() + make_interval(secs => $7)
                        WHEN f.price IS NULL THEN f.price_at END
    FROM asked AS a JOIN held AS h USING (message_id)
    WHERE f.message_id = a.message_id AND h.state <> 'uncertain' AND strpos(a.before, '|' || f.status || '|') > 0
    RETURNING f.message_id
)
SELECT m.id, m.contact_id, nullif(m.campaign_id, 0) AS campaign_id, m.conversation_id, m.case_id
FROM moved JOIN messages AS m ON m.id = moved.message_id AND m.direction = 'out'
"""


class _Waiting(NamedTuple):
    message_id: int
    report: Report
    answer: asyncio.Future[bool]


class ReportGroups:
    """Takes reports for one process; belongs to its event loop. Whoever waits is answered after the commit."""

    def __init__(self, pool: Pool, clock: Clock, announcer: Announcer | None = None) -> None:
        self._pool = pool
        self._clock = clock
        self._announcer = announcer
        self._waiting: deque[_Waiting] = deque()
        self._keepers: set[asyncio.Task[None]] = set()

    async def take(self, message_id: int, report: Report) -> bool:
        """As `take_report`: false when it is no news. Raises NotFound, and what the database raises when it is away;
        then it may be taken again without harm."""
        if not (report.reason or report.price):
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._waiting.append(_Waiting(message_id, report, answer))
            if len(self._keepers) < _AT_ONCE:
                keeper = asyncio.create_task(self._keep_all(), name="reports")
                self._keepers.add(keeper)
                keeper.add_done_callback(self._keepers.discard)
            if await answer:
                return True
        return await take_report(self._pool, self._clock, message_id, report, self._announcer)

    async def _keep_all(self) -> None:
        while group := self._next_group():
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    moved = await self._keep(connection, group)
            except Exception as error:
                for one in group:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            for one in group:
                if not one.answer.done():
                    one.answer.set_result(one.message_id in moved)
            if self._announcer is not None:
                self._announcer.touch()

    def _next_group(self) -> list[_Waiting]:
        """What waits, one report of each message: the next one goes with another group."""
        group: dict[int, _Waiting] = {}
        later: list[_Waiting] = []
        while self._waiting and len(group) < _MOST:
            one = self._waiting.popleft()
            if one.answer.done():
                continue  # whoever asked has gone
            if one.message_id in group:
                later.append(one)
            else:
                group[one.message_id] = one
        self._waiting.extendleft(reversed(later))
        return [group[message_id] for message_id in sorted(group)]

    async def _keep(self, connection: Connection, group: Sequence[_Waiting]) -> set[int]:
        """Move what moves, and tell of it; gives which messages did."""
        rows = await connection.fetch(
            _MOVE,
            [one.message_id for one in group],
            [one.report.status for one in group],
            [_BEFORE[one.report.status] for one in group],
            [one.report.provider_id for one in group],
            [one.report.rank >= FINAL_RANK for one in group],
            UNDER_WAY,
            PRICE_AFTER,
        )
        reports = {one.message_id: one.report for one in group}
        now = self._clock.now()
        events = [_event(row, reports[row["id"]], now) for row in rows]
        await record(connection, [event for event in events if event is not None])
        return {row["id"] for row in rows}


def _event(row: Any, report: Report, now: datetime) -> NewEvent | None:
    """What is told; that a message was sent is told when its delivery is settled."""
    event = to_event(report, now)
    if event is None or event.type is EventType.SENT:
        return None
    return NewEvent(
        event.type,
        now,
        row["contact_id"],
        row["id"],
        row["campaign_id"],
        row["conversation_id"],
        row["case_id"],
        data={name: value for name, value in event.data.items() if name != "token"},
        key=event.key,
    )

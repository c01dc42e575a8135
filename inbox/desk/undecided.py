"""Messages that nobody decided on: nobody took the conversation, nobody took a task about it, nobody answered or closed it.

Offering it to somebody is no decision; nor is routing it to a queue. What lies longer than the limit raises the alarm: an
event, once for each wait, that rules may act on, and two figures for the metrics.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Gauge

from domain.clock import Clock
from domain.events import EventType, NewEvent
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Pool

UNDECIDED_MESSAGES: Final = Gauge("clytie_undecided_messages", "Inbound messages that nobody decided on.")
OVERLOOKED_MESSAGES: Final = Gauge(
    "clytie_overlooked_messages", "Of these, those beyond the limit of the alarm."
)

#: states of a task that somebody took
_DECIDED: Final = "('accepted','in_progress','needs_information','rescheduled','done')"
#: `v` is a conversation
UNDECIDED: Final = f"""
v.state = 'open' AND NOT v.junk AND v.assignee_id IS NULL AND v.waiting_since IS NOT NULL
AND NOT EXISTS (SELECT FROM tasks d WHERE d.conversation_id = v.id AND d.state IN {_DECIDED}
                AND (d.state <> 'done' OR d.closed_at >= v.waiting_since))
"""
_COUNT: Final = f"SELECT count(*) AS all, count(*) FILTER (WHERE v.waiting_since <= $1) AS late FROM conversations v WHERE {UNDECIDED}"
_LATE: Final = f"""
SELECT v.id, v.contact_id, v.case_id, v.waiting_since,
       'overlooked:' || v.id || ':' || extract(epoch FROM v.waiting_since)::text AS key
FROM conversations v
WHERE {UNDECIDED} AND v.waiting_since <= $1
  AND NOT EXISTS (SELECT FROM event_keys k
                  WHERE k.key = 'overlooked:' || v.id || ':' || extract(epoch FROM v.waiting_since)::text)
ORDER BY v.waiting_since, v.id LIMIT 500
"""


async def raise_alarms(pool: Pool, clock: Clock, announcer: Announcer, limit: timedelta) -> int:
    """Tell of each message beyond the limit once; gives how many were told of. Twins in other processes do no harm."""
    now = clock.now()
    row = await pool.fetchrow(_COUNT, _since(now, limit))
    assert row is not None
    UNDECIDED_MESSAGES.set(row["all"])
    OVERLOOKED_MESSAGES.set(row["late"] if limit else 0)
    if not limit or not row["late"]:
        return 0
    async with pool.acquire() as connection, connection.transaction():
        late = await connection.fetch(_LATE, _since(now, limit))
        told = await record(
            connection,
            [
                NewEvent(
                    EventType.OVERLOOKED,
                    now,
                    contact_id=row["contact_id"],
                    conversation_id=row["id"],
                    case_id=row["case_id"],
                    data={"since": row["waiting_since"].isoformat()},
                    key=row["key"],
                )
                for row in late
            ],
        )
    count = sum(1 for number in told if number is not None)
    if count:
        announcer.touch()
    return count


def _since(now: datetime, limit: timedelta) -> datetime:
    return now - limit

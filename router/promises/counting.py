"""Count the clocks of conversations anew when they wait since another moment, were moved, or their queue promises other things.

Whoever changes a conversation needs to know nothing of it: an index holds those whose clocks were counted for another
wait or queue than the present one, and is empty most of the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from domain.errors import InvalidInput
from router.calendars import CALENDAR_COLUMNS, calendar_of, usual_calendar
from router.loop import Router
from router.promises.model import Clock, Promise, Promises, clocks_of
from router.settings import RouterSettings
from storage.pool import Connection

KIND: Final = "promise"
_BATCH: Final = 500

_UNCLOCKED: Final = f"""
SELECT v.id, v.queue_id, v.waiting_since, v.created_at, v.state, v.junk, v.breached_at, q.promises, q.hours AS queue_hours,
       t.id AS team_id, {CALENDAR_COLUMNS},
       EXISTS (SELECT FROM messages m WHERE m.conversation_id = v.id AND m.direction = 'out'
               AND NOT EXISTS (SELECT FROM letters l WHERE l.message_id = m.id AND l.kind = 'auto_answer')) AS answered
FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id LEFT JOIN teams t ON t.id = q.team_id
WHERE v.clock_since IS DISTINCT FROM v.waiting_since
   OR (v.state <> 'closed' AND v.clock_queue IS DISTINCT FROM v.queue_id)
ORDER BY v.id LIMIT $1 FOR UPDATE OF v SKIP LOCKED
"""
_KEEP: Final = """
UPDATE conversations AS v
SET answer_due = given.answer_due, resolve_due = given.resolve_due, clock_since = v.waiting_since,
    clock_queue = v.queue_id, breached_at = CASE WHEN given.resolve_due <= $4 THEN v.breached_at END
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS given (id, answer_due, resolve_due)
WHERE v.id = given.id
"""
_STOP: Final = """
DELETE FROM timers WHERE key = ANY (
    SELECT 'promise:' || id || ':' || stage FROM unnest($1::bigint[]) AS id,
           unnest(ARRAY['answer:warn', 'answer:breach', 'resolution:warn', 'resolution:breach']) AS stage)
"""
_START: Final = """
INSERT INTO timers (kind, key, due_at, payload)
SELECT 'promise', key, due_at, payload::jsonb FROM unnest($1::text[], $2::timestamptz[], $3::text[])
  AS given (key, due_at, payload)
ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload
"""


async def count_clocks(router: Router) -> int:
    """Count the clocks of some conversations anew; gives how many, 0 when all are right."""
    now = router.clock.now()
    async with router.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_UNCLOCKED, _BATCH)
        if not rows:
            return 0
        clocks = {row["id"]: _clocks(row, router.settings) for row in rows}
        await connection.execute(
            _KEEP,
            list(clocks),
            [_due(found, answer=True) for found in clocks.values()],
            [_due(found, answer=False) for found in clocks.values()],
            now,
        )
        await _set_timers(connection, clocks)
    return len(rows)


def _clocks(row: Any, settings: RouterSettings) -> list[Clock]:
    if row["state"] == "closed" or row["junk"] or not row["promises"]:
        return []
    try:
        promises = Promises.model_validate(row["promises"])
        if row["team_id"] is None and not row["queue_hours"]:
            calendar = usual_calendar(settings)
        else:
            calendar = calendar_of(
                {
                    "hours": row["queue_hours"] or row["hours"],
                    "timezone": row["timezone"] or settings.timezone,
                    "country": row["country"] or "",
                    "days_off": row["days_off"],
                },
                settings,
            )
        return clocks_of(
            promises,
            calendar,
            waiting_since=row["waiting_since"],
            began_at=row["created_at"],
            answered=row["answered"],
        )
    except (ValidationError, InvalidInput):
        return []  # a wrong setting of one queue must not stop the clocks of the others


def _due(clocks: list[Clock], *, answer: bool) -> Any:
    return next((one.due for one in clocks if (one.promise is not Promise.RESOLUTION) is answer), None)


async def _set_timers(connection: Connection, clocks: Mapping[int, list[Clock]]) -> None:
    await connection.execute(_STOP, list(clocks))
    rows = [
        (
            f"{KIND}:{id}:{'resolution' if one.promise is Promise.RESOLUTION else 'answer'}:{stage}",
            at,
            json.dumps(
                {
                    "conversation_id": id,
                    "promise": one.promise.value,
                    "stage": stage,
                    "due": one.due.isoformat(),
                }
            ),
        )
        for id, found in clocks.items()
        for one in found
        for stage, at in (("warn", one.warn_at), ("breach", one.due))
    ]
    if rows:
        await connection.execute(_START, *([*column] for column in zip(*rows, strict=True)))

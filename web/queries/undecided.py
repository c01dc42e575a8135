"""Messages that nobody decided on, as a person sees them: oldest first, with whom they were offered to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from inbox.desk.undecided import UNDECIDED
from storage.pool import Pool
from web.access.people import Person
from web.queries.conversations import VISIBLE, who

PAGE: Final = 100

_BASE: Final = f"FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id WHERE {UNDECIDED} AND {VISIBLE}"
_LIST: Final = f"""
SELECT v.id, v.subject, v.channel, v.waiting_since, v.waiting_since AS sort_at, v.contact_id, v.queue_id, c.name AS contact_name, c.organisation,
       v.queue_name, p.address AS from_address, t.id AS task_id, t.title AS task_title, t.decide_by, u.name AS asked,
       g.name AS asked_team,
       EXISTS (SELECT FROM placements e JOIN messages n ON n.id = e.message_id
               WHERE e.decided_at IS NULL AND n.conversation_id = v.id) AS misplaced
FROM (SELECT v.*, q.name AS queue_name {_BASE}
        AND ($4::timestamptz IS NULL OR (v.waiting_since, v.id) > ($4, $5::bigint))
      ORDER BY v.waiting_since, v.id LIMIT $6) v
LEFT JOIN contacts c ON c.id = v.contact_id
LEFT JOIN LATERAL (SELECT address FROM conversation_parties WHERE conversation_id = v.id ORDER BY since, address LIMIT 1)
  p ON true
LEFT JOIN LATERAL (SELECT * FROM tasks t WHERE t.conversation_id = v.id AND t.state IN ('offered','escalated')
                   ORDER BY t.decide_by LIMIT 1) t ON true
LEFT JOIN users u ON u.id = t.assignee_id
LEFT JOIN teams g ON g.id = t.team_id
ORDER BY v.waiting_since, v.id
"""
_COUNT: Final = f"SELECT count(*) AS all, count(*) FILTER (WHERE v.waiting_since <= $4) AS late, min(v.waiting_since) AS oldest {_BASE}"


@dataclass(frozen=True, slots=True)
class Undecided:
    """What waits for a decision. `late` of `count` are beyond the limit, which is None where there is no alarm."""

    rows: list[Any]
    count: int
    late: int
    limit: timedelta | None
    now: datetime

    def is_late(self, row: Any) -> bool:
        """Whether this one is beyond the limit."""
        return self.limit is not None and bool(row["waiting_since"] <= self.now - self.limit)


async def list_undecided(
    pool: Pool,
    person: Person,
    now: datetime,
    hours: float,
    *,
    after: tuple[datetime, int] | None = None,
    limit: int = PAGE,
) -> Undecided:
    """Those that the person may see, oldest first; `hours` is the alarm's limit, 0 for none."""
    bound = timedelta(hours=hours) if hours else None
    rows = await pool.fetch(_LIST, *who(person), *(after or (None, None)), limit)
    counts = await pool.fetchrow(_COUNT, *who(person), now - (bound or timedelta()))
    assert counts is not None
    return Undecided(list(rows), counts["all"], counts["late"] if bound else 0, bound, now)

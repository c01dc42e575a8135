"""The action `route`: puts the event's conversation into another queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.events import EventType, NewEvent
from inbox.desk.sealing import seal
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.then.queues import RouteAction

#: In the order of ids, as everybody locks conversations; a queue that is gone by now changes nothing.
_LOCK: Final = "SELECT id FROM conversations WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE"
_ROUTE: Final = """
WITH wanted AS MATERIALIZED (
    SELECT v.id, v.queue_id AS old, q.id AS new, v.contact_id, v.case_id
    FROM unnest($1::bigint[], $2::text[]) AS given(id, queue)
      JOIN conversations v USING (id) JOIN queues q ON q.name = given.queue
    WHERE v.queue_id IS DISTINCT FROM q.id
), moved AS (
    UPDATE conversations AS v SET queue_id = w.new, assignee_id = NULL, version = v.version + 1, updated_at = now()
    FROM wanted AS w WHERE v.id = w.id
)
SELECT id, old, new, contact_id, case_id,
       (SELECT count(*) FROM (SELECT FROM messages m WHERE m.conversation_id = wanted.id LIMIT 2) AS few) < 2 AS first
FROM wanted
"""


def plan(decision: Decision, number: int, work: Work) -> str:
    """The queue's name."""
    action = decision.rule.actions[number].action
    assert isinstance(action, RouteAction)
    return action.route.queue


def show(plan: str, work: Work) -> Shown:
    """The queue."""
    return Shown("route", plan)


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Move the conversations, and tell a ConversationMoved for each that was elsewhere. Of several rules the last wins.

    Nobody in the new queue has taken it yet, so its assignee leaves it. `arriving` tells that nobody saw it in the old one.
    """
    last: dict[int, Planned] = {}
    for item in planned:
        conversation = item.decision.sighting.conversation_id
        if conversation is not None:
            last[conversation] = item
    if not last:
        return
    await work.connection.execute(_LOCK, list(last))
    rows: Sequence[Any] = await work.connection.fetch(
        _ROUTE, list(last), [item.plan for item in last.values()]
    )
    await seal(work.connection, [row["id"] for row in rows], work.now)
    for row in rows:
        item = last[row["id"]]
        sighting = item.decision.sighting
        work.acted = True
        work.tell(
            NewEvent(
                EventType.CONVERSATION_MOVED,
                work.now,
                contact_id=row["contact_id"],
                message_id=sighting.message_id,
                conversation_id=row["id"],
                case_id=row["case_id"],
                data={
                    "old": row["old"],
                    "new": row["new"],
                    "rule": item.decision.rule.name,
                    "depth": sighting.depth + 1,
                    "about": sighting.id,
                }
                | ({"arriving": True} if sighting.arriving and row["first"] else {}),
            )
        )

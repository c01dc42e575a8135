"""Timelines: the events of a contact, or of a case and all that belongs to it, newest first, with the names they refer to.

Events of contacts that were merged into one belong to it. What belongs to a confidential case of somebody else, or to a
conversation in a confidential queue of others, stays hidden. Of the tasks of others, and of conversations in the queues
of other teams, it tells only that there was something; of interviews not even that (promise 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict, cast

from storage.confidential import has_part, hides
from storage.pool import Connection, Pool

PAGE: Final = 40
PREVIEW: Final = 200  #: characters of what a message newly says

#: $3 the viewer, $4 the viewer's teams, $5 sees all tasks but those of confidential cases of others
_SEEN: Final = f"""
coalesce(t.assignee_id = $3 OR t.requester_id = $3 OR {has_part("t.case_id", "$3")}
         OR ((t.team_id = ANY ($4::bigint[]) OR $5::bool) AND NOT {hides("t.case_id", "$3")}), false)
"""
#: with the same viewer; `v` the conversation, `q` its queue
_HEARD: Final = """
coalesce(v.assignee_id = $3 OR q.team_id = ANY ($4::bigint[])
         OR (NOT coalesce(q.confidential, false) AND ((q.team_id IS NULL AND $7::bool) OR $5::bool)), false)
"""
_LIST: Final = f"""
SELECT e.id, e.type, e.occurred_at, e.recorded_at, CASE WHEN e.open THEN e.data END AS data, e.campaign_id, e.task_id,
       e.message_id, g.name AS campaign_name, l.label AS link_label, l.url AS link_url,
       CASE WHEN e.open THEN t.title END AS task_title, a.name AS actor_name, CASE WHEN e.open THEN x.body END AS body,
       h.verdict, h.reasons, h.judged_at, e.conversation_id, e.case_id, k.title AS case_title,
       CASE WHEN e.open THEN w.subject END AS subject, CASE WHEN e.open THEN left(w.new_text, {PREVIEW}) END AS preview
FROM (
    SELECT events.*, (task_id IS NULL OR seen.task) AND coalesce(heard.open, true) AS open FROM events
    LEFT JOIN LATERAL (SELECT {_SEEN} AS task, t.kind, {hides("t.case_id", "$3")} AS hidden FROM tasks t WHERE t.id = task_id) AS seen ON true
    LEFT JOIN LATERAL (SELECT {_HEARD} AS open, coalesce(q.confidential, false) AS confidential,
                              {hides("v.case_id", "$3")} AS hidden
                       FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id
                       WHERE v.id = coalesce((SELECT m.conversation_id FROM messages m WHERE m.id = message_id),
                                             events.conversation_id)) AS heard ON true
    WHERE {{scope}} AND type <> 'Queued' AND ($2::bigint IS NULL OR id < $2)
      AND NOT {hides("events.case_id", "$3")} AND heard.hidden IS NOT TRUE
      AND (message_id IS NULL OR NOT EXISTS (
            SELECT FROM messages m WHERE m.id = message_id AND {hides("m.case_id", "$3")}))
      AND (heard.open IS NOT FALSE OR NOT heard.confidential)
      AND (task_id IS NULL OR seen.task OR (type LIKE 'Task%' AND seen.kind <> 'interview' AND NOT seen.hidden))
    ORDER BY id DESC LIMIT $6
) e
LEFT JOIN campaigns g ON g.id = e.campaign_id
LEFT JOIN campaign_links l ON l.campaign_id = e.campaign_id
  AND l.no = CASE WHEN e.data ->> 'link_no' ~ '^[0-9]{{{{1,4}}}}$' THEN (e.data ->> 'link_no')::smallint END
LEFT JOIN tasks t ON t.id = e.task_id
LEFT JOIN users a ON a.id = e.actor_id
LEFT JOIN event_texts x ON x.event_id = e.id
LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at
LEFT JOIN message_contents w ON w.message_id = e.message_id
LEFT JOIN cases k ON k.id = e.case_id
ORDER BY e.id DESC
"""
_TIMELINE: Final = _LIST.format(scope="contact_id = ANY ($1::bigint[])")
#: $1 the case: its own events, and those of the conversations, tasks and messages in it, from before they came, too
_CASE: Final = _LIST.format(
    scope="""events.id IN (
      SELECT o.id FROM events o WHERE o.case_id = $1
      UNION SELECT o.id FROM conversations c JOIN events o ON o.conversation_id = c.id WHERE c.case_id = $1
      UNION SELECT o.id FROM tasks c JOIN events o ON o.task_id = c.id WHERE c.case_id = $1
      UNION SELECT o.id FROM messages c JOIN events o ON o.message_id = c.id AND o.contact_id = c.contact_id
            WHERE c.case_id = $1)
      AND (events.case_id IS NULL OR events.case_id = $1)"""
)
_WHO: Final = "SELECT $1::bigint UNION SELECT old_id FROM contact_aliases WHERE contact_id = $1"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: a user, the user's teams, whether it is one who supervises everybody's tasks, or works on conversations."""

    id: int
    teams: Sequence[int] = ()
    sees_all: bool = False
    answers: bool = True


class TimelineRow(TypedDict):
    """One event as a timeline shows it. `verdict`, `reasons` and `judged_at` are those of a hit, else null.

    `data`, `task_title`, `body`, `subject` and `preview` are null for an event of a task or a conversation that the
    viewer may not see.
    """

    id: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any] | None
    campaign_id: int | None
    campaign_name: str | None
    link_label: str | None
    link_url: str | None
    task_id: int | None
    task_title: str | None
    message_id: int | None
    actor_name: str | None
    body: str | None  #: what a person wrote
    conversation_id: int | None
    case_id: int | None
    case_title: str | None
    subject: str | None  #: of the message
    preview: str | None  #: how the new words of the message begin
    verdict: str | None
    reasons: list[str] | None
    judged_at: datetime | None


async def read_timeline(
    connection: Connection | Pool,
    contact_id: int,
    *,
    viewer: Viewer,
    before: int | None = None,
    limit: int = PAGE,
) -> list[TimelineRow]:
    """At most `limit` events in the order they were recorded, newest first, older than the event `before`.

    `contact_id` is an id of today (directory.resolve).
    """
    ids = [row[0] for row in await connection.fetch(_WHO, contact_id)]
    rows = await connection.fetch(
        _TIMELINE, ids, before, viewer.id, list(viewer.teams), viewer.sees_all, limit, viewer.answers
    )
    return [cast(TimelineRow, dict(row)) for row in rows]


async def read_case_timeline(
    connection: Connection | Pool,
    case_id: int,
    *,
    viewer: Viewer,
    before: int | None = None,
    limit: int = PAGE,
) -> list[TimelineRow]:
    """The same of a case: its own events, and those of the conversations, calls, tasks and messages that belong to it.

    Of what lies in queues of others it tells only that there was something, as everywhere.
    """
    rows = await connection.fetch(
        _CASE, case_id, before, viewer.id, list(viewer.teams), viewer.sees_all, limit, viewer.answers
    )
    return [cast(TimelineRow, dict(row)) for row in rows]

"""Tasks as a person sees them: with the contact, the reason and both clocks. Confidential matters stay with their people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from contacts.timeline import Viewer
from domain.tasks import OPEN_STATES, TaskMove, TaskState, moves_from
from storage.confidential import has_part, hides
from storage.pool import Pool
from web.access.people import Person
from web.access.permissions import Permission

_COLUMNS: Final = """
t.id, t.kind, t.title, t.state, t.priority, t.version, t.decide_by, t.due, t.opened_at, t.closed_at, t.outcome, t.details,
t.contact_id, t.campaign_id, t.event_id, t.rule_id, t.assignee_id, t.team_id, t.requester_id,
c.name AS contact_name, c.organisation, c.country, c.language AS contact_language, c.timezone AS contact_timezone,
(SELECT i.given FROM identities i WHERE i.contact_id = t.contact_id AND i.kind = 'phone' ORDER BY i.id LIMIT 1) AS phone,
(SELECT i.given FROM identities i WHERE i.contact_id = t.contact_id AND i.kind = 'mail' ORDER BY i.id LIMIT 1) AS email,
g.name AS campaign_name, r.name AS rule_name, a.name AS assignee_name, m.name AS team_name, q.name AS requester_name,
e.type AS event_type, e.occurred_at AS event_at, e.data AS event_data,
l.label AS link_label, l.url AS link_url
"""
_JOINS: Final = """
LEFT JOIN contacts c ON c.id = t.contact_id
LEFT JOIN campaigns g ON g.id = t.campaign_id
LEFT JOIN rules r ON r.id = t.rule_id
LEFT JOIN users a ON a.id = t.assignee_id
LEFT JOIN users q ON q.id = t.requester_id
LEFT JOIN teams m ON m.id = t.team_id
LEFT JOIN LATERAL (SELECT type, occurred_at, data, campaign_id FROM events e WHERE e.id = t.event_id LIMIT 1) e ON true
LEFT JOIN campaign_links l ON l.campaign_id = e.campaign_id
  AND l.no = CASE WHEN e.data ->> 'link_no' ~ '^[0-9]{1,4}$' THEN (e.data ->> 'link_no')::smallint END
"""
#: whether a task is about what a confidential queue of others holds. $2 the person's teams
_SEALED: Final = """
EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id
        WHERE v.id = t.conversation_id AND q.confidential AND NOT coalesce(q.team_id = ANY ($2::bigint[]), false)"""
#: $1 the person, $2 the person's teams, $3 may supervise. What somebody had to do about a conversation before it was moved
#: into a confidential queue is none of theirs any more; what a rule asks them to do about it afterwards is.
_VISIBLE: Final = f"""
((t.assignee_id = $1 OR t.requester_id = $1 OR {has_part("t.case_id", "$1")}
  OR (t.team_id = ANY ($2::bigint[]) AND NOT {hides("t.case_id", "$1")})) AND NOT {_SEALED}
      AND t.opened_at < v.sealed_at)
 OR ($3 AND NOT {hides("t.case_id", "$1")} AND NOT {_SEALED})))
"""
_OPEN: Final = "t.state NOT IN ('done','cancelled','declined')"

_LIST: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM tasks t
    WHERE {_VISIBLE} AND {_OPEN}
      AND CASE $4 WHEN 'mine' THEN t.assignee_id = $1 OR (t.assignee_id IS NULL AND t.team_id = ANY ($2::bigint[]))
                  WHEN 'team' THEN t.team_id = ANY ($2::bigint[]) OR t.assignee_id = $1
                  ELSE true END
      AND ($6::timestamptz IS NULL OR (t.due, t.id) > ($6, $7))
      AND ($8::bigint IS NULL OR t.contact_id = $8) AND ($9::int IS NULL OR t.campaign_id = $9)
    ORDER BY t.due, t.id LIMIT $5
) t {_JOINS} ORDER BY t.due, t.id
"""
_CLOSED: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM tasks t
    WHERE {_VISIBLE} AND NOT ({_OPEN}) AND (t.assignee_id = $1 OR $4 <> 'mine')
      AND ($6::timestamptz IS NULL OR (t.closed_at, t.id) < ($6, $7))
      AND ($8::bigint IS NULL OR t.contact_id = $8) AND ($9::int IS NULL OR t.campaign_id = $9)
    ORDER BY t.closed_at DESC NULLS LAST, t.id DESC LIMIT $5
) t {_JOINS} ORDER BY t.closed_at DESC NULLS LAST, t.id DESC
"""
#: what the person asked of others: still open, or ended and not looked at since
_ASKED: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM tasks t
    WHERE {_VISIBLE} AND t.requester_id = $1 AND $4 = 'asked' AND ({_OPEN} OR t.outcome_seen_at IS NULL)
      AND ($6::timestamptz IS NULL OR (t.due, t.id) > ($6, $7))
      AND ($8::bigint IS NULL OR t.contact_id = $8) AND ($9::int IS NULL OR t.campaign_id = $9)
    ORDER BY t.due, t.id LIMIT $5
) t {_JOINS} ORDER BY t.due, t.id
"""
_ENDED: Final = f"""
SELECT count(*) FROM tasks t WHERE t.requester_id = $1 AND NOT ({_OPEN}) AND t.outcome_seen_at IS NULL
"""
_SEEN: Final = "UPDATE tasks SET outcome_seen_at = $2 WHERE id = $1 AND outcome_seen_at IS NULL"
_ONE: Final = f"SELECT {_COLUMNS} FROM tasks t {_JOINS} WHERE {_VISIBLE} AND t.id = $4"
_OF_CONTACT: Final = f"""
SELECT {_COLUMNS} FROM tasks t {_JOINS} WHERE {_VISIBLE} AND t.contact_id = $4
ORDER BY {_OPEN} DESC, t.due DESC LIMIT 20
"""
_OF_CAMPAIGN: Final = """
SELECT t.state, t.outcome ->> 'result' AS outcome, count(*) AS count FROM tasks t
WHERE t.campaign_id = $1 GROUP BY 1, 2
"""
_COUNT: Final = f"""
SELECT count(*) FILTER (WHERE t.state IN ('offered','escalated','rescheduled')) AS undecided,
       count(*) FILTER (WHERE least(t.due, CASE WHEN t.state IN ('offered','escalated','rescheduled')
                                           THEN t.decide_by ELSE t.due END) < $3) AS late,
       count(*) AS open
FROM tasks t WHERE (t.assignee_id = $1 OR (t.assignee_id IS NULL AND t.team_id = ANY ($2::bigint[]))) AND {_OPEN}
"""


class Scope(StrEnum):
    """Whose tasks a list shows."""

    MINE = "mine"  #: assigned to me, or offered to one of my teams
    TEAM = "team"
    ALL = "all"
    ASKED = "asked"  #: what I asked of others: open, or ended and not looked at
    CLOSED = "closed"


@dataclass(slots=True)
class TaskView:
    """One task with everything a row shows."""

    row: Any
    now: datetime
    moves: Sequence[TaskMove] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.row[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something."""
        return TaskState(self.row["state"]) in OPEN_STATES

    @property
    def is_undecided(self) -> bool:
        """Whether the assignee has not said yes or no."""
        return TaskMove.ACCEPT in self.moves

    @property
    def deadline(self) -> datetime:
        """The clock that passes first: respond before while undecided, else due."""
        row = self.row
        moment: datetime = min(row["decide_by"], row["due"]) if self.is_undecided else row["due"]
        return moment

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self.is_open and self.deadline < self.now

    def nearness(self, moment: datetime) -> str:
        """`late`, `soon` (within an hour) or nothing; a style of the clock."""
        if not self.is_open:
            return ""
        if moment < self.now:
            return "late"
        return "soon" if moment - self.now <= timedelta(hours=1) else ""


def _views(rows: Sequence[Any], now: datetime) -> list[TaskView]:
    return [TaskView(row, now, moves_from(TaskState(row["state"]))) for row in rows]


def _who(person: Person) -> tuple[int, list[int], bool]:
    return person.id, list(person.teams), person.may(Permission.TASKS_SUPERVISE)


def as_viewer(person: Person) -> Viewer:
    """The person as a timeline asks for it: it shows the same tasks as these queries."""
    return Viewer(*_who(person), answers=person.may(Permission.CONVERSATIONS_WORK))


async def list_tasks(
    pool: Pool,
    person: Person,
    scope: Scope,
    now: datetime,
    limit: int = 200,
    *,
    after: tuple[datetime, int] | None = None,
    contact_id: int | None = None,
    campaign_id: int | None = None,
) -> list[TaskView]:
    """The tasks of a scope that the person may see; open ones by due, closed ones latest first.

    `after` is the due (closed) time and id of the last task of the page before.
    """
    query, whose = _LIST, scope.value
    if scope is Scope.CLOSED:
        query, whose = _CLOSED, "all" if person.may(Permission.TASKS_SUPERVISE) else "mine"
    elif scope is Scope.ASKED:
        query = _ASKED
    arguments = (*_who(person), whose, limit, *(after or (None, None)), contact_id, campaign_id)
    return _views(await pool.fetch(query, *arguments), now)


async def find_task(pool: Pool, person: Person, task_id: int, now: datetime) -> TaskView | None:
    """One task; None when there is none or this person may not see it."""
    rows = await pool.fetch(_ONE, *_who(person), task_id)
    return _views(rows, now)[0] if rows else None


async def count_ended(pool: Pool, person: Person) -> int:
    """How many of the tasks that the person asked for have ended since the person looked."""
    count: int = await pool.fetchval(_ENDED, person.id)
    return count


async def see_outcome(pool: Pool, person: Person, task: TaskView) -> None:
    """Whoever asked for a task that has ended has looked at how."""
    if task.requester_id == person.id and not task.is_open:
        await pool.execute(_SEEN, task.id, task.now)


async def list_tasks_of_contact(pool: Pool, person: Person, contact_id: int, now: datetime) -> list[TaskView]:
    """The contact's tasks that the person may see, open ones first."""
    return _views(await pool.fetch(_OF_CONTACT, *_who(person), contact_id), now)


async def count_tasks(pool: Pool, person: Person, now: datetime) -> Any:
    """How many of the person's tasks are undecided, late, open."""
    return await pool.fetchrow(_COUNT, person.id, list(person.teams), now)


async def count_tasks_of_campaign(pool: Pool, campaign_id: int) -> list[Any]:
    """What became of the tasks that a campaign led to: state, outcome, count."""
    return list(await pool.fetch(_OF_CAMPAIGN, campaign_id))


def group_tasks(tasks: Sequence[TaskView], end_of_today: datetime) -> list[tuple[str, list[TaskView]]]:
    """Overdue, today, later: in this order, without empty groups."""
    groups: dict[str, list[TaskView]] = {"overdue": [], "today": [], "later": []}
    for task in sorted(tasks, key=lambda task: (task.deadline, task.row["id"])):
        name = "overdue" if task.is_late else "today" if task.deadline < end_of_today else "later"
        groups[name].append(task)
    return [(name, members) for name, members in groups.items() if members]

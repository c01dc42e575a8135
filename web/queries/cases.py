"""Cases as a person sees them: lists, one with its people and steps. Confidential ones exist for their people only."""

from __future__ import annotations

from typing import Any, Final

from storage.confidential import visible
from storage.pool import Connection, Pool
from web.access.people import Person

PAGE: Final = 50

#: $1 the person
_COLUMNS: Final = """
k.id, k.kind, k.title, k.state, k.stage, k.owner_id, k.team_id, k.confidential, k.fields, k.version, k.rule_id,
k.created_at, k.stage_since, k.closed_at, u.name AS owner_name, m.name AS team_name, r.name AS rule_name,
p.contact_id, c.name AS contact_name, c.organisation,
(SELECT count(*) FROM tasks t WHERE t.case_id = k.id AND t.state NOT IN ('done', 'cancelled', 'declined')) AS open_tasks,
(SELECT count(*) FROM case_steps s WHERE s.case_id = k.id) AS steps,
(SELECT count(*) FROM case_steps s WHERE s.case_id = k.id AND s.state IN ('done', 'skipped')) AS steps_done
"""
_JOINS: Final = """
LEFT JOIN users u ON u.id = k.owner_id
LEFT JOIN teams m ON m.id = k.team_id
LEFT JOIN rules r ON r.id = k.rule_id
LEFT JOIN LATERAL (SELECT contact_id FROM case_contacts p WHERE p.case_id = k.id ORDER BY added_at, contact_id LIMIT 1) p
  ON true
LEFT JOIN contacts c ON c.id = p.contact_id
"""
_VISIBLE: Final = visible("k", "$1")
_LIST: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM cases k
    WHERE {_VISIBLE} AND k.state = $2
      AND ($3::text IS NULL OR k.kind = $3) AND ($4::text IS NULL OR k.stage = $4)
      AND ($5::bigint IS NULL OR k.owner_id = $5)
      AND ($6::text IS NULL OR k.title ILIKE $6 OR EXISTS (
            SELECT FROM case_contacts p JOIN contacts c ON c.id = p.contact_id
            WHERE p.case_id = k.id AND (c.name ILIKE $6 OR c.organisation ILIKE $6)))
      AND ($7::bigint IS NULL OR k.id < $7)
    ORDER BY k.id DESC LIMIT $8
) k {_JOINS} ORDER BY k.id DESC
"""
_OF_CONTACT: Final = f"""
SELECT {_COLUMNS}, mine.part FROM case_contacts mine JOIN cases k ON k.id = mine.case_id {_JOINS}
WHERE {_VISIBLE} AND mine.contact_id = $2 ORDER BY k.state DESC, k.id DESC LIMIT 10
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM cases k {_JOINS} WHERE {_VISIBLE} AND k.id = $2"
_COUNTS: Final = f"""
SELECT k.kind, k.stage, count(*) AS count FROM cases k WHERE {_VISIBLE} AND k.state = 'open' GROUP BY 1, 2
"""
_CONTACTS: Final = """
SELECT p.contact_id, p.part, c.name, c.organisation, c.country FROM case_contacts p JOIN contacts c ON c.id = p.contact_id
WHERE p.case_id = $1 ORDER BY p.added_at, p.contact_id
"""
_MEMBERS: Final = """
SELECT u.id, u.name FROM case_members p JOIN users u ON u.id = p.user_id WHERE p.case_id = $1 ORDER BY lower(u.name), u.id
"""
_STEPS: Final = """
SELECT s.id, s.template, s.no, s.name, s.state, s.definition, s.task_id, s.check_id, s.rounds, s.done_at, u.name AS done_by,
       t.title, t.state AS task_state, t.due, coalesce(a.name, m.name) AS doer,
       coalesce(ca.name, cm.name) AS checker
FROM case_steps s
LEFT JOIN tasks t ON t.id = s.task_id LEFT JOIN users a ON a.id = t.assignee_id LEFT JOIN teams m ON m.id = t.team_id
LEFT JOIN tasks c ON c.id = s.check_id LEFT JOIN users ca ON ca.id = c.assignee_id LEFT JOIN teams cm ON cm.id = c.team_id
LEFT JOIN users u ON u.id = s.done_by
WHERE s.case_id = $1 ORDER BY s.template, s.no
"""


def _pattern(words: str) -> str | None:
    needle = words.replace("\0", "").strip()[:200]
    escaped = needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if needle else None


async def list_cases(
    pool: Pool,
    person: Person,
    *,
    state: str = "open",
    kind: str | None = None,
    stage: str | None = None,
    owner_id: int | None = None,
    words: str = "",
    before: int | None = None,
    limit: int = PAGE,
) -> list[Any]:
    """Cases that the person may know of, latest first; `words` look at titles, names and organisations."""
    return list(
        await pool.fetch(_LIST, person.id, state, kind, stage, owner_id, _pattern(words), before, limit)
    )


async def list_cases_of_contact(pool: Pool, person: Person, contact_id: int) -> list[Any]:
    """The cases that a contact has a part in, open ones first, with that part."""
    return list(await pool.fetch(_OF_CONTACT, person.id, contact_id))


async def find_case(connection: Pool | Connection, person: Person, case_id: int) -> Any | None:
    """One case; None when there is none or this person may not know of it."""
    return await connection.fetchrow(_ONE, person.id, case_id)


async def count_cases(pool: Pool, person: Person) -> list[Any]:
    """How many open cases there are of each type and stage."""
    return list(await pool.fetch(_COUNTS, person.id))


async def read_case_contacts(pool: Pool, case_id: int) -> list[Any]:
    """Who has a part in it, in the order they were added."""
    return list(await pool.fetch(_CONTACTS, case_id))


async def read_members(pool: Pool, case_id: int) -> list[Any]:
    """The colleagues who see it besides its owner and team."""
    return list(await pool.fetch(_MEMBERS, case_id))


async def read_steps(pool: Pool, case_id: int) -> list[Any]:
    """The steps of work that it takes, by template."""
    return list(await pool.fetch(_STEPS, case_id))

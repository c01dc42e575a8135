"""Who is asking: the person behind a session or an API token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from storage.pool import Pool
from web.access.permissions import Permission, Role, may

#: columns of a person, with the ids of the teams; joins as `u`
PERSON_COLUMNS: Final = """
u.id, u.name, u.email, u.role, u.language, u.timezone,
array(SELECT m.team_id FROM team_members m WHERE m.user_id = u.id ORDER BY m.team_id) AS teams
"""

_LOAD: Final = f"SELECT {PERSON_COLUMNS} FROM users u WHERE u.id = $1 AND u.active"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works here."""

    id: int
    name: str
    email: str
    role: Role
    language: str
    timezone: str
    teams: tuple[int, ...] = ()

    def may(self, permission: Permission | str) -> bool:
        """Tell whether this person's role has the permission."""
        return may(self.role, Permission(permission))


def read_person(row: Any) -> Person:
    """A person from a row with PERSON_COLUMNS."""
    return Person(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        role=Role(row["role"]),
        language=row["language"],
        timezone=row["timezone"],
        teams=tuple(row["teams"]),
    )


async def load_person(pool: Pool, user_id: int) -> Person | None:
    """The active user of this id, or None."""
    row = await pool.fetchrow(_LOAD, user_id)
    return read_person(row) if row else None

"""Users and teams, for lists and choosers."""

from __future__ import annotations

from typing import Any, Final

from storage.pool import Pool

_USERS: Final = """
SELECT u.id, u.name, u.email, u.role, u.language, u.active, u.password_hash IS NOT NULL AS has_password,
       u.phone, u.takes_calls,
       array(SELECT t.name FROM team_members m JOIN teams t ON t.id = m.team_id WHERE m.user_id = u.id ORDER BY t.name)
         AS teams,
       array(SELECT m.team_id FROM team_members m WHERE m.user_id = u.id) AS team_ids
FROM users u WHERE u.active OR $1 ORDER BY lower(u.name), u.id
"""
_TEAMS: Final = """
SELECT t.id, t.name, t.country, t.timezone, t.hours, t.caller_id,
       array(SELECT u.name FROM team_members m JOIN users u ON u.id = m.user_id WHERE m.team_id = t.id AND u.active
             ORDER BY u.name) AS members
FROM teams t ORDER BY lower(t.name), t.id
"""
_CANDIDATES: Final = """
SELECT 'team-' || id AS key, name FROM teams
UNION ALL SELECT 'user-' || id, name FROM users WHERE active ORDER BY 1, 2
"""
_TOKENS: Final = "SELECT id, name, created_at, last_used FROM api_tokens WHERE user_id = $1 ORDER BY id"


async def list_users(pool: Pool, *, gone_too: bool = False) -> list[Any]:
    """Users by name."""
    return list(await pool.fetch(_USERS, gone_too))


async def list_teams(pool: Pool) -> list[Any]:
    """Teams by name, with their members' names."""
    return list(await pool.fetch(_TEAMS))


async def list_api_tokens(pool: Pool, user_id: int) -> list[Any]:
    """A person's API tokens (never the secret)."""
    return list(await pool.fetch(_TOKENS, user_id))


async def list_candidates(pool: Pool) -> list[tuple[str, str]]:
    """Teams, then people, a task can be offered to: `team-ID` or `user-ID`, and the name."""
    return [(row["key"], row["name"]) for row in await pool.fetch(_CANDIDATES)]

"""One-time links: the first administrator's, printed at start, and invitations for the users made after it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from storage.pool import Connection, Pool
from web.access.sessions import digest

_ANYBODY: Final = "SELECT EXISTS (SELECT FROM users WHERE role = 'administrator' AND active)"
_MAKE: Final = (
    "INSERT INTO signin_links (token_hash, user_id, expires_at) VALUES ($1, $2, now() + $3::interval)"
)
_FIND: Final = """
SELECT l.user_id, u.name, u.email, u.role FROM signin_links l LEFT JOIN users u ON u.id = l.user_id
WHERE l.token_hash = $1 AND l.used_at IS NULL AND l.expires_at > now()
"""
_USE: Final = """
UPDATE signin_links SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
RETURNING user_id
"""
_FORGET: Final = "DELETE FROM signin_links WHERE expires_at < now() - interval '30 days'"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom a link is for; without a user it makes the first administrator."""

    user_id: int | None
    name: str = ""
    email: str = ""


async def has_administrator(pool: Pool) -> bool:
    """Tell whether somebody can administer this installation."""
    return bool(await pool.fetchval(_ANYBODY))


async def make_first_link(pool: Pool, public_url: str) -> str | None:
    """The address where the first administrator is made, good for a day; None when there is one already."""
    if await has_administrator(pool):
        return None
    return await _make_link(pool, public_url, None, timedelta(days=1))


async def make_invitation(pool: Pool, public_url: str, user_id: int) -> str:
    """The address where a user chooses a password, good for a week and for one use."""
    return await _make_link(pool, public_url, user_id, timedelta(days=7))


async def _make_link(pool: Pool, public_url: str, user_id: int | None, lasting: timedelta) -> str:
    secret = secrets.token_urlsafe(32)
    await pool.execute(_FORGET)
    await pool.execute(_MAKE, digest(secret), user_id, lasting)
    return f"{public_url.rstrip('/')}/welcome/{secret}"


async def find_invitation(pool: Pool, secret: str) -> Invitation | None:
    """Whom a link is for; None when it was used, expired or never was, or when somebody is administrator already."""
    row = await pool.fetchrow(_FIND, digest(secret))
    if row is None or (row["user_id"] is None and await pool.fetchval(_ANYBODY)):
        return None
    return Invitation(row["user_id"], row["name"] or "", row["email"] or "")


async def use_link(connection: Connection, secret: str) -> bool:
    """Take the link for good, inside the caller's transaction; False when somebody else was faster."""
    return bool(await connection.fetchrow(_USE, digest(secret)))

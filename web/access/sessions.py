"""Sessions and API tokens: random secrets of which only the SHA-256 is stored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from storage.pool import Connection, Pool
from web.access.people import PERSON_COLUMNS, Person, read_person

SESSION_COOKIE: Final = "clytie_session"
_API_PREFIX: Final = "clytie_"

_BEGIN: Final = """
INSERT INTO sessions (token_hash, user_id, csrf, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
"""
_FIND: Final = f"""
SELECT s.csrf, {PERSON_COLUMNS} FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > now() AND u.active
"""
_END: Final = "DELETE FROM sessions WHERE token_hash = $1 OR expires_at < now()"
_END_ALL: Final = "DELETE FROM sessions WHERE user_id = $1"

_NEW_TOKEN: Final = "INSERT INTO api_tokens (token_hash, user_id, name) VALUES ($1, $2, $3) RETURNING id"
_BY_TOKEN: Final = f"""
WITH used AS (
    UPDATE api_tokens SET last_used = now()
    WHERE token_hash = $1 AND (last_used IS NULL OR last_used < now() - interval '1 minute')
)
SELECT {PERSON_COLUMNS} FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = $1 AND u.active
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that stands: who, and the secret that forms must carry."""

    person: Person
    csrf: str


def digest(secret: str) -> bytes:
    """What is stored of a secret of ours (they are random and long, so a plain hash is enough)."""
    return sha256(secret.encode("utf-8")).digest()


async def begin_session(connection: Pool | Connection, user_id: int, days: int) -> str:
    """Open a session for a user; gives the cookie's value."""
    secret = secrets.token_urlsafe(32)
    await connection.execute(_BEGIN, digest(secret), user_id, secrets.token_urlsafe(24), timedelta(days=days))
    return secret


async def find_session(pool: Pool, secret: str) -> Session | None:
    """The session of a cookie's value; None when it ended, expired or never was."""
    row = await pool.fetchrow(_FIND, digest(secret))
    return Session(read_person(row), row["csrf"]) if row else None


async def end_session(pool: Pool, secret: str) -> None:
    """Forget a session, and those that expired."""
    await pool.execute(_END, digest(secret))


async def end_sessions_of(connection: Pool | Connection, user_id: int) -> None:
    """Sign a user out everywhere."""
    await connection.execute(_END_ALL, user_id)


async def make_api_token(pool: Pool, user_id: int, name: str) -> str:
    """A new personal API token; it is shown once and stored only as its hash."""
    secret = _API_PREFIX + secrets.token_urlsafe(32)
    await pool.execute(_NEW_TOKEN, digest(secret), user_id, name)
    return secret


async def find_person_by_token(pool: Pool, secret: str) -> Person | None:
    """Whose API token this is; None when it is nobody's."""
    if not secret.startswith(_API_PREFIX):
        return None
    row = await pool.fetchrow(_BY_TOKEN, digest(secret))
    return read_person(row) if row else None

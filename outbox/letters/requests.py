"""Requests with a key of the sender's own (the IETF's draft of Idempotency-Key): done once, answered alike each time.

The key is taken in the transaction that does the work. A twin that comes meanwhile waits for that transaction: then it
gets the stored answer, or, when the work failed, does it itself.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from domain.errors import InvalidInput
from storage.pool import Connection, Pool

#: Seconds after which keys are forgotten.
KEPT: Final = 7 * 86_400

_TAKE: Final = """
INSERT INTO api_requests (user_id, key, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true
"""
_FIND: Final = "SELECT digest, answer FROM api_requests WHERE user_id = $1 AND key = $2"
_KEEP: Final = "UPDATE api_requests SET status = $3, answer = $4 WHERE user_id = $1 AND key = $2"
_FORGET: Final = "DELETE FROM api_requests WHERE created_at < now() - make_interval(secs => $1)"

FIELD: Final = "Idempotency-Key"


def read_key(header: str | None) -> str:
    """The key in a header; quotes around it (a string of RFC 8941) count for nothing. Raises InvalidInput."""
    key = (header or "").strip()
    if len(key) > 1 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not key:
        raise InvalidInput(FIELD, "This header is missing.", "Send a value of your own, such as a UUID.")
    if len(key) > 255 or not key.isascii() or not key.isprintable():
        raise InvalidInput(FIELD, "This is no key.", "Use up to 255 plain characters.")
    return key


async def take_key(connection: Connection, user_id: int, key: str, digest: bytes) -> Any | None:
    """Take a key for a request with this digest; None: the request is to be carried out, else its answer is given.

    Raises InvalidInput when another request had this key. Runs in the transaction of the work; `keep_answer` ends it.
    """
    if await connection.fetchval(_TAKE, user_id, key, digest):
        return None
    row = await connection.fetchrow(_FIND, user_id, key)
    if row is None:  # forgotten just now
        return await take_key(connection, user_id, key, digest)
    if not hmac.compare_digest(row["digest"], digest):
        raise InvalidInput(FIELD, "This key belongs to another request.", "Use a new key for a new request.")
    return row["answer"]


async def keep_answer(connection: Connection, user_id: int, key: str, status: int, answer: Any) -> None:
    """Remember what the request was answered with."""
    await connection.execute(_KEEP, user_id, key, status, answer)


async def forget_requests(pool: Pool) -> None:
    """Forget keys that nobody will send again."""
    await pool.execute(_FORGET, KEPT)

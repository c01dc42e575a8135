"""What is forgotten with time: bytes of letters that went out long ago, attempts, and keys of requests nobody repeats.

What a letter said stays with its conversation (message_contents, attachments); its bytes only serve to send it, and to
show its headers. A letter that is unconfirmed keeps them, because a person may have it sent again. How a delivery ended
stays with it; the attempts before that, with the servers' words, are of use for as long as somebody may ask why it took so
long.
"""

from __future__ import annotations

from typing import Final

from outbox.letters.requests import forget_requests
from outbox.settings import OutboxSettings
from outbox.windows import forget_windows
from storage.blobs import BlobStore
from storage.pool import Pool, transaction
from storage.unused_blobs import remove_unused

#: Letters that are forgotten in one transaction.
_AT_ONCE: Final = 200
_ATTEMPTS_AT_ONCE: Final = 5_000

#: $1 days, $2 how many. A letter goes with its copies, when all are settled and nobody can have them sent again.
_FORGET: Final = """
WITH old AS MATERIALIZED (
    SELECT l.message_id, l.blob FROM letters AS l
    WHERE (l.content IS NOT NULL OR l.blob IS NOT NULL) AND l.created_at < now() - make_interval(days => $1)
      AND NOT EXISTS (
        SELECT FROM deliveries AS d
        WHERE d.message_id IN (SELECT c.message_id FROM letters AS c WHERE c.copy_of = l.message_id
                               UNION ALL SELECT l.message_id)
          AND (d.state NOT IN ('sent', 'rejected', 'cancelled')
               OR d.settled_at > now() - make_interval(days => $1)))
    ORDER BY l.created_at LIMIT $2 FOR UPDATE OF l SKIP LOCKED
)
UPDATE letters AS l SET content = NULL, blob = NULL FROM old WHERE l.message_id = old.message_id RETURNING old.blob
"""

#: $1 days, $2 how many. Of deliveries that are still under way or in doubt nothing is forgotten.
_FORGET_ATTEMPTS: Final = """
WITH old AS (
    SELECT a.message_id, a.attempt FROM delivery_attempts AS a
    WHERE a.settled_at < now() - make_interval(days => $1)
      AND NOT EXISTS (
        SELECT FROM deliveries AS d
        WHERE d.message_id = a.message_id AND d.state NOT IN ('sent', 'rejected', 'cancelled'))
    LIMIT $2 FOR UPDATE OF a SKIP LOCKED
)
DELETE FROM delivery_attempts AS a USING old
WHERE a.message_id = old.message_id AND a.attempt = old.attempt RETURNING 1
"""


async def prune(pool: Pool, blobs: BlobStore | None, settings: OutboxSettings) -> bool:
    """Forget what is old; true when there may be more. `blobs`: where large letters lie."""
    await forget_requests(pool)
    await forget_windows(pool)
    attempts = await forget_attempts(pool, settings.attempts_kept)
    letters = await forget_letters(pool, blobs, settings.letters_kept)
    return attempts == _ATTEMPTS_AT_ONCE or letters == _AT_ONCE


async def forget_attempts(pool: Pool, days: int) -> int:
    """Forget attempts of settled deliveries that were made `days` ago, some at a time; gives how many."""
    return len(await pool.fetch(_FORGET_ATTEMPTS, days, _ATTEMPTS_AT_ONCE))


async def forget_letters(pool: Pool, blobs: BlobStore | None, days: int) -> int:
    """Forget the bytes of letters that were settled `days` ago, some at a time; gives how many."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(_FORGET, days, _AT_ONCE)
    files = [row["blob"] for row in rows if row["blob"] is not None]
    if blobs is not None:
        await remove_unused(pool, blobs, files)
    return len(rows)

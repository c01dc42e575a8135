"""What is forgotten with time: the bytes of letters that went out long ago, and keys of requests nobody repeats.

What a letter said stays with its conversation (message_contents, attachments); its bytes only serve to send it, and to
show its headers. A letter that is unconfirmed keeps them, because a person may have it sent again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from domain.errors import NotFound
from outbox.letters.requests import forget_requests
from outbox.settings import OutboxSettings
from outbox.windows import forget_windows
from storage.blobs import BlobStore
from storage.pool import Pool, transaction

#: Letters that are forgotten in one transaction.
_AT_ONCE: Final = 200

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

#: Of these files those that belong to nothing else: a mail that came in or one of its files may have the same bytes.
_UNUSED: Final = """
SELECT blob FROM unnest($1::text[]) AS b(blob)
WHERE NOT EXISTS (SELECT FROM letters AS l WHERE l.blob = b.blob)
  AND NOT EXISTS (SELECT FROM attachments AS a WHERE a.blob = b.blob)
  AND NOT EXISTS (SELECT FROM raw_mails AS r WHERE r.content_hash = decode(b.blob, 'hex'))
"""


async def prune(pool: Pool, blobs: BlobStore | None, settings: OutboxSettings) -> bool:
    """Forget what is old; true when there may be more. `blobs`: where large letters lie."""
    await forget_requests(pool)
    await forget_windows(pool)
    return await forget_letters(pool, blobs, settings.letters_kept) == _AT_ONCE


async def forget_letters(pool: Pool, blobs: BlobStore | None, days: int) -> int:
    """Forget the bytes of letters that were settled `days` ago, some at a time; gives how many."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(_FORGET, days, _AT_ONCE)
    files = [row["blob"] for row in rows if row["blob"] is not None]
    if files and blobs is not None:
        for row in await pool.fetch(_UNUSED, files):
            await asyncio.to_thread(_remove, blobs, row["blob"])
    return len(rows)


def _remove(blobs: BlobStore, name: str) -> None:
    try:
        blobs.path(name).unlink(missing_ok=True)
    except NotFound:
        pass

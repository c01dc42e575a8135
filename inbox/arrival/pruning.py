"""What is forgotten of arrived messages: their bytes, long after they were read.

What a mail said stays in its conversation, with its files. Its bytes only serve to show its headers, to hand it out as
it came, and to read it anew with better programs. The row stays, so that the same mail is known when it comes again;
what is in quarantine, or was put aside there, keeps its bytes.
"""

from __future__ import annotations

from typing import Final

from inbox.arrival.settings import IntakeSettings
from storage.blobs import BlobStore
from storage.pool import Pool, transaction
from storage.unused_blobs import remove_unused

#: Messages that are forgotten in one transaction.
_AT_ONCE: Final = 500

#: $1 days, $2 how many.
_FORGET: Final = """
WITH old AS MATERIALIZED (
    SELECT id, blob FROM raw_mails
    WHERE state = 'read' AND (content IS NOT NULL OR blob IS NOT NULL)
      AND settled_at < now() - make_interval(days => $1)
    ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE raw_mails AS r SET content = NULL, blob = NULL FROM old WHERE r.id = old.id RETURNING old.blob
"""


async def prune(pool: Pool, blobs: BlobStore, settings: IntakeSettings) -> bool:
    """Forget what is old; true when there may be more."""
    if not settings.bytes_kept:
        return False
    return await forget_bytes(pool, blobs, settings.bytes_kept) == _AT_ONCE


async def forget_bytes(pool: Pool, blobs: BlobStore, days: int) -> int:
    """Forget the bytes of messages that were read `days` ago, some at a time; gives how many."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(_FORGET, days, _AT_ONCE)
    await remove_unused(pool, blobs, [row["blob"] for row in rows if row["blob"] is not None])
    return len(rows)

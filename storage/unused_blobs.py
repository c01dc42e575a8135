"""Files that nothing names any more: a file is kept once, whoever has its bytes, so it goes with the last of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from storage.blobs import BlobStore
from storage.pool import Connection, Pool

_UNUSED: Final = """
SELECT blob FROM unnest($1::text[]) AS b(blob)
WHERE NOT EXISTS (SELECT FROM letters AS l WHERE l.blob = b.blob)
  AND NOT EXISTS (SELECT FROM attachments AS a WHERE a.blob = b.blob)
  AND NOT EXISTS (SELECT FROM raw_mails AS r WHERE r.content_hash = decode(b.blob, 'hex') AND r.blob IS NOT NULL)
  AND NOT EXISTS (SELECT FROM assets AS s WHERE s.blob = b.blob)
  AND NOT EXISTS (SELECT FROM recordings AS c WHERE c.blob = b.blob)
"""


async def remove_unused(pool: Pool, blobs: BlobStore, digests: Sequence[str]) -> None:
    """Delete those of these files that belong to nothing else. The rows that named them are committed already."""
    for digest in await find_unused(pool, digests):
        await asyncio.to_thread(blobs.remove, digest)


async def find_unused(pool: Pool | Connection, digests: Sequence[str]) -> list[str]:
    """Those of these files that nothing names."""
    return [row["blob"] for row in await pool.fetch(_UNUSED, list(set(digests)))] if digests else []

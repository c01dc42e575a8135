"""What is known about one message beside its words: its bytes, its headers."""

from __future__ import annotations

import asyncio
from typing import Final

from domain.errors import NotFound
from storage.blobs import BlobStore
from storage.pool import Pool

_RAW: Final = "SELECT content, blob FROM raw_mails WHERE id = $1"
_LETTER: Final = "SELECT content, blob FROM letters WHERE message_id = $1"
#: bytes of headers that are shown
HEAD: Final = 65_536


async def read_raw(
    pool: Pool, blobs: BlobStore, raw_id: int | None, message_id: int | None = None
) -> bytes | None:
    """The bytes of a mail that came (`raw_id`) or that we wrote (`message_id`); None when they are not kept."""
    row = (
        await pool.fetchrow(_RAW, raw_id) if raw_id is not None else await pool.fetchrow(_LETTER, message_id)
    )
    if row is None:
        return None
    if row["content"] is not None:
        return bytes(row["content"])
    try:
        return await asyncio.to_thread(blobs.path(row["blob"] or "").read_bytes)
    except (NotFound, OSError):
        return None


async def read_head(pool: Pool, blobs: BlobStore, raw_id: int | None, message_id: int | None = None) -> str:
    """The headers of a mail as text; empty when its bytes are not kept."""
    raw = await read_raw(pool, blobs, raw_id, message_id)
    return head_of(raw) if raw else ""


def head_of(raw: bytes) -> str:
    """The headers of a mail as they stand there, as far as they are text."""
    head = raw[:HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return head.decode("utf-8", "replace").replace("\0", "\ufffd")

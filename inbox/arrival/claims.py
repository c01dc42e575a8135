"""Take stored mails to read them, and say what became of those that could not be read.

That an attempt began is committed before anything is read: a mail that kills its reader is seen by its attempts, is
read alone from then on, and ends in the quarantine. Leases in the database's own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from domain.messages import ChannelKind
from inbox import reading_metrics
from inbox.mails.arrived import Arrival
from inbox.reading_settings import ReadingSettings
from storage.blobs import BlobStore
from storage.pool import Pool

BATCHES: Final = 4  #: that are claimed together

#: $1 how many, $2 bytes, $3 lease, $4 channel. The first is taken whatever its size.
_CLAIM_NEW: Final = """
WITH next AS MATERIALIZED (
    SELECT id, size FROM raw_mails WHERE channel = $4 AND state = 'stored' AND attempts = 0
    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
), fitting AS (
    SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM next) AS sized WHERE before < $2
)
UPDATE raw_mails AS r SET attempts = 1, read_again_at = now() + make_interval(secs => $3)
FROM fitting AS f WHERE r.id = f.id
RETURNING r.id, r.sender, r.content, r.blob, r.attempts, now() - r.received_at AS age
"""
#: One mail whose earlier attempts came to nothing. $1 lease, $2 channel
_CLAIM_AGAIN: Final = """
UPDATE raw_mails AS r SET attempts = r.attempts + 1, read_again_at = now() + make_interval(secs => $1)
FROM (SELECT id FROM raw_mails WHERE channel = $2 AND state = 'stored' AND attempts > 0 AND read_again_at < now()
      ORDER BY attempts, read_again_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS next
WHERE r.id = next.id
RETURNING r.id, r.sender, r.content, r.blob, r.attempts, now() - r.received_at AS age
"""
_GIVE_UP: Final = """
UPDATE raw_mails AS r
SET state = 'quarantined', settled_at = now(), read_again_at = NULL, reason = coalesce(reason, $2)
FROM (SELECT id FROM raw_mails WHERE channel = $3 AND state = 'stored' AND attempts >= $1 AND read_again_at < now()
      ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED) AS late
WHERE r.id = late.id RETURNING r.id
"""
_ARRIVALS: Final = (
    "SELECT raw_id, door, recipients, meta FROM arrivals WHERE raw_id = ANY($1::bigint[]) ORDER BY id"
)
_QUARANTINE: Final = """
UPDATE raw_mails SET state = 'quarantined', reason = $3, settled_at = now(), read_again_at = NULL
WHERE id = $1 AND attempts = $2 AND state = 'stored' RETURNING id
"""
_LATER: Final = """
UPDATE raw_mails SET reason = $3, read_again_at = now() + make_interval(secs => $4)
WHERE id = $1 AND attempts = $2 AND state = 'stored'
"""
#: Attempts that did not count: the house was at fault, not the mail.
_GIVE_BACK: Final = """
UPDATE raw_mails AS r SET attempts = r.attempts - 1, read_again_at = now()
FROM unnest($1::bigint[], $2::smallint[]) AS mine(id, attempts)
WHERE r.id = mine.id AND r.attempts = mine.attempts AND r.state = 'stored'
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that we are to read. `age`: since it came. `raw` is None when its file cannot be found."""

    id: int
    attempts: int
    sender: str
    age: timedelta
    raw: bytes | None
    arrivals: Sequence[Arrival]


async def claim_new(
    pool: Pool, blobs: BlobStore, settings: ReadingSettings, channel: ChannelKind = ChannelKind.MAIL
) -> list[Claimed]:
    """Mails that nobody tried to read yet: some batches of them, for while one is stored the next is read."""
    rows = await pool.fetch(
        _CLAIM_NEW, settings.batch * BATCHES, settings.batch_bytes, settings.lease, channel.value
    )
    return await _load(pool, blobs, rows)


async def claim_again(
    pool: Pool, blobs: BlobStore, settings: ReadingSettings, channel: ChannelKind = ChannelKind.MAIL
) -> list[Claimed]:
    """One mail whose last attempt came to nothing; those with too many attempts go to the quarantine."""
    words = f"Reading it was tried {settings.attempts} times, and ended each time without a result."
    late = await pool.fetch(_GIVE_UP, settings.attempts, words, channel.value)
    reading_metrics.QUARANTINED.inc(len(late))
    return await _load(pool, blobs, await pool.fetch(_CLAIM_AGAIN, settings.lease, channel.value))


async def _load(pool: Pool, blobs: BlobStore, rows: Sequence[Any]) -> list[Claimed]:
    if not rows:
        return []
    arrivals: dict[int, list[Arrival]] = {row["id"]: [] for row in rows}
    for row in await pool.fetch(_ARRIVALS, list(arrivals)):
        arrivals[row["raw_id"]].append(Arrival(row["door"], row["recipients"], row["meta"]))
    return [
        Claimed(
            row["id"],
            row["attempts"],
            row["sender"],
            row["age"],
            await _content(row, blobs),
            arrivals[row["id"]],
        )
        for row in sorted(rows, key=lambda row: row["id"])
    ]


async def _content(row: Any, blobs: BlobStore) -> bytes | None:
    content: bytes | None = row["content"]
    if row["blob"] is None:
        return content

    def read() -> bytes | None:
        try:
            return blobs.path(row["blob"]).read_bytes()
        except Exception:
            return None  # told as a mail whose file is gone, and tried again

    return await asyncio.to_thread(read)


async def quarantine(pool: Pool, mail: Claimed, reason: str) -> None:
    """Keep a mail that cannot be read for a person to look at, with the reason in words."""
    if await pool.fetchval(_QUARANTINE, mail.id, mail.attempts, reason):
        reading_metrics.QUARANTINED.inc()


async def try_later(pool: Pool, mail: Claimed, reason: str, settings: ReadingSettings) -> None:
    """Read a mail again after a while; to the quarantine when that was its last attempt."""
    if mail.attempts >= settings.attempts:
        await quarantine(pool, mail, reason)
        return
    reading_metrics.RETRIED.inc()
    await pool.execute(_LATER, mail.id, mail.attempts, reason, settings.retry_after)


async def give_back(pool: Pool, mails: Sequence[tuple[int, int]]) -> None:
    """Take back attempts (mail, attempt) that the house could not carry through, such as when the database was away."""
    if mails:
        await pool.execute(_GIVE_BACK, [one for one, _ in mails], [attempt for _, attempt in mails])

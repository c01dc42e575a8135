"""Seal what is moved into a confidential queue: from then on it is for the people of that queue (promise 8).

What is in no other place needs nothing: lists, search, timeline and the rest ask the queue that a conversation is in. Tasks
that others had about it before stay where they are, so they need to know since when they are none of theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from storage.pool import Connection

_SEAL: Final = """
UPDATE conversations AS v SET sealed_at = CASE WHEN q.confidential THEN $2::timestamptz END
FROM queues AS q WHERE v.id = ANY ($1::bigint[]) AND q.id = v.queue_id AND (q.confidential OR v.sealed_at IS NOT NULL)
"""


async def seal(connection: Connection, conversations: Collection[int], now: datetime) -> None:
    """Note that these were moved, by the queue that each is in now; out of a confidential queue they are open again."""
    await connection.execute(_SEAL, list(conversations), now)

"""Ranges of messages: where there is something to claim, and where a lease may have run out.

The rows of `deliveries` are the truth; a range only says when to look at its rows. It is claimed as one, and looked
at again when its rows are settled (`close`) or its earliest lease runs out (`sweep`): so the indexes that find work
are on a few thousand ranges, and the rows themselves change without touching any index.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

from outbox import statements
from storage.pool import Connection, Pool, transaction

#: Of a campaign with a rate, a range holds what goes out in so many seconds at most.
_SECONDS: Final = 30
#: Ranges of a cancelled campaign that are withdrawn in one transaction.
_AT_ONCE: Final = 20


def range_size(claim_size: int, rate: float | None) -> int:
    """How many messages a range of a campaign holds."""
    return claim_size if rate is None else max(1, min(claim_size, int(rate * _SECONDS)))


async def close(pool: Pool, lows: Sequence[int]) -> None:
    """Look at these ranges again, because rows in them were settled or released."""
    async with transaction(pool) as connection:
        await connection.execute(statements.LOCK_RANGES, lows)
        await _recount(connection, lows)


async def sweep(pool: Pool, limit: int = 50) -> tuple[int, int]:
    """Where leases ran out, requeue claimed rows and make `sending` ones uncertain; gives how many of each.

    Looks at up to `limit` ranges; those that others work on are left to them.
    """
    async with transaction(pool) as connection:
        lows = [row["low"] for row in await connection.fetch(statements.LOCK_LATE_RANGES, limit)]
        if not lows:
            return 0, 0
        swept = [row["state"] for row in await connection.fetch(statements.SWEEP, lows)]
        await _recount(connection, lows)
    return swept.count("queued"), swept.count("uncertain")


async def withdraw(pool: Pool, campaign_id: int, seconds: float) -> None:
    """Cancel what nobody has begun to send of a cancelled campaign, some ranges per transaction, for so many seconds
    at most; `withdraw_rest` does what is left."""
    low, until = -1, monotonic() + seconds
    while monotonic() < until:
        async with transaction(pool) as connection:
            rows = await connection.fetch(statements.LOCK_RANGES_OF, campaign_id, low, _AT_ONCE)
            if not rows:
                return
            await _recount(connection, [row["low"] for row in rows])
        low = rows[-1]["low"]


async def withdraw_rest(pool: Pool) -> int:
    """Cancel what waits in some ranges of cancelled campaigns; gives the number of ranges, 0 when nothing waits."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(statements.LOCK_CANCELLED_RANGES, _AT_ONCE)
        if rows:
            await _recount(connection, [row["low"] for row in rows])
    return len(rows)


async def reopen(connection: Connection, campaign_id: int, message_id: int) -> None:
    """See to it that a message is found that was queued again in this transaction."""
    low = await connection.fetchval(statements.LOCK_RANGE_OF_MESSAGE, campaign_id, message_id)
    if low is None:
        low = message_id
        await connection.execute(statements.MAKE_RANGE, message_id, campaign_id)
    await connection.execute(statements.RECOUNT, [low])


async def _recount(connection: Connection, lows: Sequence[int]) -> None:
    await connection.execute(statements.WITHDRAW, lows)
    await connection.execute(statements.RECOUNT, lows)

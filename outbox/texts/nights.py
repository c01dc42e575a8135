"""What waits for the day, when a demo's clock is moved: rows wait in the machine's time, the day comes in the house's."""

from __future__ import annotations

from typing import Final

from outbox.statements import RECOUNT
from storage.pool import Pool, transaction

_LOCK: Final = """
SELECT low FROM delivery_ranges WHERE campaign_id <> 0 AND ready_at > now() ORDER BY low FOR UPDATE
"""
_WAKE: Final = """
UPDATE deliveries AS d SET not_before = NULL FROM delivery_ranges AS r
WHERE r.low = ANY ($1::bigint[]) AND d.message_id BETWEEN r.low AND r.high AND d.campaign_id = r.campaign_id
  AND d.state = 'queued' AND d.reason = 'quiet_hours'
"""


async def look_again(pool: Pool) -> None:
    """Have every message of a campaign that was held back for the night asked again what hour it is where it goes."""
    async with transaction(pool) as connection:
        lows = [row["low"] for row in await connection.fetch(_LOCK)]
        if lows:
            await connection.execute(_WAKE, lows)
            await connection.execute(RECOUNT, lows)

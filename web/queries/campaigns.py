"""Campaigns as pages show them: segments to choose from, and the progress, counted at most once a second."""

from __future__ import annotations

import time
from typing import Any, Final

from campaigns.drafts import Campaign
from domain.messages import DeliveryState
from storage.pool import Pool

_SEGMENTS: Final = "SELECT id, name, condition FROM segments ORDER BY lower(name), id"
_PROGRESS: Final = """
SELECT state, count(*) FROM deliveries
WHERE campaign_id = $1 AND state IN ('queued', 'claimed', 'sending', 'deferred', 'rejected', 'uncertain', 'cancelled')
GROUP BY state
"""
_FRESH_SECONDS: Final = 1.0

#: when a campaign was last counted (seconds of time.monotonic), and what came of it
Known = dict[int, tuple[float, dict[str, int]]]


async def list_segments(pool: Pool) -> list[Any]:
    """Saved segments by name."""
    return list(await pool.fetch(_SEGMENTS))


async def read_progress(pool: Pool, campaign: Campaign, known: Known) -> dict[str, int]:
    """Recipients by state of their delivery. Many who watch share one count per second, kept in `known`."""
    counted_at, counts = known.get(campaign.id, (0.0, {}))
    if (
        counts
        and time.monotonic() - counted_at < _FRESH_SECONDS
        and sum(counts.values()) == campaign.recipients
    ):
        return counts
    counts = dict.fromkeys((state.value for state in DeliveryState), 0)
    counts |= {row["state"]: row["count"] for row in await pool.fetch(_PROGRESS, campaign.id)}
    counts["sent"] = max(campaign.recipients - sum(counts.values()), 0)
    known[campaign.id] = time.monotonic(), counts
    return counts

"""Where the links of a campaign lead, and which files its downloads are; both remembered per process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from storage.pool import Pool

_LINKS: Final = "SELECT no, url FROM campaign_links WHERE campaign_id = $1"
_RECENT: Final = """
SELECT campaign_id, no, url FROM campaign_links
WHERE campaign_id IN (SELECT id FROM campaigns WHERE launched_at IS NOT NULL ORDER BY launched_at DESC LIMIT $1)
"""
_ASSET: Final = "SELECT name, blob, media_type, size FROM assets WHERE name = $1"


class Asset(NamedTuple):
    """A file that may be downloaded; `blob` is its place in the BlobStore."""

    name: str
    blob: str
    media_type: str
    size: int


async def load_links(pool: Pool, campaign_id: int) -> Mapping[int, str]:
    """The URLs of a campaign's links by number; empty for a campaign that does not exist."""
    return {row["no"]: row["url"] for row in await pool.fetch(_LINKS, campaign_id)}


async def load_recent_links(pool: Pool, campaigns: int = 200) -> Mapping[int, Mapping[int, str]]:
    """The same for the campaigns launched last, so that redirects also work right after a start."""
    found: dict[int, dict[int, str]] = {}
    for row in await pool.fetch(_RECENT, campaigns):
        found.setdefault(row["campaign_id"], {})[row["no"]] = row["url"]
    return found


async def load_asset(pool: Pool, name: str) -> Asset | None:
    """The asset of exactly this name, or None."""
    row = await pool.fetchrow(_ASSET, name)
    return Asset(*row) if row is not None else None

"""The router's tests work in a small organisation."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.pool import Pool
from tests.router.world import World, build_world


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    """People, a team, two campaigns, and a router whose clock stands at a Monday morning."""
    built = await build_world(pool)
    yield built
    await built.router.announcer.close()

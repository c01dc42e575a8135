"""Each test of the reading gets a post room of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.pool import Pool
from tests.inbox.post import PostRoom, open_post_room


@pytest.fixture
async def post(pool: Pool, tmp_path: Path) -> AsyncIterator[PostRoom]:
    """A post room with the settings of a fresh install."""
    async with open_post_room(pool, tmp_path) as room:
        yield room

"""A real web server on a free port, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.pool import Pool
from tests.web.house import House, open_house


@pytest.fixture
async def house(pool: Pool, database_url: str) -> AsyncIterator[House]:
    """The web process of an empty installation."""
    async with open_house(pool, database_url) as opened:
        yield opened


@pytest.fixture
async def demo(pool: Pool, database_url: str) -> AsyncIterator[House]:
    """The same, as a demo."""
    async with open_house(pool, database_url, demo=True) as opened:
        yield opened

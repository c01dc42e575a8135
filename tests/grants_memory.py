"""Grants in memory, held one at a time as the real store does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.mail.oauth.tokens import Grant


class MemoryGrants:
    """Shared by several token sources, as by several processes. `away`: nothing can be stored."""

    def __init__(self) -> None:
        self.kept: dict[str, Grant] = {}
        self.away = False
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[_Held]:
        async with self._locks[name]:
            yield _Held(self, name)


class _Held:
    def __init__(self, grants: MemoryGrants, name: str) -> None:
        self._grants, self._name = grants, name
        self.grant = grants.kept.get(name)

    async def keep(self, grant: Grant) -> None:
        if self._grants.away:
            raise ConnectionError("the database is away")
        self._grants.kept[self._name] = grant

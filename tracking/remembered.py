"""Small facts kept in memory: read once, refreshed when old, and still served while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import asyncpg

from domain.errors import Unavailable

K = TypeVar("K")
V = TypeVar("V")

#: What the database being away looks like.
TROUBLE: Final = (OSError, asyncpg.InterfaceError, asyncpg.PostgresError, TimeoutError)
_STALE_SECONDS: Final = 0.25  # how long a reader waits for the new value before it is given the old one


class Remembered(Generic[K, V]):
    """Values by key, at most `limit`, each read again after `seconds`; the oldest are forgotten first.

    `load` is asked once for any number of requests at the same time and gets `patience` seconds.
    """

    def __init__(
        self, load: Callable[[K], Awaitable[V]], *, seconds: float, patience: float, limit: int = 10_000
    ) -> None:
        self._load = load
        self._seconds = seconds
        self._patience = patience
        self._limit = limit
        self._values: dict[K, tuple[V, float]] = {}
        self._loading: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, *, age: float | None = None) -> V:
        """The value, at most `age` seconds old (the usual `seconds`), older while the database is away.

        Raises Unavailable when there is none at all.
        """
        loop = asyncio.get_running_loop()
        entry = self._values.get(key)
        if entry is not None and loop.time() - entry[1] < (self._seconds if age is None else age):
            return entry[0]
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = loop.create_task(self._read(key))
            task.add_done_callback(lambda done: self._forget_task(key, done))
        if entry is not None:
            await asyncio.wait({task}, timeout=_STALE_SECONDS)
            return task.result() if task.done() and task.exception() is None else entry[0]
        try:
            return await asyncio.shield(task)
        except TROUBLE as error:
            raise Unavailable("The database cannot be reached now.") from error

    def keep(self, key: K, value: V) -> None:
        """Remember a value that was read in some other way."""
        self._values.pop(key, None)
        if len(self._values) >= self._limit:
            del self._values[next(iter(self._values))]
        self._values[key] = (value, asyncio.get_running_loop().time())

    async def _read(self, key: K) -> V:
        async with asyncio.timeout(self._patience):
            value = await self._load(key)
        self.keep(key, value)
        return value

    def _forget_task(self, key: K, done: asyncio.Task[V]) -> None:
        del self._loading[key]
        if not done.cancelled():
            done.exception()  # whoever waits has seen it

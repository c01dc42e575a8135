"""Record hits by group commit: a request puts its hit down and is told the outcome once its group is committed.

Groups clock themselves: whatever arrived while one commit was under way is the next group, so nothing waits on
purpose, and the more there is to do, the cheaper each hit gets. Nothing is acknowledged before its commit (promise
1). A statement whose fate nobody knows is never repeated, so no hit is recorded twice; its hits count as unrecorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from storage.announce import Announcer
from storage.fate import Fate, judge_error
from storage.pool import Pool
from tracking import counters
from tracking.hits import Hit, Outcome
from tracking.queue import Group, HitQueue
from tracking.settings import TrackingSettings
from tracking.statement import RECORD_HITS

_log = logging.getLogger(__name__)

#: Counts are spread over so many rows, so that processes do not queue up behind one.
SHARDS: Final = 32
_ACQUIRE_SECONDS: Final = 5.0
_STATEMENT_SECONDS: Final = 10.0
#: What a lost, refused or silent connection raises.
TROUBLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)


class Recorder:
    """The recorder of one process: `start` it in the event loop, `close` it before the pool."""

    def __init__(self, pool: Pool, announcer: Announcer, settings: TrackingSettings | None = None) -> None:
        self._pool = pool
        self._announcer = announcer
        self._settings = settings or TrackingSettings()
        self._flushers: list[asyncio.Task[None]] = []
        self._queue: HitQueue

    def start(self) -> None:
        """Begin to commit; hits may be put from now on."""
        self._queue = queue = HitQueue(self._settings)
        counters.WAITING.set_function(lambda: len(queue))
        loop = asyncio.get_running_loop()
        self._flushers = [
            loop.create_task(self._flush_forever(), name=f"recorder-{number}")
            for number in range(self._settings.flushes)
        ]

    def put(self, hit: Hit) -> asyncio.Future[Outcome]:
        """Hand in a hit; the future tells its outcome once that is committed, UNRECORDED otherwise. Never raises."""
        return self._queue.put(hit)

    async def close(self) -> None:
        """Commit what is waiting, as far as that succeeds within `patience`; answer the rest as unrecorded."""
        if not self._flushers:
            return
        self._queue.close()
        await asyncio.wait(self._flushers, timeout=self._settings.patience)
        for task in self._flushers:
            task.cancel()
        await asyncio.gather(*self._flushers, return_exceptions=True)
        self._flushers.clear()
        self._queue.abandon()

    async def _flush_forever(self) -> None:
        shard = random.randrange(SHARDS)
        pause = 0.05
        while await self._queue.wait():
            try:
                async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                    try:
                        statement = await connection.prepare(RECORD_HITS, timeout=_STATEMENT_SECONDS)
                        pause = 0.05
                        while await self._queue.wait() and not connection.is_closed():
                            await self._commit(statement, self._queue.take(self._settings.group_limit), shard)
                    except Exception:
                        with contextlib.suppress(asyncpg.InterfaceError):  # closed already
                            connection.terminate()  # in whatever state it is, it is not used again
                        raise
            except Exception as error:  # whatever it is, this loop must not end: nothing else records hits
                expected = isinstance(error, TROUBLE)
                _log.warning("Hits cannot be recorded now: %r", error, exc_info=not expected)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)

    async def _commit(self, statement: Any, group: Group, shard: int) -> None:
        """Record a group, in halves when one of its hits cannot be written.

        Raises what the connection raised when it is of no more use.
        """
        todo = [group]
        try:
            while todo:
                group = todo.pop()
                todo += reversed(await self._commit_once(statement, group, shard))
        except BaseException:
            for rest in todo:
                self._queue.put_back(rest)
            raise

    async def _commit_once(self, statement: Any, group: Group, shard: int) -> Sequence[Group]:
        now = asyncio.get_running_loop().time()
        columns = zip(*(entry.hit for entry in group), strict=True)
        waited = [now - entry.since for entry in group]
        try:
            outcomes = await statement.fetchval(
                *columns, waited, self._settings.settle_seconds, shard, timeout=_STATEMENT_SECONDS
            )
        except Exception as error:
            fate = judge_error(error)
            if fate is Fate.AGAIN:
                self._queue.put_back(group)
            elif fate is Fate.BAD_ROW and len(group) > 1:
                return self._queue.split(group)
            elif fate is Fate.BAD_ROW:
                _log.error("A hit cannot be written (%s) and is given up.", type(error).__name__)
                self._queue.give_up(group, "unwritable")
            elif fate is Fate.REFUSED:
                self._queue.put_back(group)
                raise
            else:
                self._queue.give_up(group, "unknown")
                raise
        except asyncio.CancelledError:
            self._queue.give_up(group, "unknown")
            raise
        else:
            self._queue.settle(group, outcomes)
            if any(outcomes):
                self._announcer.touch()
        return ()

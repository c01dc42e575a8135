"""Handing jobs to the workers: quick, and never an error for the caller, because the loops look by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any, Final

from arq.connections import ArqRedis, create_pool
from redis.exceptions import RedisError

from worker import metrics
from worker.jobs import redis_settings, serialize

log = logging.getLogger(__name__)

_PATIENCE: Final = 1.0  # seconds that a caller waits for Redis
_REST: Final = 5.0  # seconds without an attempt after one that failed


class JobQueue:
    """The `enqueue` port of the web process. `close` gives the connections back."""

    def __init__(self, redis_url: str | None, queue: str) -> None:
        self._url = redis_url
        self._queue = queue
        self._redis: ArqRedis | None = None
        self._resting_until = 0.0

    async def __call__(self, job: str, *arguments: Any) -> None:
        """Enqueue `job` with ids and other JSON values. When Redis does not answer, nothing is lost but a second."""
        now = asyncio.get_running_loop().time()
        if self._url is None or now < self._resting_until:
            metrics.LOST.inc()
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._redis is None:
                    self._redis = await create_pool(
                        redis_settings(self._url),
                        job_serializer=serialize,
                        job_deserializer=json.loads,
                        default_queue_name=self._queue,
                    )
                await self._redis.enqueue_job(job, *arguments, _expires=300)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("the job queue is away: %s", str(error) or type(error).__name__)
            metrics.LOST.inc()
            self._resting_until = now + _REST

    async def wake(self, loop: str) -> None:
        """domain.ports.Wake: tell a loop that there may be work."""
        await self("wake", loop)

    async def close(self) -> None:
        """Give the connections back."""
        if self._redis is not None:
            redis, self._redis = self._redis, None
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await redis.aclose(close_connection_pool=True)

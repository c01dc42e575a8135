"""Jobs from Redis, taken by arq. A job only wakes a loop, which looks into PostgreSQL for what there is to do.

So a job that is lost, doubled or late changes nothing but the moment, and Redis may be wiped or away at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from arq import Worker, cron, func
from arq.connections import RedisSettings
from redis.exceptions import RedisError

from worker import metrics

log = logging.getLogger(__name__)

Wakers = Mapping[str, Callable[[], None]]

#: Job names → the loop that each wakes. Jobs may carry ids; the loops find all work there is by themselves.
JOBS: Final[Mapping[str, str]] = {
    "run_import": "imports",
    "import_contacts": "imports",
    "launch_campaign": "launches",
    "launch_due": "launches",
}


def serialize(job: dict[str, Any]) -> bytes:
    """Jobs travel as JSON."""
    return json.dumps(job).encode()


def redis_settings(url: str, *, retries: int = 0) -> RedisSettings:
    """arq's settings for a redis:// or unix:// address."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_retries = retries
    return settings


async def take_jobs(url: str, queue: str, wakers: Wakers, stop: asyncio.Event) -> None:
    """Take jobs until `stop` is set. A restart of Redis ends arq's worker; a new one takes its place."""
    pause = 0.5
    while not stop.is_set():
        worker = make_worker(url, queue, wakers)
        running = asyncio.create_task(worker.async_run())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if running.done() and not stop.is_set():
            log.warning("the job queue is away: %s", running.exception())
        else:
            pause = 0.5
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await _close(worker)
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            pause = min(pause * 2, 5)


def make_worker(url: str, queue: str, wakers: Wakers) -> Worker:
    """arq's worker with our jobs and schedules."""

    async def wake(_: dict[Any, Any], *loops: str) -> None:
        metrics.JOBS.labels("wake").inc()
        for loop in loops:
            wakers.get(loop, _nobody)()

    def waking(name: str, loop: str) -> Any:
        async def run(_: dict[Any, Any], *ids: int) -> None:
            metrics.JOBS.labels(name).inc()
            wakers.get(loop, _nobody)()

        run.__qualname__ = name
        return run

    return Worker(
        functions=[
            func(cast(Any, wake), name="wake", keep_result=0),
            *[func(waking(name, loop), name=name, keep_result=0) for name, loop in JOBS.items()],
        ],
        cron_jobs=[
            cron(
                waking("make_partitions", "partitions"),
                name="make_partitions",
                hour={3},
                minute={10},
                keep_result=0,
            ),
            cron(waking("sweep", "sweeper"), name="sweep", second={0, 30}, keep_result=0),
        ],
        queue_name=queue,
        redis_settings=redis_settings(url),
        handle_signals=False,
        keep_result=0,
        job_timeout=30,
        poll_delay=0.2,
        job_serializer=serialize,
        job_deserializer=json.loads,
        log_results=False,
    )


def _nobody() -> None:
    """A loop that this worker does not run."""


async def _close(worker: Worker) -> None:
    """What arq's own `close` does, save that it calls redis-py's deprecated one."""
    jobs = list(worker.tasks.values())
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    if worker._pool is not None:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(2):
                await worker._pool.aclose(close_connection_pool=True)

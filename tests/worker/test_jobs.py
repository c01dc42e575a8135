"""Jobs through Redis wake loops; without Redis everything goes on."""

from __future__ import annotations

import asyncio
import time

import redis
from redis.asyncio import Redis

from worker.jobs import take_jobs
from worker.queue import JobQueue


async def test_a_job_wakes_its_loop(redis_url: str) -> None:
    woken = asyncio.Event()
    stop = asyncio.Event()
    taking = asyncio.create_task(take_jobs(redis_url, "test", {"imports": woken.set}, stop))
    queue = JobQueue(redis_url, "test")
    await queue("run_import", 17)
    await asyncio.wait_for(woken.wait(), 5)
    woken.clear()
    await queue.wake("imports")
    await asyncio.wait_for(woken.wait(), 5)
    await queue.close()
    stop.set()
    await taking


async def test_jobs_travel_as_json_and_leave_nothing_behind(redis_url: str) -> None:
    woken, stop = asyncio.Event(), asyncio.Event()
    queue = JobQueue(redis_url, "test")
    await queue("launch_campaign", 3)
    async with Redis.from_url(redis_url) as client:
        (name,) = [key async for key in client.scan_iter("arq:job:*")]
        assert b'"launch_campaign"' in await client.get(name)
    taking = asyncio.create_task(take_jobs(redis_url, "test", {"launches": woken.set}, stop))
    await asyncio.wait_for(woken.wait(), 5)
    await asyncio.sleep(0.5)
    stop.set()
    await taking
    await queue.close()
    with redis.Redis.from_url(redis_url) as blocking:
        left = [key for key in blocking.keys("arq:*") if name.removeprefix(b"arq:job:") in key]
    assert left == []


async def test_a_wiped_redis_and_lost_connections_do_not_end_the_taking_of_jobs(redis_url: str) -> None:
    woken, stop = asyncio.Event(), asyncio.Event()
    taking = asyncio.create_task(take_jobs(redis_url, "test", {"imports": woken.set}, stop))
    queue = JobQueue(redis_url, "test")
    for _ in range(3):
        await asyncio.sleep(0.3)
        async with Redis.from_url(redis_url) as client:
            await client.flushdb()
            await client.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(6)  # the queue rests for a while after a failure
    await queue("run_import", 1)
    await asyncio.wait_for(woken.wait(), 10)
    stop.set()
    await taking
    await queue.close()


async def test_without_redis_a_caller_loses_a_second_at_most_and_gets_no_error() -> None:
    queue = JobQueue("redis://127.0.0.1:1/0", "test")
    began = time.monotonic()
    for _ in range(20):
        await queue("run_import", 1)
    assert time.monotonic() - began < 2
    await JobQueue(None, "test")("run_import", 1)
    await queue.close()


async def test_taking_jobs_stops_promptly_without_redis() -> None:
    stop = asyncio.Event()
    taking = asyncio.create_task(take_jobs("redis://127.0.0.1:1/0", "test", {}, stop))
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.wait_for(taking, 5)

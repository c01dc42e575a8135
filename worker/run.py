"""A worker process: its loops and services side by side, and jobs from Redis that wake them."""

from __future__ import annotations

import asyncio
import logging

from prometheus_client import start_http_server

from worker.context import WorkerContext
from worker.jobs import take_jobs
from worker.loops import Loop, Service, keep_running
from worker.work import plan_work

log = logging.getLogger(__name__)


async def run_worker(context: WorkerContext, stop: asyncio.Event) -> None:
    """Work until `stop` is set; then finish what is under way, within `stop_grace` seconds."""
    work = plan_work(context)
    if context.settings.metrics_port is not None:
        start_http_server(context.settings.metrics_port)
    tasks = [asyncio.create_task(_keep(one, context, stop), name=one.name) for one in work]
    if context.redis_url is not None:
        wakers = {one.name: one.wake for one in work}
        tasks.append(
            asyncio.create_task(
                take_jobs(context.redis_url, context.settings.queue, wakers, stop), name="jobs"
            )
        )
    try:
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=context.settings.stop_grace)
        for task in late:
            log.warning("%s did not stop in time and is cancelled", task.get_name())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep(one: Loop | Service, context: WorkerContext, stop: asyncio.Event) -> None:
    if isinstance(one, Loop):
        await keep_running(one.name, lambda: one.run(context.bell, stop), stop)
    else:
        await keep_running(one.name, lambda: one.run(stop), stop)

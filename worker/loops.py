"""Loops and services: what a worker keeps running, whatever happens to the database, to Redis or to themselves.

A loop repeats a step while there is something to do, then waits for a wake-up: an announcement of the database, a
job, or the next poll. A service runs by itself until it is told to stop. Whichever dies is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from storage.announce import Bell
from storage.pool import DATABASE_AWAY
from worker import metrics

log = logging.getLogger(__name__)

_SHORTEST: Final = 0.1
_LONGEST: Final = 5.0


@dataclass(slots=True)
class Loop:
    """A step that gives true when there may be more to do at once. `every`: seconds between looks."""

    name: str
    step: Callable[[], Awaitable[object]]
    every: float
    rings: bool = True  #: whether an announcement wakes it
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Look for work now."""
        self.woken.set()

    async def run(self, bell: Bell, stop: asyncio.Event) -> None:
        """Turn until `stop` is set."""
        pause = _SHORTEST
        async with _rung_by(bell if self.rings else None, self.woken):
            while not stop.is_set():
                self.woken.clear()
                try:
                    again = await self.step()
                    pause = _SHORTEST
                    metrics.STEPS.labels(self.name).inc()
                except DATABASE_AWAY as error:
                    log.warning(
                        "%s waits for the database: %s", self.name, str(error) or type(error).__name__
                    )
                    metrics.FAILURES.labels(self.name).inc()
                    await _wait(stop, pause)
                    pause = min(pause * 2, _LONGEST)
                    continue
                if not again:
                    await _first_of(stop, self.woken, self.every)


@dataclass(frozen=True, slots=True)
class Service:
    """Something that runs until its event is set. `wake` tells it that there may be work."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]
    wake: Callable[[], None] = lambda: None


async def keep_running(name: str, run: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run something until `stop` is set; when it ends or breaks before, start it again after a pause."""
    pause = _SHORTEST
    while not stop.is_set():
        began = asyncio.get_running_loop().time()
        try:
            await run()
        except Exception:
            log.exception("%s broke", name)
            metrics.FAILURES.labels(name).inc()
        if stop.is_set():
            return
        if asyncio.get_running_loop().time() - began > 60:
            pause = _SHORTEST
        log.warning("%s is started again in %.1f s", name, pause)
        metrics.RESTARTS.labels(name).inc()
        await _wait(stop, pause)
        pause = min(pause * 2, _LONGEST)


@contextlib.asynccontextmanager
async def _rung_by(bell: Bell | None, woken: asyncio.Event) -> AsyncIterator[None]:
    """Pass the bell's rings on to `woken`."""
    if bell is None:
        yield
        return

    async def pass_on(rung: asyncio.Event) -> None:
        while True:
            await rung.wait()
            rung.clear()
            woken.set()

    async with bell.subscribed() as rung:
        task = asyncio.create_task(pass_on(rung))
        try:
            yield
        finally:
            task.cancel()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _first_of(stop: asyncio.Event, woken: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, woken)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

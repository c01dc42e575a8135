"""A TCP proxy that breaks connections after so many bytes in one direction: cut off, or silent from then on."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Break:
    """After `after` bytes `up` (to the server) or `down` (to the client) nothing passes any more, either way."""

    direction: Direction
    after: int
    silent: bool = False  # not cut: both sides believe that the connection lives


@dataclass(slots=True)
class Traffic:
    """What passed through one connection: the sizes of what was read at a time, by direction."""

    chunks: dict[Direction, list[int]] = field(default_factory=lambda: {"up": [], "down": []})

    def places(self, direction: Direction) -> list[int]:
        """Where to break: before, in the middle of, and after each chunk."""
        found, passed = [0], 0
        for size in self.chunks[direction]:
            found += [passed + 1, passed + size // 2, passed + size - 1, passed + size]
            passed += size
        return sorted(set(found))


class CuttingProxy:
    """Passes connections on to a port of the loopback; the first ones are broken as `breaks` says, one each."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self.breaks: deque[Break] = deque()
        self.traffic: list[Traffic] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CuttingProxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        broken = self.breaks.popleft() if self.breaks else None
        traffic = Traffic()
        self.traffic.append(traffic)
        upstream, towards = await asyncio.open_connection("127.0.0.1", self._target)
        stop = asyncio.Event()
        try:
            if broken is None or broken.after or broken.silent:
                ways = [
                    asyncio.create_task(_pass(reader, towards, "up", traffic, broken, stop)),
                    asyncio.create_task(_pass(upstream, writer, "down", traffic, broken, stop)),
                    asyncio.create_task(stop.wait()),
                ]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                if broken is not None and broken.silent and stop.is_set():
                    await asyncio.sleep(60)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:  # the proxy ends
            pass
        finally:
            writer.transport.abort()
            towards.transport.abort()


async def _pass(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    direction: Direction,
    traffic: Traffic,
    broken: Break | None,
    stop: asyncio.Event,
) -> None:
    left = broken.after if broken is not None and broken.direction == direction else None
    with contextlib.suppress(OSError):
        while not stop.is_set() and (chunk := await reader.read(65536)):
            if stop.is_set():
                return
            if left is not None:
                chunk = chunk[:left]
                left -= len(chunk)
            traffic.chunks[direction].append(len(chunk))
            writer.write(chunk)
            await writer.drain()
            if left == 0:
                await asyncio.sleep(0)  # let what was written leave
                stop.set()
                return

"""Queues of callers: who waits, in which order, and how one of them is taken out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.records import CallQueue, make_sid
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.voice.line import Line, Source


@dataclass(slots=True)
class Taken:
    """A caller was taken out of a queue: by somebody's line, after hearing `whisper`, or to follow `source`."""

    by: Line | None = None
    whisper: Source | None = None
    source: Source | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)  #: the caller has heard the whisper
    over: asyncio.Event = field(default_factory=asyncio.Event)  #: they have parted


@dataclass(slots=True)
class Waiting:
    """A caller in a queue."""

    line: Line
    taken: asyncio.Future[Taken]


class Queues:
    """The queues, and the lines of those who wait in them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waiting: dict[str, Waiting] = {}
        self._joined = asyncio.Event()

    def open(self, account_sid: str, name: str, max_size: int = 1000) -> CallQueue:
        """The queue of this name, made when there is none."""
        queue = self._exchange.memory.find_queue(account_sid, name)
        if queue is None:
            now = self._exchange.now()
            queue = CallQueue(make_sid("QU"), account_sid, name, now, now, max_size)
            self._exchange.memory.queues[queue.sid] = queue
        return queue

    def join(self, queue: CallQueue, line: Line) -> Waiting | None:
        """Wait at its end; None when it is full."""
        if len(queue.members) >= queue.max_size:
            return None
        waiting = Waiting(line, asyncio.get_running_loop().create_future())
        queue.members.append(line.call.sid)
        queue.since[line.call.sid] = queue.updated = self._exchange.now()
        self._waiting[line.call.sid] = waiting
        self._joined.set()
        self._joined = asyncio.Event()
        self._exchange.changed()
        return waiting

    def leave(self, queue: CallQueue, line: Line) -> int:
        """Wait no longer; gives the seconds waited."""
        self._waiting.pop(line.call.sid, None)
        if line.call.sid in queue.members:
            queue.members.remove(line.call.sid)
        queue.updated = self._exchange.now()
        since = queue.since.pop(line.call.sid, queue.updated)
        line.call.queue_seconds = int(
            (queue.updated - since).total_seconds() / self._exchange.settings.second
        )
        self._exchange.changed()
        return line.call.queue_seconds

    def take(self, queue: CallQueue, call_sid: str, taken: Taken) -> Line:
        """Take a caller out; `Front` means the first. Raises Refusal when nobody is there."""
        sid = (queue.members[0] if queue.members else "") if call_sid == "Front" else call_sid
        waiting = self._waiting.get(sid)
        if sid not in queue.members or waiting is None or waiting.taken.done():
            raise Refusal(20404, f"/Queues/{queue.sid}/Members/{call_sid}")
        queue.members.remove(sid)
        waiting.taken.set_result(taken)
        return waiting.line

    async def wait_for_somebody(self, queue: CallQueue, timeout: float) -> bool:
        """Wait until somebody is in the queue, at most `timeout` real seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while not queue.members:
            left = until - loop.time()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(left):
                    await self._joined.wait()
            except TimeoutError:
                return False
        return True

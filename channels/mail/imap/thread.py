"""A thread for one connection: blocking calls run in it one after the other and are awaited from asyncio.

A daemon, because a call may hang in the network: nobody waits for it when the watch ends. Ending the watch
cuts the connection, which wakes whatever blocks on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ConnectionThread:
    """Runs blocking calls on one connection."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._guard = threading.Lock()
        self._socket: socket.socket | None = None
        self._farewell: Callable[[], object] | None = None
        self._closed = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work(*arguments)` in the thread. When the waiting is cancelled, the connection is cut.

        Raises ConnectionAbortedError after `close`, and whatever the work raises.
        """
        if self._closed:
            raise ConnectionAbortedError("the watch has ended")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((future, lambda: work(*arguments)))
        try:
            return await future
        except asyncio.CancelledError:
            self.close()
            raise

    def adopt(self, connection: socket.socket, farewell: Callable[[], object]) -> None:
        """Remember the connection that `close` has to cut, and what the thread calls at its end.

        Called in the thread. Raises ConnectionAbortedError when `close` was called meanwhile.
        """
        with self._guard:
            self._socket, self._farewell = connection, farewell
            if self._closed:
                _cut(connection)
                raise ConnectionAbortedError("the watch has ended")

    def close(self) -> None:
        """Cut the connection and let the thread end; does not wait. May be called again."""
        with self._guard:
            self._closed = True
            if self._socket is not None:
                _cut(self._socket)
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            try:
                settle: Callable[[], None] = _result(future, work())
            except BaseException as error:
                settle = _failure(future, error)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(settle)
            del job, future, work, settle  # a batch of mails must not outlive its use
        if self._farewell is not None:
            self._farewell()


def _result(future: asyncio.Future[Any], value: object) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(value)


def _failure(future: asyncio.Future[Any], error: BaseException) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_exception(error)


def _cut(connection: socket.socket) -> None:
    """End the connection below TLS: a thread that waits for it wakes up, which closing alone would not do."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)

"""Role processes: started by one parent, restarted when they die, ended with it.

A child holds the reading end of a pipe whose writing end only the parent has: when the parent is gone, however
it went, the pipe closes and the child ends itself in good order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

PARENT_PIPE: Final = "CLYTIE_PARENT_PIPE"
log = structlog.get_logger("clytie.processes")


@dataclass(frozen=True, slots=True)
class RoleProcess:
    """What to start: `clytie role NAME ...`, and the environment on top of our own."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


class ProcessGroup:
    """Keeps a set of role processes running until it is told to stop."""

    def __init__(
        self,
        roles: Sequence[RoleProcess],
        *,
        grace: float = 30.0,
        command: Sequence[str] = (sys.executable, "-m", "clytie", "role"),
    ) -> None:
        self._roles = roles
        self._command = tuple(command)
        self._grace = grace
        self._stopping = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Start all roles and restart those that die, until `stop` is called; then end them and return."""
        read_end, write_end = os.pipe()
        try:
            async with asyncio.TaskGroup() as tasks:
                for role in self._roles:
                    tasks.create_task(self._keep(role, read_end))
        finally:
            os.close(write_end)
            os.close(read_end)

    def stop(self) -> None:
        """Ask every process to end in good order; those that take too long are killed."""
        self._stopping.set()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by role name."""
        return {name: process.pid for name, process in self._running.items()}

    async def _keep(self, role: RoleProcess, read_end: int) -> None:
        wait = 0.5
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *role.arguments,
                env={**os.environ, **role.environment, PARENT_PIPE: str(read_end)},
                pass_fds=(read_end,),
                start_new_session=True,  # a Ctrl-C in the terminal reaches the parent alone, which tells them
            )
            self._running[role.name] = process
            await self._until_it_ends(process)
            if self._stopping.is_set():
                return
            log.warning("process_died", role=role.name, status=process.returncode, restart_in=wait)
            if asyncio.get_running_loop().time() - started > 60:
                wait = 0.5
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
            wait = min(wait * 2, 30.0)

    async def _until_it_ends(self, process: asyncio.subprocess.Process) -> None:
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(ended, self._grace)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` in the running loop on SIGTERM and SIGINT, and when the parent process is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    pipe = os.environ.get(PARENT_PIPE)
    if pipe is not None:
        threading.Thread(target=_watch_parent, args=(int(pipe), loop, stop), daemon=True).start()


def _watch_parent(pipe: int, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        os.read(pipe, 1)  # comes back only when the last writing end is closed
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop)

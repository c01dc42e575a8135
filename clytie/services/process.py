"""One server process: started by us, or found again because an earlier Clytie was killed and left it running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from clytie.services.account import Account

LOG_LIMIT: Final = 10 * 1024 * 1024  # bytes; a larger log is put aside when its server starts

#: What a server sees of our environment: nothing of ours, a fixed locale, so that each start is like any other.
ENVIRONMENT: Final[Mapping[str, str]] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class ServerProcess:
    """A running server: alive or not, and how to end it."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self._child = child

    def running(self) -> bool:
        """Tell whether the process lives. A zombie, which nobody reaps in some containers, does not."""
        if self._child:
            return self._child.poll() is None
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
        """Send each signal in turn and wait its seconds; True as soon as the process is gone."""
        for number, seconds in steps:
            if not self.running():
                return True
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return True
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self.running():
                    return True
                time.sleep(0.02)
        return not self.running()


def start_process(
    command: Sequence[str | Path], *, cwd: Path, log: Path, account: Account | None
) -> ServerProcess:
    """Start a server that outlives us: a session of its own, so that Ctrl-C reaches us alone.

    It starts in `cwd`, which is entered before the privileges are dropped, and writes to `log`.
    """
    if measure(log) > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    options: dict[str, Any] = account.options() if account else {}
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(ENVIRONMENT),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            **options,
        )
    finally:
        os.close(descriptor)
    return ServerProcess(child.pid, child)


def find_process(pid_file: Path, folder: Path) -> ServerProcess | None:
    """Return the server that `pid_file` names, if it still runs in `folder`; None when the file is stale.

    The number alone proves nothing: after a restart of the machine or the container it may belong to anybody.
    """
    pid = _read_pid(pid_file)
    if pid is None:
        return None
    try:
        at_home = os.path.samefile(psutil.Process(pid).cwd(), folder)
    except (psutil.Error, OSError):
        return None
    server = ServerProcess(pid)
    return server if at_home and server.running() else None


def names_a_stranger(pid_file: Path, folder: Path) -> bool:
    """Tell whether the number in a pid file now belongs to a program that lives somewhere else than in `folder`.

    A server that is just dying has no folder any more, and is no stranger.
    """
    pid = _read_pid(pid_file)
    if pid is None:
        return False
    try:
        return not os.path.samefile(psutil.Process(pid).cwd(), folder)
    except psutil.AccessDenied:
        return True
    except (psutil.Error, OSError):
        return False


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def measure(log: Path) -> int:
    """Return the length of a log in bytes, 0 when there is none."""
    return log.stat().st_size if log.exists() else 0


def read_tail(log: Path, start: int = 0, lines: int = 8) -> str:
    """Return the last lines of a log, at most from the byte `start` on, for error messages."""
    if not log.exists():
        return ""
    written = log.read_bytes()
    text = written[start if start <= len(written) else 0 :][-4096:].decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:])

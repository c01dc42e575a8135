"""The embedded Valkey: wakes loops and carries schedules. It holds no truth, so it stores nothing and starts in an instant."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clytie.services.account import Account, give_folder
from clytie.services.datadir import DataDirectory
from clytie.services.process import ServerProcess, find_process, read_tail, start_process
from clytie.services.programs import find_valkey, lend_valkey
from domain.errors import ConfigurationError

log = logging.getLogger("clytie.services")

PATIENCE: Final = 30.0  # seconds
STOP: Final = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
KILL: Final = ((signal.SIGKILL, 5.0),)  # for one that does not answer: it has nothing to lose


class Valkey:
    """The Valkey of one data directory."""

    def __init__(self, directory: DataDirectory, account: Account | None) -> None:
        self._directory = directory
        self._account = account
        self._program = find_valkey()
        self._log = directory.services / "valkey.log"
        self._pid_file = directory.services / "valkey.pid"
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The address that redis-py and arq understand."""
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self._directory.sockets() / "valkey.sock"

    def start(self, stopping: threading.Event) -> None:
        """Return once the server answers; one that runs already is kept. Raises ConfigurationError when it cannot."""
        give_folder(self._directory.sockets(), self._account)
        self._process = self.find()
        if self._process and self._answers():
            return
        self.stop(KILL)
        self._process = self._launch()
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if not self._process.running() or stopping.is_set() or time.monotonic() > deadline:
                raise ConfigurationError(f"Valkey does not start. Its last words:\n{read_tail(self._log)}")
            time.sleep(0.02)

    def find(self) -> ServerProcess | None:
        """Return the server that an earlier process left running, if there is one."""
        return find_process(self._pid_file, self._directory.services)

    def running(self) -> bool:
        """Tell whether the server process lives."""
        return self._process is not None and self._process.running()

    def stop(self, steps: Sequence[tuple[signal.Signals, float]] = STOP) -> None:
        """End the server, whether this process started it or found it."""
        process = self._process or self.find()
        self._process = None
        if process:
            process.stop(steps)
        self._socket.unlink(missing_ok=True)
        self._pid_file.unlink(missing_ok=True)

    def _launch(self) -> ServerProcess:
        # Relative to the folder it starts in: its account may be shut out from the full path.
        near = self._socket.is_relative_to(self._directory.services)
        socket_path = self._socket.relative_to(self._directory.services) if near else self._socket
        command: list[str | Path] = [
            lend_valkey(self._program, self._account, lambda: self._directory.temporary("programs")),
            *("--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--daemonize", "no", "--maxmemory-policy", "noeviction"),
        ]
        process = start_process(command, cwd=self._directory.services, log=self._log, account=self._account)
        self._pid_file.write_text(f"{process.pid}\n")
        return process

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

"""Owns the embedded servers of one data directory: starts or finds PostgreSQL and Valkey, revives them, stops them.

Servers outlive a killed parent on purpose: the next start finds them and goes on with them.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from clytie.services.datadir import DataDirectory
from clytie.services.postgres import Postgres
from clytie.services.valkey import Valkey
from domain.errors import ClytieError, ConfigurationError

log = logging.getLogger("clytie.services")

WATCH: Final = 0.25  # seconds between two looks at the servers
LONGEST_PAUSE: Final = 30.0  # seconds between two attempts to revive a server


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """Where the two servers answer."""

    database_url: str
    redis_url: str


class Services:
    """The servers of the data directory `var`; a context manager. All calls block: use a thread from a coroutine.

    A server whose address is given (or set as CLYTIE_DATABASE_URL, CLYTIE_REDIS_URL) is not started. `durable=False`
    is for tests: PostgreSQL then trusts the operating system to write its files.
    """

    def __init__(
        self,
        var: Path,
        *,
        database_url: str | None = None,
        redis_url: str | None = None,
        durable: bool = True,
    ) -> None:
        self._database_url = database_url or os.environ.get("CLYTIE_DATABASE_URL") or None
        self._redis_url = redis_url or os.environ.get("CLYTIE_REDIS_URL") or None
        self._durable = durable
        self._directory = DataDirectory(var)
        self._servers: list[Postgres | Valkey] = []
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> ServiceUrls:
        """Start or find what no address was given for; returns when both answer.

        Takes a second the first time, and up to minutes when PostgreSQL recovers from a crash. Raises Conflict when
        another live process uses the data directory, ConfigurationError when it was written by a newer version, belongs
        to somebody else, or a server does not start; Unavailable when PostgreSQL does not answer in time.
        """
        if self._database_url and self._redis_url:
            return ServiceUrls(self._database_url, self._redis_url)
        self._directory.open()
        try:
            urls = self._start_servers()
        except PermissionError as error:
            self.stop()
            raise ConfigurationError(
                f"The servers below {self._directory.path} cannot be started: {error}. Give the folder to this user, or "
                "choose another data directory (CLYTIE_VAR)."
            ) from error
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="clytie-services", daemon=True)
        self._watcher.start()
        return urls

    def stop(self) -> None:
        """Stop both servers cleanly and release the data directory; harmless when nothing was started."""
        self._stopping.set()
        if self._watcher:
            self._watcher.join()
            self._watcher = None
        try:
            for server in reversed(self._servers):
                server.stop()
            if self._servers:
                self._directory.forget_temporary()
        finally:
            self._servers.clear()
            self._directory.close()
            self._stopping.clear()

    def stop_leftovers(self) -> None:
        """Stop the servers that a killed process left behind. Raises Conflict when their owner lives."""
        self._directory.open()
        self._assemble()
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _assemble(self) -> tuple[Postgres | None, Valkey | None]:
        account = self._directory.prepare_services()
        postgres = None if self._database_url else Postgres(self._directory, account, durable=self._durable)
        valkey = None if self._redis_url else Valkey(self._directory, account)
        self._servers = [server for server in (postgres, valkey) if server]
        return postgres, valkey

    def _start_servers(self) -> ServiceUrls:
        postgres, valkey = self._assemble()
        for server in self._servers:
            server.start(self._stopping)
        return ServiceUrls(
            self._database_url or (postgres.url if postgres else ""),
            self._redis_url or (valkey.url if valkey else ""),
        )

    def _watch(self) -> None:
        """Revive a server that died, until told to stop; pause longer after each attempt that failed."""
        pause = WATCH
        while not self._stopping.wait(pause):
            failed = False
            for server in self._servers:
                if server.running():
                    continue
                log.warning("%s has died; starting it again.", type(server).__name__)
                try:
                    server.start(self._stopping)
                except (ClytieError, OSError) as error:
                    failed = True
                    log.error("%s could not be started again: %s", type(server).__name__, error)
            pause = min(max(pause, 0.5) * 2, LONGEST_PAUSE) if failed else WATCH

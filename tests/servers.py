"""The servers that tests run against: an embedded PostgreSQL and Valkey for the whole run, a database for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from clytie.services.supervisor import Services, ServiceUrls
from domain.errors import ClytieError

T = TypeVar("T")
PREFIX: Final = "clytie-tests-"
_YOUNG: Final = 120.0  # seconds
#: memory that looks like a disk; a database for each test is many small files, which a busy disk takes a second for
_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 3_000_000_000  # bytes that a run may need there


def start_servers() -> tuple[Services, Path, ServiceUrls]:
    """Start both servers in a temporary folder. The remains of test runs that were killed are cleared away first."""
    place = _place()
    for leftover in place.glob(f"{PREFIX}*"):
        with suppress(ClytieError, OSError):  # in use by another run, or somebody else's
            if time.time() - leftover.stat().st_mtime < _YOUNG:
                continue  # another run is about to start its servers there
            Services(leftover).stop_leftovers()
            shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    services = Services(folder, durable=False)
    return services, folder, services.start()


def _place() -> Path:
    """Where the servers of tests keep their data: in memory where there is plenty, else among temporary files."""
    try:
        if os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
            return _MEMORY
    except OSError:
        pass
    return Path(tempfile.gettempdir())


def find_program(name: str, package: str) -> str:
    """Return the path of a system program; without it the test is skipped, naming what is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian's package {package})")
    return found


def with_database(url: str, name: str) -> str:
    """Return the same server's address for another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


class Databases:
    """Creates and drops the databases of tests, each a copy of one that was migrated once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._run = uuid4().hex[:8]
        self._count = 0
        self.template = f"clytie_test_{self._run}_template"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-databases", daemon=True)
        self._thread.start()
        self._connection: asyncpg.Connection = self._call(asyncpg.connect(with_database(url, "postgres")))

    def execute(self, statement: str) -> None:
        """Run a statement as the servers' administrator."""
        self._call(self._connection.execute(statement))

    def create_template(self) -> str:
        """Create the empty database that all others are copied from, and return its address."""
        self.execute(f"CREATE DATABASE {self.template}")
        return with_database(self._url, self.template)

    def create(self) -> str:
        """Return the address of a fresh, migrated database."""
        self._count += 1
        name = f"clytie_test_{self._run}_{self._count}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY FILE_COPY")
        return with_database(self._url, name)

    def drop(self, url: str) -> None:
        """Drop a database, and whoever is still connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")

    def close(self) -> None:
        """Drop the template and let go of the server."""
        self.drop(with_database(self._url, self.template))
        self._call(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

"""The embedded PostgreSQL: creates its cluster, starts it, finds it again, waits for its recovery, stops it.

It listens on a Unix socket in a folder of mode 0700 and nowhere else, which is why it may trust whoever connects.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

from clytie.services.account import Account, give_folder
from clytie.services.datadir import DataDirectory
from clytie.services.process import (
    ENVIRONMENT,
    ServerProcess,
    find_process,
    measure,
    names_a_stranger,
    read_tail,
    start_process,
)
from clytie.services.programs import find_postgres, lend_postgres
from domain.errors import ConfigurationError, Unavailable

log = logging.getLogger("clytie.services")

USER: Final = "clytie"
DATABASE: Final = "clytie"
PATIENCE: Final = 600.0  # seconds: recovery after a crash replays up to max_wal_size of changes
ATTEMPTS: Final = 20  # half a second apart
#: What PostgreSQL says when the last processes of a server that was killed a moment ago have not gone yet.
REMAINS: Final = ("pre-existing shared memory block", "lock file")
#: Fast shutdown; if a backend hangs, an immediate one, which costs a recovery at the next start; then the axe.
STOP: Final = ((signal.SIGINT, 90.0), (signal.SIGQUIT, 20.0), (signal.SIGKILL, 10.0))
HERE: Final = Path("/proc/self/cwd")  # the folder a process stands in, whoever its parents shut out


class Postgres:
    """The PostgreSQL of one data directory. `durable=False` is for tests: no fsync."""

    def __init__(self, directory: DataDirectory, account: Account | None, *, durable: bool = True) -> None:
        self._directory = directory
        self._account = account
        self._durable = durable
        self._data = directory.services / "postgres"
        self._log = directory.services / "postgres.log"
        self._client_programs = find_postgres()
        self._process: ServerProcess | None = None
        self._attempts = 0  # launches since `start` was called; 0 while a server that was found is waited for
        self._log_start = 0  # where the words of the latest launch begin

    @property
    def url(self) -> str:
        """The address that asyncpg, libpq and SQLAlchemy understand."""
        return f"postgresql://{USER}@/{DATABASE}?host={self._directory.sockets()}"

    def start(self, stopping: threading.Event) -> None:
        """Return once the server answers and the database exists.

        A server that runs already is kept. Raises ConfigurationError when it cannot start, Unavailable when it does not
        answer within minutes.
        """
        give_folder(self._directory.sockets(), self._account)
        self._attempts = 0
        self._process = self.find()
        if self._process is None:
            if not (self._data / "PG_VERSION").exists():
                self._create_cluster()
            self._process = self._launch()
        self._wait(stopping)
        if self._sql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'") != "1":
            self._sql("postgres", f"CREATE DATABASE {DATABASE}")

    def find(self) -> ServerProcess | None:
        """Return the server that an earlier process left running, if there is one."""
        pid_file = self._data / "postmaster.pid"
        found = find_process(pid_file, self._data)
        if found is None and names_a_stranger(pid_file, self._data):
            # PostgreSQL copes with a dead number, but refuses to start when another process of its account has it now.
            log.warning(
                "The process number of the last PostgreSQL now belongs to another program; it will recover."
            )
            pid_file.unlink()
        return found

    def running(self) -> bool:
        """Tell whether the server process lives."""
        return self._process is not None and self._process.running()

    def stop(self) -> None:
        """End the server cleanly, whether this process started it or found it."""
        process = self._process or self.find()
        self._process = None
        if process and not process.stop(STOP):
            raise Unavailable(f"PostgreSQL (process {process.pid}) does not stop.")

    def _create_cluster(self) -> None:
        """Run initdb in a folder beside the final one, so that a half-made cluster is never taken for a whole one."""
        draft = self._data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        give_folder(draft, self._account)
        log.info("Creating the database cluster in %s", self._data)
        command = [
            str(self._programs() / "initdb"),
            f"--pgdata={self._seen(draft)}",
            f"--username={USER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            *([] if self._durable else ["--no-sync"]),
        ]
        options = self._account.options() if self._account else {}
        made = subprocess.run(
            command, cwd=draft, env=dict(ENVIRONMENT), capture_output=True, text=True, check=False, **options
        )
        if made.returncode != 0:
            raise ConfigurationError(
                f"initdb could not create {self._data}: {made.stderr.strip() or made.stdout}"
            )
        draft.rename(self._data)

    def _launch(self) -> ServerProcess:
        command: list[str | Path] = [self._programs() / "postgres", "-D", self._seen(self._data)]
        for name, value in self._parameters().items():
            command += ["-c", f"{name}={value}"]
        self._attempts += 1
        self._log_start = measure(self._log)
        return start_process(command, cwd=self._data, log=self._log, account=self._account)

    def _wait(self, stopping: threading.Event) -> None:
        """Wait until the server answers a query; start it again when it gave up because of a predecessor's remains."""
        deadline, told = time.monotonic() + PATIENCE, time.monotonic()
        while not self._answers():
            words = read_tail(self._log, self._log_start)
            if not self.running():
                passing = self._attempts == 0 or any(remains in words for remains in REMAINS)
                if not passing or self._attempts == ATTEMPTS:
                    raise ConfigurationError(f"PostgreSQL does not start. Its last words:\n{words}")
                stopping.wait(0.5 if self._attempts else 0.0)
                self._process = self._launch()
            elif self._lost_its_socket():
                log.warning("PostgreSQL runs without its socket; starting it again.")
                self.stop()
                self._process = self._launch()
            if stopping.is_set() or time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL does not answer yet. Its last words:\n{words}")
            if time.monotonic() - told > 10:
                told = time.monotonic()
                log.info("PostgreSQL is still recovering; this may take minutes.")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self._sql("postgres", "SELECT 1") == "1"
        except Unavailable:
            return False

    def _lost_its_socket(self) -> bool:
        """A server found running whose socket folder was wiped, say by a cleaner of /tmp."""
        try:
            status = (self._data / "postmaster.pid").read_text().splitlines()[7].strip()
        except (FileNotFoundError, IndexError):
            return False
        return status == "ready" and not (self._directory.sockets() / ".s.PGSQL.5432").exists()

    def _sql(self, database: str, statement: str) -> str:
        """Run one statement and return its result as text; raises Unavailable when the server does not answer."""
        command = [
            str(self._client_programs / "psql"),
            *("-X", "-A", "-t", "-q", "-h", str(self._directory.sockets()), "-U", USER, "-d", database),
            *("-c", statement),
        ]
        environment = {**ENVIRONMENT, "PGCONNECT_TIMEOUT": "5"}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unavailable("PostgreSQL did not answer within a minute.") from None
        if done.returncode != 0:
            raise Unavailable(done.stderr.strip())
        return done.stdout.strip()

    def _programs(self) -> Path:
        return lend_postgres(
            self._client_programs, self._account, lambda: self._directory.temporary("programs")
        )

    def _seen(self, folder: Path) -> Path:
        """Return the name under which the server's account knows the folder it is started in.

        Below a private folder of root no full path leads the account there; but it is started inside, and /proc lets it
        name the place where it stands.
        """
        if self._account is None or self._account.can_reach(folder):
            return folder
        if HERE.exists():
            return HERE
        raise ConfigurationError(
            f"The account {self._account.name} cannot reach {folder}. Choose a data directory that does not lie below a "
            "private folder, or start Clytie as an ordinary user."
        )

    def _parameters(self) -> dict[str, str]:
        """Return the settings for a small machine that serves other programs too. Truth first: commits are synchronous."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        in_folder = self._directory.sockets().parent == self._directory.services
        return {
            "listen_addresses": "",
            "unix_socket_directories": "../run" if in_folder else str(self._directory.sockets()),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": f"{min(max(memory // 8, 64), 512)}MB",
            "effective_cache_size": f"{max(memory // 2, 256)}MB",
            "work_mem": "8MB",
            "maintenance_work_mem": "128MB",
            "wal_level": "replica",
            "wal_compression": "on",
            "max_wal_size": "2GB",
            "min_wal_size": "256MB",
            "checkpoint_timeout": "15min",
            "checkpoint_completion_target": "0.9",
            "synchronous_commit": "on",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "random_page_cost": "1.1",
            "jit": "off",
            "autovacuum_naptime": "15s",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            "logging_collector": "off",
        }

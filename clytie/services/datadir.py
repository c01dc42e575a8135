"""The data directory (./var by default): who uses it, which version wrote it, and where its short-lived folders are.

var/lock            held by the process that uses the directory
var/clytie.json     format of the directory and major version of PostgreSQL, checked before anything is touched
var/services/       the embedded servers: postgres/ run/ (sockets) *.log *.pid, each private to its account
var/services.json   folders that had to be made elsewhere (a socket's path holds about 100 bytes)
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import clytie
from clytie.services.account import Account, choose_account
from clytie.services.programs import POSTGRES_MAJOR
from domain.errors import ConfigurationError, Conflict

FORMAT: Final = 1  # raise it when an older Clytie could no longer use the directory
FOLDER_MODE: Final = 0o711 if os.geteuid() == 0 else 0o700  # root's servers, of another account, pass through
SOCKET_PATH_LIMIT: Final = 103  # bytes of a Unix socket's path: 107 on Linux, 103 on macOS
_LONGEST_SOCKET_NAME: Final = ".s.PGSQL.5432"
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._~-]+")  # what a URL carries without escapes


class DataDirectory:
    """One data directory, locked for as long as it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.services = self.path / "services"
        self._lock: int | None = None
        self._held: dict[str, int] = {}

    def open(self) -> None:
        """Create and lock the directory and check its version.

        Raises Conflict when another live process uses it, ConfigurationError when a newer Clytie wrote it.
        """
        if not self.path.exists():
            self.path.mkdir(mode=0o700, parents=True)
        self._acquire()
        try:
            self._check_version()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock. The servers may go on; whoever opens the directory next finds them."""
        for name in list(self._held):
            os.close(self._held.pop(name))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def prepare_services(self) -> Account | None:
        """Create the folder of the servers and return the account they run under (None: the user who runs this)."""
        account = choose_account(self.services / "postgres")
        self.services.mkdir(exist_ok=True)
        self.services.chmod(FOLDER_MODE)
        return account

    def sockets(self) -> Path:
        """Return the folder of the sockets: below the directory where its path is short and plain, else in /tmp."""
        folder = self.services / "run"
        longest = str(folder / _LONGEST_SOCKET_NAME)
        if len(os.fsencode(longest)) <= SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(longest):
            return folder
        return self.temporary("sockets", Path("/tmp")) / "run"

    def temporary(self, purpose: str, parent: Path | None = None) -> Path:
        """Return a folder of ours outside the directory, the same until `forget_temporary`; it is recorded.

        It is locked while we live, so that cleaners of temporary folders (systemd-tmpfiles) pass it over. Root's servers
        run under another account, which may pass through it.
        """
        places = self._places()
        recorded = Path(places[purpose]) if purpose in places else None
        if recorded is None or not _is_ours(recorded):
            recorded = Path(tempfile.mkdtemp(prefix=f"clytie-{purpose}-", dir=parent))
            recorded.chmod(FOLDER_MODE)
            self._write(self.path / "services.json", {**places, purpose: str(recorded)})
        if purpose not in self._held:
            self._held[purpose] = os.open(recorded, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._held[purpose], fcntl.LOCK_SH)
        return recorded

    def forget_temporary(self) -> None:
        """Remove every temporary folder; the servers that used them have stopped."""
        for place in self._places().values():
            shutil.rmtree(place, ignore_errors=True)
        (self.path / "services.json").unlink(missing_ok=True)

    def _acquire(self) -> None:
        try:
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:
            raise ConfigurationError(
                f"The data directory {self.path} may not be written by this user. Give it to this user, or choose "
                "another data directory (CLYTIE_VAR)."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise Conflict(
                f"The data directory {self.path} is in use by another Clytie (process {holder}). Stop that one, or "
                "choose another data directory (CLYTIE_VAR)."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _check_version(self) -> None:
        record = self.path / "clytie.json"
        known = self._read_record(record)
        if known["format"] > FORMAT or known["postgresql"] > POSTGRES_MAJOR:
            raise ConfigurationError(
                f"The data directory {self.path} was written by a newer Clytie ({known['clytie']}; format "
                f"{known['format']}, PostgreSQL {known['postgresql']}), this one is {clytie.__version__} (format {FORMAT}, "
                f"PostgreSQL {POSTGRES_MAJOR}). Install the newer version again, or choose another "
                "data directory (CLYTIE_VAR)."
            )
        if known["postgresql"] < POSTGRES_MAJOR:
            raise ConfigurationError(
                f"The data directory {self.path} holds a PostgreSQL {known['postgresql']} database, this Clytie brings "
                f"PostgreSQL {POSTGRES_MAJOR}. Dump it with the older version (pg_dump) and restore it into a new data "
                "directory."
            )
        if not record.exists():
            self._write(record, known)

    def _read_record(self, record: Path) -> dict[str, Any]:
        """Return what is known about who wrote the directory; the cluster itself counts when the record was lost."""
        cluster = self.services / "postgres" / "PG_VERSION"
        this_one: dict[str, Any] = {
            "format": FORMAT,
            "postgresql": POSTGRES_MAJOR,
            "clytie": clytie.__version__,
        }
        try:
            written = json.loads(record.read_text()) if record.exists() else this_one
            major = cluster.read_text() if cluster.exists() else written["postgresql"]
            version = str(written.get("clytie", "unknown"))
            return {"format": int(written["format"]), "postgresql": int(major), "clytie": version}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(
                f"{record} cannot be read as the record of a data directory. Restore it from a backup, or choose another "
                "data directory."
            ) from None

    def _places(self) -> dict[str, str]:
        try:
            places: dict[str, str] = json.loads((self.path / "services.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return places

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        """Replace a file as a whole, or not at all."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(path)


def _is_ours(folder: Path) -> bool:
    """A temporary folder of ours still stands, and nobody put his own in its place."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_dir() and not folder.is_symlink() and found.st_uid == os.geteuid()

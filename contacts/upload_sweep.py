"""Uploaded contact lists do not outlive their import: they hold personal data that nobody will look at again.

Only files in the upload folder whose name an upload gave them (web/uploads.py) are removed; a file that was named on
the command line belongs to whoever named it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from storage.pool import Pool

#: seconds that a file may lie without an import: its upload may still be under way
UNCLAIMED: Final = 86_400.0

_OURS: Final = re.compile(r"[0-9a-f]{32}\.csv")
_NEEDED: Final = """
SELECT path, bool_or(state IN ('waiting', 'running')) AS needed FROM imports WHERE path = ANY ($1::text[]) GROUP BY path
"""


async def sweep_uploads(pool: Pool, folder: Path) -> None:
    """Remove the uploads whose import is done, failed or cancelled, and those older than a day without one.

    Raises OSError when a file cannot be removed.
    """
    ages = await asyncio.to_thread(_list_uploads, folder)
    if not ages:
        return
    rows = await pool.fetch(_NEEDED, [str(path) for path in ages])
    needed = {row["path"]: row["needed"] for row in rows}
    await asyncio.to_thread(_remove, ages, needed)


def _list_uploads(folder: Path) -> dict[Path, float]:
    """Seconds since each upload was last written to."""
    now, ages = time.time(), {}
    try:
        entries = list(folder.resolve().iterdir())
    except FileNotFoundError:
        return {}
    for path in entries:
        with contextlib.suppress(FileNotFoundError):  # another worker sweeps, too
            if _OURS.fullmatch(path.name) and stat.S_ISREG((found := path.lstat()).st_mode):
                ages[path] = now - found.st_mtime
    return ages


def _remove(ages: Mapping[Path, float], needed: Mapping[str, bool]) -> None:
    for path, age in ages.items():
        if not needed.get(str(path), age < UNCLAIMED):
            path.unlink(missing_ok=True)

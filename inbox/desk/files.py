"""Files that are uploaded for an answer: kept apart until it is sent, swept when nobody needs them any more.

Sending copies them into the blob store. Each upload has a file of its own, so that the sweep never takes what somebody
else has just uploaded again.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from pathlib import Path
from typing import Final

from domain.errors import NotFound
from storage.pool import Pool

#: seconds that a file may lie while no draft names it: its upload may still be under way, or its answer be taken back
UNCLAIMED: Final = 86_400.0
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_NEEDED: Final = """
SELECT DISTINCT f ->> 'blob' FROM conversation_drafts d, jsonb_array_elements(d.draft -> 'files') AS f
WHERE NOT d.draft ? 'sent' AND f ->> 'blob' = ANY ($1::text[])
"""


class AnswerFiles:
    """A folder of uploads; `root` is made with mode 0700."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, content: bytes) -> str:
        """Keep an upload, flushed to disk; gives its name."""
        name = secrets.token_hex(32)
        path = self.root / name
        try:
            with path.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return name

    def path(self, name: str) -> Path:
        """Where an upload lies. Raises NotFound when it is not there, and for anything that is no name."""
        path = self.root / name
        if _NAME.fullmatch(name) is None or not path.is_file():
            raise NotFound("This file is not here any more; attach it again.")
        return path


async def sweep_answer_files(pool: Pool, folder: Path) -> None:
    """Remove the uploads that no unsent draft names and that have lain for a day."""
    old = await asyncio.to_thread(_list_old, folder)
    if not old:
        return
    needed = {row[0] for row in await pool.fetch(_NEEDED, old)}
    await asyncio.to_thread(_remove, folder, [name for name in old if name not in needed])


def _list_old(folder: Path) -> list[str]:
    before = time.time() - UNCLAIMED
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if _NAME.fullmatch(entry.name)
                and entry.is_file(follow_symlinks=False)
                and entry.stat(follow_symlinks=False).st_mtime < before
            ]
    except FileNotFoundError:
        return []


def _remove(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)

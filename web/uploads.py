"""Uploads: streamed to disk as they arrive, cut off at the limit, never held in memory."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Final

from aiohttp import BodyPartReader

from domain.errors import InvalidInput
from web.i18n import N_

_CHUNK: Final = 256 * 1024


async def keep_upload(part: BodyPartReader, folder: Path, limit: int) -> tuple[str, Path, int]:
    """Write a file's part to a new name in `folder`; gives the name it had, its path and size in bytes.

    Raises InvalidInput when it is empty or larger than `limit`; nothing is left behind then.
    """
    name = Path((part.filename or "").replace("\\", "/")).name[:200] or "contacts.csv"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = (folder / f"{secrets.token_hex(16)}.csv").absolute()
    size = 0
    try:
        with path.open("xb") as file:
            while chunk := await part.read_chunk(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise InvalidInput(
                        "file",
                        N_("The file is too large."),
                        N_("Split it, or ask an administrator to raise the limit."),
                    )
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(_settle, file.fileno(), file)
        if size == 0:
            raise InvalidInput(
                "file", N_("The file is empty."), N_("Choose a CSV file with at least one line.")
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name, path, size


def _settle(number: int, file: object) -> None:
    file.flush()  # type: ignore[attr-defined]
    os.fsync(number)

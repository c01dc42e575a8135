"""Imports: begin one for an uploaded file, and read how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from domain.errors import NotFound
from storage.pool import Pool
from web.context import WebContext

_LIST: Final = "SELECT * FROM imports WHERE ($1::bigint IS NULL OR id < $1) ORDER BY id DESC LIMIT $2"
_ONE: Final = "SELECT * FROM imports WHERE id = $1"
_REJECTS: Final = """
SELECT line, field, problem, content FROM import_rejects WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3
"""
_BEGIN: Final = """
INSERT INTO imports (name, path, size, created_by) VALUES ($1, $2, $3, $4) RETURNING id
"""


async def begin_import(context: WebContext, name: str, path: Path, size: int, user_id: int) -> int:
    """Note the import and wake a worker; a schedule finds it in any case."""
    number: int = await context.pool.fetchval(_BEGIN, name, str(path), size, user_id)
    await context.enqueue("import_contacts", number)
    context.announcer.touch()
    return number


async def list_imports(pool: Pool, before: int | None = None, limit: int = 30) -> list[Any]:
    """Imports, newest first."""
    return list(await pool.fetch(_LIST, before, limit))


async def find_import(pool: Pool, number: int) -> Any:
    """One import. Raises NotFound."""
    row = await pool.fetchrow(_ONE, number)
    if row is None:
        raise NotFound(f"There is no import {number}.")
    return row


async def list_rejects(pool: Pool, number: int, after: int = 0, limit: int = 100) -> list[Any]:
    """Rejected lines after a line: number, field, problem, content."""
    return list(await pool.fetch(_REJECTS, number, after, limit))

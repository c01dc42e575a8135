"""Import contact lists: started once, carried on after any crash, watched, cancelled, and looked at afterwards.

A list is a CSV file with a line of column names (contacts/csv_columns.py). People are recognised by their mail
address, or by their phone number where a line has no mail address; a line about somebody known fills what is
missing. A consent needs a purpose, the wording and the date, else its line is refused. What was refused stays
readable with its line number, the column, the reason and the line itself.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from contacts.csv_columns import Layout, read_layout
from contacts.import_chunks import Chunk
from contacts.import_loading import STAGE, Loading, Overtaken, load_chunk
from contacts.import_process import ReadingJob, reading
from domain.clock import Clock, SystemClock
from domain.errors import ClytieError, Conflict, InvalidInput, NotFound
from domain.ports import Progress
from storage.announce import Announcer
from storage.pool import Connection, Pool

_LOCK: Final = 7236419  #: the class of the advisory locks that keep twins of an import apart
_PAGE: Final = 1000
_ATTEMPTS: Final = 5

_CREATE: Final = """
INSERT INTO imports (name, path, mapping, size, "offset", line, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id
"""
_INTERRUPTED: Final = """
SELECT id FROM imports WHERE path = $1 AND size = $2 AND mapping = $3 AND state IN ('waiting', 'running', 'failed')
ORDER BY id DESC LIMIT 1
"""
_COLUMNS: Final = """
id, name, path, state, mapping, size, "offset", line, created, joined, rejected, error, created_by, created_at,
finished_at
"""
_READ: Final = f"SELECT {_COLUMNS} FROM imports WHERE id = $1"
_LIST: Final = f"SELECT {_COLUMNS} FROM imports WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
_START: Final = """
UPDATE imports SET state = 'running', error = NULL, finished_at = NULL
WHERE id = $1 AND state IN ('waiting', 'running', 'failed') RETURNING id
"""
_FINISH: Final = """
UPDATE imports SET state = $2, error = $3, finished_at = now() WHERE id = $1 AND state = 'running'
"""
_CANCEL: Final = """
UPDATE imports SET state = 'cancelled', finished_at = now()
WHERE id = $1 AND state IN ('waiting', 'running', 'failed') RETURNING id
"""
_UNFINISHED: Final = "SELECT id FROM imports WHERE state IN ('waiting', 'running') ORDER BY id"
_USERS: Final = "SELECT lower(email) AS email, id FROM users WHERE active"
_REJECTS: Final = """
SELECT line, field, problem, content FROM import_rejects WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How far an import is. `size` and `offset` are bytes; `line` counts the lines that were taken in.

    `created` are contacts that are new, `joined` lines about contacts that were known, `rejected` lines refused;
    together they are all lines with data. `state`: waiting, running, done, failed (with `error`), cancelled.
    """

    id: int
    name: str
    state: str
    size: int
    offset: int
    line: int
    created: int
    joined: int
    rejected: int
    ignored: tuple[str, ...]  #: columns that nobody said what to do with
    error: str | None
    created_by: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reject:
    """A refused line: its number, the column, what was wrong and what to do, and the line as it was written."""

    line: int
    field: str
    problem: str
    content: str


async def create_import(
    pool: Pool,
    name: str,
    path: Path | str,
    created_by: int | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
    overwrite: bool = False,
    country: str | None = None,
) -> int:
    """Look at a file and write down that it shall be imported; gives the import's id.

    An import of the very same file that was interrupted is gone on with, and not begun anew.
    The file must stay where it is until the import is done. `mapping` names the column that a header means
    (contacts/csv_columns.py), `overwrite` lets the file win over what is known, `country` (ISO code) is where
    phone numbers without a code belong, where a line has no country. Raises InvalidInput.
    """
    file = Path(path).resolve()
    try:
        layout = await asyncio.to_thread(read_layout, file, mapping)
        size, written = file.stat().st_size, file.stat().st_mtime_ns
    except OSError as error:
        raise InvalidInput("file", f"{file.name} cannot be read ({error.strerror}).") from error
    options = {
        "layout": layout.to_json(),
        "overwrite": overwrite,
        "country": country,
        "written": str(written),
    }
    interrupted: int | None = await pool.fetchval(_INTERRUPTED, str(file), size, options)
    if interrupted is not None:
        return interrupted
    import_id: int = await pool.fetchval(
        _CREATE, name, str(file), options, size, layout.offset, layout.line, created_by
    )
    return import_id


async def run_import(
    pool: Pool,
    announcer: Announcer | None,
    import_id: int,
    progress: Progress | None = None,
    *,
    clock: Clock | None = None,
) -> ImportReport:
    """Carry an import out, from where it was left; gives what became of it.

    `progress` is called after each chunk with the bytes done and the file's size. A twin that runs already, or an
    import that is over, makes this come back at once. Raises NotFound; problems of the file end the import as
    `failed` with their words, problems of the database are raised and leave it `running`, to be taken up again.
    """
    row = await _read_row(pool, import_id)
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1::int, $2::int)", _LOCK, import_id):
            return _report(row)
        try:
            if await connection.fetchval(_START, import_id) is not None:
                await _carry_out(connection, announcer, import_id, progress, clock or SystemClock())
        finally:
            if not connection.is_closed():
                await connection.fetchval("SELECT pg_advisory_unlock($1::int, $2::int)", _LOCK, import_id)
    return await read_import(pool, import_id)


async def _carry_out(
    connection: Connection,
    announcer: Announcer | None,
    import_id: int,
    progress: Progress | None,
    clock: Clock,
) -> None:
    row = await _read_row(connection, import_id)
    try:
        file = Path(row["path"]).stat()
        if (file.st_size, str(file.st_mtime_ns)) != (row["size"], row["mapping"]["written"]):
            raise InvalidInput("file", "it changed since the import was started;", "start a new import.")
        await _load_file(connection, announcer, row, progress, clock)
    except Overtaken:
        return
    except (ClytieError, OSError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        await connection.execute(_FINISH, import_id, "failed", str(error))
    else:
        await connection.execute(_FINISH, import_id, "done", None)
    if announcer is not None:
        announcer.touch()


async def _load_file(
    connection: Connection,
    announcer: Announcer | None,
    row: Mapping[str, Any],
    progress: Progress | None,
    clock: Clock,
) -> None:
    options = row["mapping"]
    job = ReadingJob(
        path=row["path"],
        layout=Layout.from_json(options["layout"]),
        users={user["email"]: user["id"] for user in await connection.fetch(_USERS)},
        now=clock.now(),
        country=options["country"],
        overwrite=options["overwrite"],
    )
    loading = Loading(row["id"], row["created_by"], options["overwrite"])
    offset, line = row["offset"], row["line"]
    await connection.execute(STAGE)
    async with reading(job) as chunks:
        following = asyncio.create_task(chunks.read(offset, line))
        try:
            while True:
                chunk = await following
                if not chunk.at_end:  # the next one is read while this one is loaded
                    following = asyncio.create_task(chunks.read(chunk.offset, chunk.line))
                await _load(connection, loading, chunk, offset, clock)
                offset = chunk.offset
                if announcer is not None:
                    announcer.touch()
                if progress is not None:
                    await progress(offset, row["size"])
                if chunk.at_end:
                    return
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _load(connection: Connection, loading: Loading, chunk: Chunk, offset: int, clock: Clock) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            async with connection.transaction():
                await load_chunk(connection, loading, chunk, offset=offset, now=clock.now())
            return
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
            if attempt == _ATTEMPTS - 1:  # somebody stores the same address by hand, again and again
                raise


async def cancel_import(pool: Pool, import_id: int) -> None:
    """Stop an import; what was loaded stays. Raises NotFound, and Conflict when it is over."""
    if await pool.fetchval(_CANCEL, import_id) is None:
        report = await read_import(pool, import_id)
        raise Conflict(f"The import is {report.state} already.")


async def read_import(pool: Pool, import_id: int) -> ImportReport:
    """How far an import is. Raises NotFound."""
    return _report(await _read_row(pool, import_id))


async def list_imports(pool: Pool, *, before_id: int | None = None, limit: int = 50) -> list[ImportReport]:
    """The latest imports first; `before_id` goes on behind a page."""
    return [_report(dict(row)) for row in await pool.fetch(_LIST, before_id, limit)]


async def find_unfinished(pool: Pool) -> list[int]:
    """Imports that wait or were interrupted, to be carried out by whoever has time; twins do no harm."""
    return [row["id"] for row in await pool.fetch(_UNFINISHED)]


async def read_rejects(pool: Pool, import_id: int, *, after_line: int = 0, limit: int = 100) -> list[Reject]:
    """Refused lines in the order of the file, those behind `after_line`."""
    return [Reject(**dict(row)) for row in await pool.fetch(_REJECTS, import_id, after_line, limit)]


async def write_rejects(pool: Pool, import_id: int) -> AsyncIterator[bytes]:
    """All refused lines as CSV in pieces, with a mark so that spreadsheets see UTF-8.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    await _read_row(pool, import_id)
    yield b"\xef\xbb\xbf" + _to_csv([("line", "field", "problem", "content")])
    last = 0
    while page := await read_rejects(pool, import_id, after_line=last, limit=_PAGE):
        yield _to_csv([(one.line, one.field, one.problem, _disarm(one.content)) for one in page])
        last = page[-1].line


def _to_csv(rows: list[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8")


def _disarm(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


async def _read_row(source: Pool | Connection, import_id: int) -> dict[str, Any]:
    row = await source.fetchrow(_READ, import_id)
    if row is None:
        raise NotFound(f"There is no import {import_id}.")
    return dict(row)


def _report(row: Mapping[str, Any]) -> ImportReport:
    fields = {name: row[name] for name in ImportReport.__dataclass_fields__ if name != "ignored"}
    return ImportReport(**fields, ignored=tuple(row["mapping"].get("layout", {}).get("ignored", ())))

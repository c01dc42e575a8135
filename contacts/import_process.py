"""The process that reads a contact list beside the one that loads it: two cores, one for each.

Speaks over its standard streams. In: a line of JSON with the job, then one for each place to read from. Out: for
each a frame: the length of a JSON head (4 bytes, big endian), the head, and the bodies whose lengths it names. The
process ends when its input does, so it never outlives the one that started it for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from contacts.csv_columns import Layout
from contacts.import_chunks import Chunk, ChunkReader
from contacts.import_rows import RowReader
from domain.errors import InvalidInput, Unavailable

_BODIES: Final = ("contacts", "consents", "rejects", "doubts")
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True, slots=True)
class ReadingJob:
    """What the reading process has to know."""

    path: str
    layout: Layout
    users: Mapping[str, int]
    now: datetime
    country: str | None
    overwrite: bool


class ChunkStream:
    """The other end: asks the process for chunks, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def read(self, offset: int, line: int) -> Chunk:
        """The chunk at this place. Raises InvalidInput for a file that cannot be read on, Unavailable when the
        process died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(_to_line({"offset": offset, "line": line}))
            await self._process.stdin.drain()
            size = int.from_bytes(await self._process.stdout.readexactly(4), "big")
            head = json.loads(await self._process.stdout.readexactly(size))
            for name in _BODIES:
                head[name] = await self._process.stdout.readexactly(head.get(name, 0))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Unavailable("The process that reads the file ended; the import goes on when it is started again.") from error  # fmt: skip
        if "field" in head:
            raise InvalidInput(head["field"], head["problem"], head["remedy"])
        return Chunk(**head)


@asynccontextmanager
async def reading(job: ReadingJob) -> AsyncIterator[ChunkStream]:
    """Start the process for a file; it is gone when the block ends."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "contacts.import_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
        start_new_session=True,  # a Ctrl-C is for the one that started it
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert process.stdin is not None
        process.stdin.write(
            _to_line(
                {
                    **{field.name: getattr(job, field.name) for field in dataclasses.fields(job)},
                    "layout": job.layout.to_json(),
                    "now": job.now.isoformat(),
                }
            )
        )
        yield ChunkStream(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _to_line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode("ascii") + b"\n"


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the input ends."""
    job = json.loads(source.readline() or b"null")
    if job is None:
        return
    layout = Layout.from_json(job["layout"])
    rows = RowReader(
        layout.columns, users=job["users"], now=datetime.fromisoformat(job["now"]), country=job["country"]
    )
    chunks = ChunkReader(Path(job["path"]), layout, rows, overwrite=job["overwrite"])
    for line in iter(source.readline, b""):
        asked = json.loads(line)
        head: dict[str, Any]
        bodies: list[bytes] = []
        try:
            chunk = chunks.read(asked["offset"], asked["line"])
        except InvalidInput as error:
            head = {"field": error.field, "problem": error.problem, "remedy": error.remedy}
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})."
            head = {"field": "file", "problem": problem, "remedy": ""}
        else:
            head = {field.name: getattr(chunk, field.name) for field in dataclasses.fields(chunk)}
            bodies = [head[name] for name in _BODIES]
            head |= {name: len(head[name]) for name in _BODIES}
        frame = json.dumps(head).encode("ascii")
        sink.write(b"".join((len(frame).to_bytes(4, "big"), frame, *bodies)))
        sink.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)

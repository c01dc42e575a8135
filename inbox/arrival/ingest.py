"""Take in mails from files: many at a time, none twice, and after an interruption it goes on.

A mail's cursor is its place and the digest of its bytes, so running the same files again skips what is there without
sending it anywhere, and a file that was rewritten loses nothing: whatever stands at an old place is looked at anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Final

from channels.base import Received
from channels.mail.envelope import read_envelope
from domain.errors import Unavailable
from domain.ports import Progress
from inbox.arrival.intake import Intake
from inbox.arrival.mail_files import Found, MailFiles
from inbox.arrival.times import when_received
from storage.pool import DATABASE_AWAY, Pool

DOOR: Final = "file"
_TOGETHER: Final = 100  # mails
_BYTES: Final = 16_777_216  # of mails at a time
_ATTEMPTS: Final = 30  # for the database to come back
_PAUSE: Final = 1.0  # seconds between them
_KNOWN: Final = "SELECT cursor FROM arrivals WHERE door = $1 AND cursor = ANY($2::text[])"


@dataclass(slots=True)
class IngestReport:
    """What became of the mails. `again`: those that we had, by this file or another way."""

    new: int = 0
    again: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)  #: place, what is wrong


async def ingest(
    pool: Pool,
    intake: Intake,
    files: MailFiles,
    progress: Progress,
    *,
    meta: dict[str, str] | None = None,
) -> IngestReport:
    """Take in every mail of `files`. `meta` is noted with each arrival (`direction` “out” for mail that we sent).

    Raises Unavailable when the database stays away; what was taken until then is there, and the next run goes on.
    """
    report = IngestReport()
    while batch := await asyncio.to_thread(_next_batch, files):
        found = []
        for one in batch:
            if one.problem:
                report.problems.append((one.place, one.problem))
            else:
                found.append(_receive(one, meta or {}))
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await _take(pool, intake, found, report)
                break
            except (Unavailable, *DATABASE_AWAY) as error:
                if attempt == _ATTEMPTS:
                    raise Unavailable(
                        f"The database is away. Stopped at {batch[0].place}; run the same command again to go on."
                    ) from error
                await asyncio.sleep(_PAUSE)
        await progress(batch[-1].done, files.total)
    return report


def _next_batch(files: MailFiles) -> list[Found]:
    batch: list[Found] = []
    size = 0
    for one in files.mails:
        batch.append(one)
        size += len(one.raw)
        if len(batch) >= _TOGETHER or size >= _BYTES:
            break
    return batch


def _receive(found: Found, meta: dict[str, str]) -> Received:
    digest = hashlib.sha256(found.raw).hexdigest()
    key = hashlib.sha256(found.key.encode("utf-8", "surrogateescape")).hexdigest()
    noted = {"place": found.place, **found.meta, **meta}
    received = when_received(found.raw, found.meta.get("from_line", ""), PurePath(found.key).name)
    if received is not None:
        noted["received_at"] = received.isoformat()
    return replace(read_envelope(found.raw), door=DOOR, cursor=f"{key[:32]}/{digest[:32]}", meta=noted)


async def _take(pool: Pool, intake: Intake, mails: list[Received], report: IngestReport) -> None:
    """Take in what is not there yet; counts nothing when it raises."""
    rows = await pool.fetch(_KNOWN, DOOR, [mail.cursor for mail in mails])
    known = {row["cursor"] for row in rows}
    results = await asyncio.gather(
        *(intake.take(mail) for mail in mails if mail.cursor not in known), return_exceptions=True
    )
    new = 0
    for result in results:
        if isinstance(result, BaseException):
            raise result  # the others are there, and known at the next attempt
        new += result.new
    report.new += new
    report.again += len(mails) - new

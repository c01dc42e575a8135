"""Mails that could not be read: listed with the reason, read again, or put aside. Their bytes are always kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from channels.mail.envelope import HEAD_LIMIT, named_addresses
from domain.errors import Conflict, NotFound
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Connection, Pool

_COLUMNS: Final = """
r.id, r.reason, r.size, r.sender, r.received_at, r.settled_at, r.attempts, r.state,
ARRAY(SELECT DISTINCT unnest(a.recipients) FROM arrivals a WHERE a.raw_id = r.id ORDER BY 1) AS recipients,
ARRAY(SELECT DISTINCT a.door FROM arrivals a WHERE a.raw_id = r.id ORDER BY 1) AS doors
"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM raw_mails r WHERE r.state = 'quarantined' AND ($1::bigint IS NULL OR r.id < $1)
ORDER BY r.id DESC LIMIT $2
"""
_FIND: Final = (
    f"SELECT {_COLUMNS} FROM raw_mails r WHERE r.id = $1 AND r.state IN ('quarantined', 'discarded')"
)
_COUNT: Final = "SELECT count(*) FROM raw_mails WHERE state = 'quarantined'"
_CONTENT: Final = "SELECT content, blob FROM raw_mails WHERE id = $1"
#: Read like a mail whose first attempt came to nothing: alone, so that it keeps no other from being stored.
_AGAIN: Final = """
UPDATE raw_mails SET state = 'stored', attempts = 1, read_again_at = now() - interval '1 s', settled_at = NULL, reason = NULL
WHERE id = $1 AND state IN ('quarantined', 'discarded') RETURNING true
"""
_ALL_AGAIN: Final = """
WITH again AS (
    UPDATE raw_mails SET state = 'stored', attempts = 1, read_again_at = now() - interval '1 s', settled_at = NULL, reason = NULL
    WHERE state = 'quarantined' RETURNING id
)
SELECT count(*) FROM again
"""
_DISCARD: Final = """
UPDATE raw_mails SET state = 'discarded', settled_at = now() WHERE id = $1 AND state = 'quarantined' RETURNING true
"""
#: $1 mails, $2 bytes of each that are looked at.
_HEADS: Final = """
SELECT r.id, substring(r.content FROM 1 FOR $2) AS head, r.blob,
       EXISTS (SELECT FROM arrivals a WHERE a.raw_id = r.id AND a.meta ->> 'direction' = 'out') AS sent
FROM raw_mails r WHERE r.id = ANY ($1::bigint[])
"""
_STATE: Final = "SELECT state FROM raw_mails WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A mail that waits for a person. `reason` in words; `discarded` ones are kept but no longer listed."""

    id: int
    reason: str
    size: int
    sender: str
    recipients: Sequence[str]
    doors: Sequence[str]
    received_at: datetime
    quarantined_at: datetime | None
    attempts: int
    discarded: bool


async def list_quarantine(
    connection: Connection | Pool, *, before: int | None = None, limit: int = 100
) -> list[Quarantined]:
    """Mails in quarantine, latest first, at most `limit` older than the mail `before`."""
    return [_read(row) for row in await connection.fetch(_LIST, before, limit)]


async def count_quarantine(connection: Connection | Pool) -> int:
    """How many mails wait."""
    count: int = await connection.fetchval(_COUNT)
    return count


async def find_quarantined(connection: Connection | Pool, raw_id: int) -> Quarantined:
    """One mail in quarantine, or discarded from it. Raises NotFound."""
    row = await connection.fetchrow(_FIND, raw_id)
    if row is None:
        raise NotFound(f"There is no unreadable message {raw_id}.")
    return _read(row)


async def load_bytes(connection: Connection | Pool, blobs: BlobStore, raw_id: int) -> bytes:
    """The bytes of any mail that arrived, as they came. Raises NotFound, also for what was forgotten since."""
    row = await connection.fetchrow(_CONTENT, raw_id)
    if row is None:
        raise NotFound(f"There is no arrived mail {raw_id}.")
    if row["content"] is not None:
        return bytes(row["content"])
    if row["blob"] is None:
        raise NotFound(
            f"The bytes of mail {raw_id} were forgotten after their time (inbox.intake.bytes_kept)."
        )
    return await asyncio.to_thread(blobs.path(row["blob"]).read_bytes)


async def find_named(
    connection: Connection | Pool, blobs: BlobStore, raw_ids: Sequence[int]
) -> dict[int, frozenset[str]]:
    """The addresses that the headers of these mails name as theirs, as written: a mailbox knows no envelope, and an
    alias or a forwarder writes its own. Of mail from a folder of sent mail the authors too."""
    named: dict[int, frozenset[str]] = {}
    for row in await connection.fetch(_HEADS, list(raw_ids), HEAD_LIMIT):
        head = row["head"]
        if head is None and row["blob"] is not None:
            head = await asyncio.to_thread(_read_head, blobs, row["blob"])
        named[row["id"]] = frozenset(named_addresses(bytes(head or b""), authors=row["sent"]))
    return named


def _read_head(blobs: BlobStore, blob: str) -> bytes:
    try:
        with blobs.path(blob).open("rb") as file:
            return file.read(HEAD_LIMIT)
    except (NotFound, OSError):
        return b""


async def read_again(connection: Connection | Pool, raw_id: int, announcer: Announcer | None = None) -> None:
    """Have a mail read again, also a discarded one. Raises NotFound, and Conflict for one that is not in quarantine."""
    await _move(connection, _AGAIN, raw_id)
    if announcer is not None:
        announcer.touch()


async def read_all_again(connection: Connection | Pool, announcer: Announcer | None = None) -> int:
    """Have everything in quarantine read again; gives how many mails that are."""
    count: int = await connection.fetchval(_ALL_AGAIN)
    if announcer is not None:
        announcer.touch()
    return count


async def discard(connection: Connection | Pool, raw_id: int) -> None:
    """Put a mail aside; its bytes are kept. Raises NotFound, and Conflict for one that is not in quarantine."""
    await _move(connection, _DISCARD, raw_id)


async def _move(connection: Connection | Pool, statement: str, raw_id: int) -> None:
    if await connection.fetchval(statement, raw_id):
        return
    if await connection.fetchval(_STATE, raw_id) is None:
        raise NotFound(f"There is no unreadable message {raw_id}.")
    raise Conflict("This message is not among the unreadable ones any more.")


def _read(row: Any) -> Quarantined:
    return Quarantined(
        row["id"],
        row["reason"] or "",
        row["size"],
        row["sender"],
        row["recipients"],
        row["doors"],
        row["received_at"],
        row["settled_at"],
        row["attempts"],
        row["state"] == "discarded",
    )

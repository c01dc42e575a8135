"""How far each folder was read, how its watch is doing, and mails that could not be taken in: the ledger in PostgreSQL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.base import Received
from channels.mail.imap.ports import FolderState, FolderStatus, Position
from storage.announce import Announcer
from storage.pool import Pool

_POSITION: Final = "SELECT uidvalidity, uid, since FROM imap_positions WHERE account = $1 AND folder = $2"

# A twin that lags behind moves nothing back; a folder that was made anew starts over.
_MOVE: Final = """
INSERT INTO imap_positions (account, folder, uidvalidity, uid, since) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, folder) DO UPDATE
SET uidvalidity = excluded.uidvalidity, uid = excluded.uid, since = excluded.since, moved_at = now()
WHERE imap_positions.uidvalidity <> excluded.uidvalidity OR imap_positions.uid < excluded.uid
"""

_TELL: Final = """
INSERT INTO imap_states (account, folder, state, trouble, words, done, total, contact_at, again_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account, folder) DO UPDATE
SET state = excluded.state, trouble = excluded.trouble, words = excluded.words, done = excluded.done,
    total = excluded.total, contact_at = excluded.contact_at, again_at = excluded.again_at, changed_at = now()
"""

# Never seen as merely stored, so that nobody reads the beginning of a mail as if it were the whole.
_PUT_ASIDE: Final = """
WITH kept AS (
    INSERT INTO raw_mails (content_hash, size, content, sender, state, reason, settled_at)
    SELECT $1, $2, $3, $4, 'quarantined', $5, now()
    WHERE NOT EXISTS (SELECT FROM arrivals WHERE door = $6 AND cursor = $7)
    ON CONFLICT (content_hash) DO UPDATE SET size = excluded.size
    RETURNING id
)
INSERT INTO arrivals (raw_id, door, cursor, recipients, meta)
SELECT id, $6, $7, $8, $9 FROM kept
ON CONFLICT (door, cursor) WHERE cursor IS NOT NULL DO NOTHING
"""

_STATES: Final = """
SELECT account, folder, state, trouble, words, done, total, contact_at, again_at, changed_at
FROM imap_states ORDER BY account, folder
"""
_FORGET: Final = """
DELETE FROM imap_states WHERE NOT (account, folder) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder's status as it was last told."""

    status: FolderStatus
    changed_at: datetime


class ImapLedger:
    """Keeps positions and statuses of folders."""

    def __init__(self, pool: Pool, announcer: Announcer) -> None:
        self._pool = pool
        self._announcer = announcer

    async def position(self, account: str, folder: str) -> Position | None:
        """How far this folder was read; None when it was never seen."""
        row = await self._pool.fetchrow(_POSITION, account, folder)
        return Position(row["uidvalidity"], row["uid"], row["since"]) if row else None

    async def move(self, account: str, folder: str, position: Position) -> None:
        """Note how far the folder was read; committed when it returns."""
        await self._pool.execute(_MOVE, account, folder, position.uidvalidity, position.uid, position.since)

    async def tell(self, status: FolderStatus) -> None:
        """Note how the folder is doing."""
        await self._pool.execute(
            _TELL,
            status.account,
            status.folder,
            status.state.value,
            status.trouble,
            _clean(status.words),
            status.done,
            status.total,
            status.contact_at,
            status.again_at,
        )

    async def put_aside(self, received: Received, reason: str) -> None:
        """Keep what there is of a mail that cannot be taken in among the unreadable; committed when it returns."""
        await self._pool.execute(
            _PUT_ASIDE,
            hashlib.sha256(received.raw).digest(),
            len(received.raw),
            received.raw,
            _clean(received.sender),
            _clean(reason),
            received.door,
            received.cursor,
            list(received.recipients),
            dict(received.meta),
        )
        self._announcer.touch()

    async def states(self) -> list[WatchedFolder]:
        """Every watched folder, for the console."""
        return [
            WatchedFolder(
                FolderStatus(
                    account=row["account"],
                    folder=row["folder"],
                    state=FolderState(row["state"]),
                    contact_at=row["contact_at"],
                    trouble=row["trouble"],
                    words=row["words"],
                    done=row["done"],
                    total=row["total"],
                    again_at=row["again_at"],
                ),
                row["changed_at"],
            )
            for row in await self._pool.fetch(_STATES)
        ]

    async def forget_others(self, watched: list[tuple[str, str]]) -> None:
        """Show no folder any more that is not among these (account, folder); positions stay."""
        await self._pool.execute(
            _FORGET, [account for account, _ in watched], [folder for _, folder in watched]
        )


def _clean(text: str) -> str:
    """A text as PostgreSQL takes it: no NUL, no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")

"""Pictures and files of short messages: fetched from the provider after the message was stored, however long it takes.

Where a scanner is set, what it finds a virus in is not kept at all, and what it could not look at waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from channels.mail.junk.scanners import ScannerAway
from channels.twilio.media import Media
from domain.errors import InvalidInput, NotFound, Unavailable
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool, transaction

log = logging.getLogger("clytie.inbox")

_AT_ONCE: Final = 10
_ATTEMPTS: Final = 10  #: the last one an hour and a half after the first
_FIRST_WAIT: Final = 5.0  # seconds, doubled each time

#: Seconds until a file is fetched again that could not be scanned, and how often: for about a day.
_SCANNER_WAIT: Final = 600.0
_SCANS: Final = 150
#: How the trouble of an infected file begins (sms_media.trouble); the name of the virus follows.
INFECTED: Final = "virus: "

#: The next attempt is noted before this one is made, so that a crash is no end. $1 how many, $2 first wait
_CLAIM: Final = """
UPDATE sms_media AS s
SET attempts = s.attempts + 1, fetch_at = now() + make_interval(secs => greatest(60, $2::float8 * 2 ^ s.attempts))
FROM (SELECT message_id, no FROM sms_media WHERE fetch_at <= now() ORDER BY fetch_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
WHERE s.message_id = due.message_id AND s.no = due.no
RETURNING s.message_id, s.no, s.url, s.content_type, s.attempts
"""
_DONE: Final = "DELETE FROM sms_media WHERE message_id = $1 AND no = $2 RETURNING true"
_KEEP: Final = """
INSERT INTO attachments (message_id, no, name, media_type, size, blob) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""
_TROUBLE: Final = """
UPDATE sms_media SET trouble = $3, fetch_at = now() + make_interval(secs => $4::float8) WHERE message_id = $1 AND no = $2
"""


@dataclass(frozen=True, slots=True)
class MediaFetcher:
    """Fetches for one process; twins do no harm. `fetch` brings a file (channels.sms.twilio.TwilioSms.fetch_media);
    `scan` gives the name of a virus, empty for none, and raises ScannerAway (channels.mail.junk.scanners.ask_clamav)."""

    pool: Pool
    blobs: BlobStore
    fetch: Callable[[str], Awaitable[Media]]
    announcer: Announcer | None = None
    scan: Callable[[bytes], Awaitable[str]] | None = None

    async def fetch_due(self) -> int:
        """Fetch what is due, at most some files; gives how many were tried."""
        rows = await self.pool.fetch(_CLAIM, _AT_ONCE, _FIRST_WAIT)
        await asyncio.gather(*(self._fetch(row) for row in rows))
        if rows and self.announcer is not None:
            self.announcer.touch()
        return len(rows)

    async def _fetch(self, row: Any) -> None:
        try:
            media = await self.fetch(row["url"])
        except InvalidInput as error:
            await self._put_off(row, str(error), None)
            return
        except (NotFound, Unavailable) as error:
            over = row["attempts"] >= _ATTEMPTS
            await self._put_off(row, str(error), None if over else _FIRST_WAIT * 2 ** (row["attempts"] - 1))
            return
        try:
            virus = await self.scan(media.content) if self.scan is not None else ""
        except ScannerAway as error:
            over = row["attempts"] >= _SCANS
            await self._put_off(row, f"not scanned: {error}", None if over else _SCANNER_WAIT)
            return
        if virus:
            await self._put_off(row, f"{INFECTED}{virus}", None)
            return
        blob = await asyncio.to_thread(self.blobs.put, media.content)
        kind = media.content_type or row["content_type"] or "application/octet-stream"
        name = f"MMS-{row['no']}{mimetypes.guess_extension(kind) or ''}"
        async with transaction(self.pool) as connection:
            if await connection.fetchval(_DONE, row["message_id"], row["no"]):
                await connection.execute(
                    _KEEP, row["message_id"], row["no"], name, kind, len(media.content), blob
                )

    async def _put_off(self, row: Any, words: str, seconds: float | None) -> None:
        """Try again after so many seconds; never when None."""
        log.warning("file %d of short message %d: %s", row["no"], row["message_id"], words)
        await self.pool.execute(_TROUBLE, row["message_id"], row["no"], words[:500], seconds)

"""Recordings, fetched from the provider and deleted there; deleted here and there when their time of retention ends.

Every attempt notes the next one before it is made, so that a crash is no end; twins do no harm.
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from channels.twilio.media import Media
from channels.voice.callbacks import TranscriptReport
from domain.errors import InvalidInput, NotFound, Unavailable
from inbox.calls.phrases import Phrase, phrase
from inbox.calls.switchboard import Switchboard
from inbox.lines.recorded import keep_transcript
from storage.blobs import BlobStore
from storage.pool import Connection, transaction
from storage.unused_blobs import find_unused

log = logging.getLogger("clytie.inbox")

_AT_ONCE: Final = 4
_ATTEMPTS: Final = 12  # at what the provider does not have, some hours
_PATIENT: Final = 180  # while it cannot be asked, a week; what is to be deleted there is tried for ever
_FIRST: Final = 5.0  # seconds, doubled each time
_LONGEST: Final = 3600.0
#: seconds in which the provider may still write a message down: that ends when the recording is deleted
_WRITING: Final = 900.0

#: $1 how many, $2 first wait, $3 longest
_CLAIM: Final = """
UPDATE recordings AS r
SET attempts = r.attempts + 1, due_at = now() + make_interval(secs => least($3, greatest(60, $2::float8 * 2 ^ least(r.attempts, 20))))
FROM (SELECT id FROM recordings WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
WHERE r.id = due.id
RETURNING r.id, r.message_id, r.provider_id, r.kind, r.state, r.url, r.attempts, r.kept_there, r.transcript
"""
_LOCK_BLOB: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7304))"
_FETCHED: Final = """
UPDATE recordings SET state = 'fetched', blob = $2, media_type = $3, size = $4, attempts = 0, trouble = '',
       due_at = CASE WHEN kind = 'voicemail' AND transcript IS NULL THEN now() + make_interval(secs => $6) WHEN $5 THEN now() END
WHERE id = $1 AND state = 'there' RETURNING message_id
"""
_ATTACH: Final = """
INSERT INTO attachments (message_id, no, name, media_type, size, blob) VALUES ($1, 1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_CHANGED: Final = "UPDATE calls SET version = version + 1, changed_at = now() WHERE message_id = $1"
_TROUBLE: Final = """
UPDATE recordings SET trouble = left($2, 500), due_at = CASE WHEN $3::float8 IS NOT NULL THEN now() + make_interval(secs => $3) END,
       state = CASE WHEN $4 AND state = 'there' THEN 'failed' ELSE state END
WHERE id = $1
"""
_RESTS_THERE: Final = "UPDATE recordings SET due_at = NULL, trouble = '' WHERE id = $1"
_GONE_THERE: Final = "UPDATE recordings SET kept_there = false, due_at = NULL, trouble = '' WHERE id = $1"
#: nobody else changes the call, which whoever keeps news of a recording holds before it
_HOLD: Final = "SELECT FROM calls WHERE message_id = $1 FOR UPDATE"
_EXPIRED: Final = (
    "SELECT id, message_id FROM recordings WHERE delete_after <= $1 ORDER BY delete_after LIMIT $2"
)
_STILL: Final = """
SELECT r.id, r.message_id, r.kind, r.blob, coalesce(q.language, 'en') AS language
FROM recordings r LEFT JOIN messages m ON m.id = r.message_id LEFT JOIN conversations v ON v.id = m.conversation_id
LEFT JOIN queues q ON q.id = v.queue_id
WHERE r.id = $1 AND r.delete_after <= $2 FOR UPDATE OF r
"""
_DELETE: Final = """
UPDATE recordings SET state = 'deleted', blob = NULL, transcript = NULL, size = NULL, attempts = 0, delete_after = NULL,
       due_at = CASE WHEN kept_there THEN now() END
WHERE id = $1
"""
_DETACH: Final = "DELETE FROM attachments WHERE message_id = $1 AND blob = $2"
_FORGET: Final = """
UPDATE message_contents SET body = $2, new_text = $2 WHERE message_id = $1
"""


class RecordingProvider(Protocol):
    """Where recordings are kept (channels/voice/twilio.py)."""

    async def fetch_recording(self, url: str, limit: int | None = None) -> Media:
        """The sound. Raises InvalidInput, NotFound and Unavailable."""
        ...

    async def fetch_transcript(self, recording_id: str) -> TranscriptReport | None:
        """What was said; None when nobody has written it down. Raises Unavailable."""
        ...

    async def delete_recording(self, provider_id: str) -> object:
        """Delete it there; one that is gone is no error. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class RecordingKeeper:
    """Looks after recordings, for one process."""

    board: Switchboard
    provider: RecordingProvider
    blobs: BlobStore

    async def work_due(self) -> int:
        """Fetch and delete what is due at the provider; gives how many were tried."""
        rows = await self.board.pool.fetch(_CLAIM, _AT_ONCE, _FIRST, _LONGEST)
        await asyncio.gather(*(self._work(row) for row in rows))
        if rows and self.board.announcer is not None:
            self.board.announcer.touch()
        return len(rows)

    async def _work(self, row: Any) -> None:
        if row["state"] == "there":
            await self._try(row, lambda: self._fetch(row), fails=True)
        elif row["kept_there"]:
            await self._try(row, lambda: self._let_go(row), fails=False)
        else:
            await self.board.pool.execute(_GONE_THERE, row["id"])

    async def _try(self, row: Any, work: Callable[[], Awaitable[None]], *, fails: bool) -> None:
        """Do it; else again later, and a fetch never after too many attempts."""
        try:
            await work()
        except InvalidInput as error:
            await self._put_off(row, str(error), None, fails)
        except (NotFound, Unavailable) as error:
            most = _ATTEMPTS if isinstance(error, NotFound) else _PATIENT
            over = fails and row["attempts"] >= most
            wait = min(_LONGEST, _FIRST * 2 ** min(row["attempts"] - 1, 20))
            await self._put_off(row, str(error), None if over else wait, over)

    async def _fetch(self, row: Any) -> None:
        if not row["url"]:
            raise Unavailable("The provider has not told yet where the recording is.")
        settings = self.board.settings
        media = await self.provider.fetch_recording(row["url"], settings.largest_recording)
        kind = media.content_type if media.content_type.startswith("audio/") else "audio/mpeg"
        name = f"{'voicemail' if row['kind'] == 'voicemail' else 'call'}-{row['message_id']}"
        name += mimetypes.guess_extension(kind) or ".mp3"
        blob = await asyncio.to_thread(self.blobs.put, media.content)
        size = len(media.content)
        async with transaction(self.board.pool) as connection:
            await connection.execute(_HOLD, row["message_id"])
            await connection.execute(_LOCK_BLOB, blob)
            await asyncio.to_thread(self.blobs.put, media.content)  # in case it was deleted since
            found = await connection.fetchval(
                _FETCHED, row["id"], blob, kind, size, settings.delete_there, _WRITING
            )
            if found is None:
                return
            if row["kind"] == "voicemail":
                await connection.execute(_ATTACH, row["message_id"], name, kind, size, blob)
            await connection.execute(_CHANGED, row["message_id"])

    async def _let_go(self, row: Any) -> None:
        """Take the text with us, when its report was lost, and delete the provider's copy."""
        if row["state"] == "fetched" and row["kind"] == "voicemail" and row["transcript"] is None:
            written = await self.provider.fetch_transcript(row["provider_id"])
            if written is not None:
                await keep_transcript(self.board, row["message_id"], written)
        if row["state"] == "fetched" and not self.board.settings.delete_there:
            await self.board.pool.execute(_RESTS_THERE, row["id"])
            return
        await self.provider.delete_recording(row["provider_id"])
        await self.board.pool.execute(_GONE_THERE, row["id"])

    async def _put_off(self, row: Any, words: str, seconds: float | None, failed: bool) -> None:
        log.warning("recording %d of call %d: %s", row["id"], row["message_id"], words)
        await self.board.pool.execute(_TROUBLE, row["id"], words, seconds, failed or seconds is None)

    async def delete_expired(self) -> int:
        """Delete sound and text of what was kept long enough; the provider's copy follows. Gives how many."""
        now = self.board.clock.now()
        rows = await self.board.pool.fetch(_EXPIRED, now, _AT_ONCE)
        for row in rows:
            async with transaction(self.board.pool) as connection:
                await connection.execute(_HOLD, row["message_id"])
                expired = await connection.fetchrow(_STILL, row["id"], now)
                if expired is not None:  # a twin did not come first
                    await self._delete(connection, expired)
        if rows and self.board.announcer is not None:
            self.board.announcer.touch()
        return len(rows)

    async def _delete(self, connection: Connection, row: Any) -> None:
        await connection.execute(_DELETE, row["id"])
        if row["kind"] == "voicemail":
            await connection.execute(_FORGET, row["message_id"], phrase(Phrase.FORGOTTEN, row["language"]))
        if row["blob"]:
            await connection.execute(_DETACH, row["message_id"], row["blob"])
            await connection.execute(_LOCK_BLOB, row["blob"])
            for blob in await find_unused(connection, [row["blob"]]):
                await asyncio.to_thread(self.blobs.remove, blob)
        await connection.execute(_CHANGED, row["message_id"])

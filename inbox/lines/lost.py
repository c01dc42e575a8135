"""Recordings whose report was lost: the provider is asked for them after a call that should have left one.

Of a caller who hung up while speaking, nothing is said before that: a message, or a call that was missed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from channels.voice.callbacks import RecordingReport
from domain.calls import CallResult
from domain.errors import NotFound, Unavailable
from inbox.calls.keeping import hold_call
from inbox.calls.switchboard import Switchboard
from inbox.lines.endings import settle_incoming
from inbox.lines.recorded import Kind, keep_recording
from storage.unit_of_work import unit_of_work

log = logging.getLogger("clytie.inbox")

_AT_ONCE: Final = 20
_AGAIN: Final = 60.0  # seconds, when the provider cannot be asked, or still works on one
#: after the end of a call: a message that nobody can be asked for counts as none; later overrules that
_UNDECIDED: Final = timedelta(minutes=10)
_GIVEN_UP: Final = timedelta(days=1)
#: the provider's words for what was recorded by a document of ours; a person there may record, too
_KINDS: Final[Mapping[str, Kind]] = {"RecordVerb": "voicemail", "DialVerb": "talk"}

_TAKE: Final = """
UPDATE calls SET recordings_at = now() + make_interval(secs => $2)
WHERE message_id IN (SELECT message_id FROM calls WHERE recordings_at <= now() ORDER BY recordings_at LIMIT $1
                     FOR UPDATE SKIP LOCKED)
RETURNING message_id, provider_id, ended_at
"""
_DONE: Final = "UPDATE calls SET recordings_at = NULL WHERE message_id = $1"


class RecordingLister(Protocol):
    """The part of a voice channel that tells what was recorded."""

    async def list_recordings(self, call_id: str) -> list[RecordingReport]:
        """The recordings of a leg. Raises NotFound, Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class LostRecordings:
    """Asks for what nobody told of; twins do no harm."""

    board: Switchboard
    provider: RecordingLister

    async def find_due(self) -> bool:
        """Ask about the calls that are due; true when there may be more."""
        rows = await self.board.pool.fetch(_TAKE, _AT_ONCE, _AGAIN)
        for row in rows:
            await self._find(row)
        return len(rows) == _AT_ONCE

    async def _find(self, row: Any) -> None:
        since = self.board.clock.now() - row["ended_at"]
        try:
            found = [one for one in await self._ask(row["provider_id"]) if one.source in _KINDS]
        except Unavailable as error:
            log.warning("recordings of call %d cannot be asked for: %s", row["message_id"], error)
            await self._close(row, settled=since > _UNDECIDED, done=since > _GIVEN_UP)
            return
        for report in found:
            try:
                await keep_recording(self.board, row["message_id"], _KINDS[report.source], report)
            except NotFound as error:
                log.warning("a recording was not kept: %s", error)
        there = all(report.status in ("completed", "absent", "failed") for report in found)
        await self._close(row, settled=there, done=there or since > _GIVEN_UP)

    async def _ask(self, provider_id: str | None) -> list[RecordingReport]:
        if provider_id is None:
            return []
        try:
            return await self.provider.list_recordings(provider_id)
        except NotFound:
            return []

    async def _close(self, row: Any, *, settled: bool, done: bool) -> None:
        async with unit_of_work(self.board.pool, self.board.announcer) as work:
            call = await hold_call(work.connection, row["message_id"])
            if settled:
                await settle_incoming(work, call, CallResult.MISSED)
            if done:
                await work.connection.execute(_DONE, row["message_id"])

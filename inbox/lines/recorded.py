"""Recordings as the provider tells of them: kept once, whoever tells first; a voicemail becomes a message.

The sound is fetched later (inbox/lines/recordings.py). Of a message that was left, the call's own message says what
was said as soon as the provider has written it down, and that one was left until then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Literal

from channels.voice.callbacks import RecordingReport, TranscriptReport
from domain.calls import CallResult, CallState
from domain.errors import NotFound
from domain.events import EventType, NewEvent
from domain.messages import Direction
from inbox.calls.keeping import hold_call
from inbox.calls.phrases import Phrase, phrase
from inbox.calls.switchboard import Switchboard
from inbox.lines.callers import ask_for_answer, offer_other_channel
from inbox.lines.endings import queue_of, settle_incoming
from storage.unit_of_work import UnitOfWork, unit_of_work

Kind = Literal["voicemail", "talk"]

#: seconds until a recording is fetched of which only the end was told: the provider needs some to make it
_SOON: Final = 10.0

_KEEP: Final = """
INSERT INTO recordings AS r (message_id, provider_id, kind, url, seconds, due_at, delete_after)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7)
ON CONFLICT (provider_id) DO UPDATE
SET seconds = coalesce(r.seconds, excluded.seconds), url = CASE WHEN r.url = '' THEN excluded.url ELSE r.url END,
    due_at = CASE WHEN r.state = 'there' AND excluded.url <> '' THEN least(r.due_at, excluded.due_at) ELSE r.due_at END
WHERE r.message_id = excluded.message_id
RETURNING xmax = 0 AS new
"""
_TRANSCRIPT: Final = """
UPDATE recordings SET transcript = $3
WHERE provider_id = $2 AND message_id = $1 AND state <> 'deleted' AND transcript IS DISTINCT FROM $3
RETURNING kind
"""
_SAY: Final = "UPDATE message_contents SET body = $2, new_text = $2 WHERE message_id = $1"
_SAID: Final = "SELECT transcript FROM recordings WHERE message_id = $1 AND kind = 'voicemail' AND transcript <> '' LIMIT 1"
_SILENT: Final = """
UPDATE calls SET position = position || '{"silent": true}' WHERE message_id = $1
"""
_BRIEF: Final = """
UPDATE calls SET version = version + 1, changed_at = now() WHERE message_id = $1
"""


async def keep_recording(
    board: Switchboard, message_id: int, kind: Kind, report: RecordingReport, work: UnitOfWork | None = None
) -> None:
    """Keep where a recording is; a message that was left comes to its queue. Raises NotFound."""
    async with _joined(board, work) as inner:
        call = await hold_call(inner.connection, message_id)
        if report.status == "absent" or (report.status == "failed" and not report.url):
            if kind == "voicemail":
                await inner.connection.execute(_SILENT, message_id)
                await settle_incoming(inner, call, CallResult.MISSED)
            return
        if report.status == "in-progress":
            return
        told_ready = bool(report.source)  # its own report, not the end of the verb
        new = await inner.connection.fetchval(
            _KEEP,
            message_id,
            report.provider_id,
            kind,
            report.url,
            report.seconds,
            0.0 if told_ready else _SOON,
            board.clock.now() + timedelta(days=board.settings.retention_days),
        )
        if new is None:
            raise NotFound(f"Recording {report.provider_id} belongs to another call.")
        if new and kind == "voicemail" and call["direction"] == Direction.IN:
            await _receive(board, inner, call, report)
        await inner.connection.execute(_BRIEF, message_id)


async def keep_transcript(board: Switchboard, message_id: int, report: TranscriptReport) -> None:
    """Keep what was said; one that comes before its recording is told makes it known. Raises NotFound."""
    text = " ".join(report.text.split())
    if not text:
        return
    async with unit_of_work(board.pool, board.announcer) as work:
        call = await hold_call(work.connection, message_id)
        known = RecordingReport(report.recording_id, report.call_id, "completed", report.url)
        await keep_recording(board, message_id, "voicemail", known, work)
        kind = await work.connection.fetchval(_TRANSCRIPT, message_id, report.recording_id, text)
        if kind == "voicemail" and call["direction"] == Direction.IN:
            await work.connection.execute(_SAY, message_id, text)


async def _receive(board: Switchboard, work: UnitOfWork, call: Any, report: RecordingReport) -> None:
    """A message was left: its conversation waits for an answer, and rules hear of it."""
    message_id, now = call["message_id"], board.clock.now()
    said = await work.connection.fetchval(_SAID, message_id)
    queue, language = await queue_of(work, call)
    await work.connection.execute(_SAY, message_id, said or _sentence(report.seconds, language))
    if call["conversation_id"] is not None:
        await ask_for_answer(work.connection, call["conversation_id"], now)
    asked = await offer_other_channel(work.connection, call)
    facts = {
        "channel": "voice",
        "mailbox": call["ours"],
        "queue": queue,
        "seconds": report.seconds,
        "asked": asked or None,
    }
    work.tell(
        NewEvent(
            EventType.RECEIVED,
            now,
            call["contact_id"],
            message_id,
            None,
            call["conversation_id"],
            call["case_id"],
            data={name: value for name, value in facts.items() if value is not None} | {"attachments": 1},
            key=f"call:{message_id}:voicemail",
        )
    )
    if call["state"] == CallState.ENDED:
        await settle_incoming(work, call, CallResult.VOICEMAIL, report.seconds)


def _sentence(seconds: int | None, language: str) -> str:
    """What a message says that nobody has written down."""
    one = Phrase.MESSAGE if seconds is None else Phrase.MESSAGE_OF
    return phrase(one, language, seconds=seconds)


@asynccontextmanager
async def _joined(board: Switchboard, work: UnitOfWork | None) -> AsyncIterator[UnitOfWork]:
    """This work, or one of its own."""
    if work is not None:
        yield work
        return
    async with unit_of_work(board.pool, board.announcer) as own:
        yield own

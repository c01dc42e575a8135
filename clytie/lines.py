"""Calls that come in on our lines, wired: whose working time counts, what a worker does about recordings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from channels.voice.twilio import TwilioVoice
from clytie.settings import Settings
from domain.errors import InvalidInput
from inbox.calls.switchboard import Switchboard
from inbox.lines.desk import LineDesk
from inbox.lines.lost import LostRecordings
from inbox.lines.recordings import RecordingKeeper
from inbox.lines.sweeping import IncomingSweeper
from router.calendars import calendar_of
from router.settings import RouterSettings
from router.working_time import next_working_moment
from storage.blobs import BlobStore
from worker.loops import Loop

#: seconds between looks for recordings to fetch, calls that nothing was heard of, and recordings kept long enough
RECORDINGS_EVERY = 2.0
SILENT_CALLS_EVERY = 5.0
LOST_EVERY = 5.0
RETENTION_EVERY = 60.0


def works_now(settings: RouterSettings, team: Mapping[str, Any], at: datetime) -> bool:
    """Whether a team (its row) works at a moment, public holidays included; one that never does is closed."""
    try:
        return next_working_moment(at, calendar_of(team, settings)) == at
    except InvalidInput:
        return False


def make_line_desk(settings: Settings, board: Switchboard) -> LineDesk:
    """What calls that come in are answered with."""
    return LineDesk(board, partial(works_now, settings.router), settings.inbox.reading.queue)


def make_line_loops(settings: Settings, board: Switchboard, channel: TwilioVoice) -> list[Loop]:
    """What a worker does about calls that came in."""
    keeper = RecordingKeeper(board, channel, BlobStore(settings.var / "blobs"))
    sweeper, lost = IncomingSweeper(board, channel), LostRecordings(board, channel)
    return [
        Loop("recordings", keeper.work_due, RECORDINGS_EVERY, rings=False),
        Loop("lost recordings", lost.find_due, LOST_EVERY, rings=False),
        Loop("calls that came in", sweeper.sweep_due, SILENT_CALLS_EVERY, rings=False),
    ]


def make_retention_loop(settings: Settings, board: Switchboard, channel: TwilioVoice) -> Loop:
    """Deletes what was kept long enough, also when there is no account any more."""
    keeper = RecordingKeeper(board, channel, BlobStore(settings.var / "blobs"))
    return Loop("recording retention", keeper.delete_expired, RETENTION_EVERY, rings=False)

"""What a worker process works with; built by clytie/bootstrap.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from channels.base import Channel
from domain.clock import Clock
from outbox.composing import Composer, MailKitchen
from outbox.feeder import MakeComposer
from outbox.settings import OutboxSettings
from outbox.texts.traffic import Paced
from router.settings import RouterSettings
from storage.announce import Announcer, Bell
from storage.blobs import BlobStore
from storage.pool import Pool
from tracking.settings import TrackingSettings
from worker.loops import Loop, Service
from worker.settings import WorkerSettings

#: Runs the import of this id to its end, going on where it stopped; a twin is kept away by the caller.
RunImport = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class SmsWork:
    """Short messages of a worker: their channel, what composes them, and what looks for those in doubt.

    `window`: how many may be marked and unsettled, never more than the outbox's own: what a crash leaves in doubt.
    """

    channel: Channel
    make_composer: MakeComposer
    letters: Composer
    settle_doubts: Callable[[], Awaitable[bool]]
    window: int = 100
    pace: Paced | None = None


@dataclass(slots=True)
class WorkerContext:
    """The parts of the house that a worker holds. The bell is started; the pool has room for `CONNECTIONS`.

    `extra` are loops and services that a deployment adds. Without `redis_url` no jobs are taken; the loops poll. Without `letters`
    this worker sends campaigns only; without `sms`, no short messages.
    """

    pool: Pool
    announcer: Announcer
    bell: Bell
    clock: Clock
    channel: Channel
    kitchen: MailKitchen
    run_import: RunImport
    redis_url: str | None = None
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    router: RouterSettings = field(default_factory=RouterSettings)
    extra: Sequence[Loop | Service] = ()
    letters: Composer | None = None
    blobs: BlobStore | None = None  #: where large letters lie
    sms: SmsWork | None = None


#: Connections that the loops of one worker hold or use at a time.
CONNECTIONS = 17

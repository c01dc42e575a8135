"""Where the rooms are wired together: each role's context, built from the settings and taken down again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from channels.base import Channel, Received
from channels.mail.dkim.signing import make_signer
from channels.mail.door.mail_door import MailDoor
from channels.mail.smtp import MailChannel
from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.door import SandboxDoor
from clytie.calling import open_voice_callbacks, open_voice_loops
from clytie.carrying import open_carrier, open_test_phone
from clytie.errands import open_errand_loops
from clytie.keys import load_token_keys
from clytie.mail_reading import open_reader
from clytie.mailboxes import open_imap, open_tokens
from clytie.settings import Settings
from clytie.text_sending import open_sms_sending
from clytie.texting import open_sms_callbacks, open_sms_loops
from contacts.importing import run_import
from contacts.upload_sweep import sweep_uploads
from domain.clock import SystemClock
from domain.errors import ConfigurationError
from inbox.arrival.intake import Intake
from inbox.arrival.own_addresses import OwnAddresses
from inbox.arrival.pruning import prune as forget_old
from inbox.desk.files import AnswerFiles, sweep_answer_files
from inbox.desk.undecided import raise_alarms
from inbox.sandbox import SandboxMailbox
from outbox.composing import MailKitchen, Sign
from outbox.letters.composing import LetterComposer
from storage.announce import Announcer, Bell
from storage.blobs import BlobStore
from storage.house_clock import follow_clock, read_offset
from storage.partitions import make_partitions
from storage.pool import Pool, open_pool
from tracking.recorder import Recorder
from web.context import Door, WebContext
from web.texting import TextAccount
from worker.context import CONNECTIONS, WorkerContext
from worker.loops import Loop
from worker.queue import JobQueue

#: seconds between looks for uploaded files that nobody needs any more
UPLOADS_EVERY = 15.0
#: seconds between looks for files of answers that were never sent
ANSWER_FILES_EVERY = 600.0
OLD_MAILS_EVERY = 3600.0
#: seconds between looks for messages that nobody decided on
UNDECIDED_EVERY = 20.0


@dataclass(slots=True)
class Core:
    """What every role needs: the database, announcements and business time."""

    pool: Pool
    announcer: Announcer
    clock: SystemClock


@asynccontextmanager
async def open_core(settings: Settings, *, connections: int = 10) -> AsyncIterator[Core]:
    """Connect to the database of the settings. Raises ConfigurationError when none is named."""
    if settings.database_url is None:
        raise ConfigurationError("CLYTIE_DATABASE_URL is not set; `clytie serve` sets it for its processes.")
    async with AsyncExitStack() as stack:
        pool = await open_pool(settings.database_url, max_size=connections)
        stack.callback(pool.terminate)
        announcer = Announcer(pool)
        stack.push_async_callback(announcer.close)
        yield Core(pool, announcer, SystemClock(await read_offset(pool)))


@asynccontextmanager
async def open_web(settings: Settings) -> AsyncIterator[WebContext]:
    """Everything a web process holds."""
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(open_core(settings))
        bell = await stack.enter_async_context(_open_bell(settings))
        recorder = Recorder(core.pool, core.announcer, settings.tracking)
        recorder.start()
        stack.push_async_callback(recorder.close)
        queue = JobQueue(settings.redis_url, settings.worker.queue)
        stack.push_async_callback(queue.close)
        sms = await stack.enter_async_context(
            open_sms_callbacks(settings, core.pool, core.announcer, core.clock)
        )
        test_phone = await stack.enter_async_context(open_test_phone(settings))
        voice = await stack.enter_async_context(
            open_voice_callbacks(settings, core.pool, core.announcer, core.clock)
        )
        yield WebContext(
            pool=core.pool,
            announcer=core.announcer,
            bell=bell,
            clock=core.clock,
            tokens=load_token_keys(settings.token_keys, settings.var),
            blobs=open_blobs(settings),
            recorder=recorder,
            kitchen=open_kitchen(settings),
            answer_files=AnswerFiles(settings.var / "spool" / "answers"),
            settings=settings.web_settings,
            contacts=settings.contacts,
            tracking=settings.tracking,
            router=settings.router,
            enqueue=queue,
            front_door=_front_door(settings),
            sms=sms,
            voice=voice,
            doors=_doors(settings),
            copy_domain=next(filter(None, (settings.outbox.reply_domain, *settings.inbox.domains)), ""),
            reading=settings.inbox.reading,
            test_phone=test_phone,
            texts=TextAccount(settings.sms_settings.prices, tuple(settings.sms_settings.rates)),
            demo=settings.demo,
        )


def _doors(settings: Settings) -> tuple[Door, ...]:
    known = (("smtp", settings.inbox.smtp), ("lmtp", settings.inbox.lmtp), ("sandbox", settings.sandbox))
    return tuple(Door(kind, door.host, door.port) for kind, door in known if door.enabled)


def _front_door(settings: Settings) -> tuple[str, int] | None:
    """Where this machine reaches its own SMTP door; None when it is closed, or its port not known before."""
    door = settings.inbox.smtp
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return (everywhere.get(door.host, door.host), door.port) if door.enabled and door.port else None


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[WorkerContext]:
    """Everything a worker process holds."""
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(open_core(settings, connections=CONNECTIONS + 6))
        await make_partitions(core.pool)
        bell = await stack.enter_async_context(_open_bell(settings))
        if settings.demo:
            await stack.enter_async_context(_beside(follow_clock(core.pool, core.clock)))
        uploads = settings.web_settings.upload_folder
        channel = open_channel(settings, core.pool)
        stack.push_async_callback(channel.close)
        reader = await stack.enter_async_context(open_reader(settings, core.pool, core.announcer, core.clock))
        sms = await stack.enter_async_context(
            open_sms_sending(settings, core.pool, core.announcer, core.clock)
        )
        sms_loops = await stack.enter_async_context(
            open_sms_loops(settings, core.pool, core.announcer, core.clock)
        )
        voice_loops = await stack.enter_async_context(
            open_voice_loops(settings, core.pool, core.announcer, core.clock)
        )
        errand_loops = await stack.enter_async_context(
            open_errand_loops(settings, core.pool, core.announcer, core.clock)
        )
        yield WorkerContext(
            pool=core.pool,
            announcer=core.announcer,
            bell=bell,
            clock=core.clock,
            channel=channel,
            kitchen=open_kitchen(settings),
            run_import=partial(run_import, core.pool, core.announcer, clock=core.clock),
            redis_url=settings.redis_url,
            settings=settings.worker,
            outbox=settings.outbox,
            tracking=settings.tracking,
            router=settings.router,
            letters=LetterComposer(open_blobs(settings), open_signing(settings)),
            blobs=open_blobs(settings),
            sms=sms,
            extra=[
                Loop("inbox", reader.read_due, settings.worker.poll),
                Loop(
                    "old mails",
                    partial(forget_old, core.pool, open_blobs(settings), settings.inbox.intake),
                    OLD_MAILS_EVERY,
                    rings=False,
                ),
                Loop(
                    "undecided",
                    partial(
                        raise_alarms,
                        core.pool,
                        core.clock,
                        core.announcer,
                        timedelta(hours=settings.inbox.reading.undecided_hours),
                    ),
                    UNDECIDED_EVERY,
                    rings=False,
                ),
                *sms_loops,
                *voice_loops,
                *errand_loops,
                Loop("uploads", partial(sweep_uploads, core.pool, uploads), UPLOADS_EVERY, rings=False),
                Loop(
                    "answer files",
                    partial(sweep_answer_files, core.pool, settings.var / "spool" / "answers"),
                    ANSWER_FILES_EVERY,
                    rings=False,
                ),
            ],
        )


@dataclass(slots=True)
class Doors:
    """What mail comes in by: the test mailbox, and the doors of the house by name; those that are enabled. And the
    test carrier, where there is no account."""

    sandbox: SandboxDoor | None
    mail: dict[str, MailDoor]
    carrier: Carrier | None = None


@asynccontextmanager
async def open_doors(settings: Settings) -> AsyncIterator[Doors]:
    """The doors that the settings enable, open."""
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(open_core(settings, connections=8))
        intake = Intake(core.pool, open_blobs(settings), core.announcer, settings.inbox.intake)
        stack.push_async_callback(intake.close)
        if settings.demo:
            await stack.enter_async_context(_beside(follow_clock(core.pool, core.clock)))
        tokens = load_token_keys(settings.token_keys, settings.var)
        ours = OwnAddresses(core.pool, tokens, settings.inbox.domains)
        doors = Doors(None, {})

        async def keep(received: Received) -> str:
            return str((await intake.take(received)).raw_id)

        if settings.inbox.smtp.enabled:
            doors.mail["smtp"] = MailDoor("smtp", keep, ours, settings.inbox.smtp)
        if settings.inbox.lmtp.enabled:
            doors.mail["lmtp"] = MailDoor("lmtp", keep, ours, settings.inbox.lmtp)
        if settings.sandbox.enabled:
            doors.sandbox = SandboxDoor(
                SandboxMailbox(core.pool, core.announcer),
                host=settings.sandbox.host,
                port=settings.sandbox.port,
            )
            await doors.sandbox.start()
            stack.push_async_callback(doors.sandbox.stop)
        for door in doors.mail.values():
            await door.start()
            stack.push_async_callback(door.stop)
        doors.carrier = await stack.enter_async_context(open_carrier(settings, core.pool, core.clock))
        await stack.enter_async_context(open_imap(settings, core.pool, core.announcer, intake.take))
        yield doors


def open_channel(settings: Settings, pool: Pool) -> Channel:
    """The channel that takes outgoing mail: the configured servers, or the test mailbox."""
    return MailChannel(settings.relay, partial(open_tokens, settings, pool))


def open_kitchen(settings: Settings) -> MailKitchen:
    """What composing mail takes: keys, the public address, the organisation."""
    return MailKitchen(
        load_token_keys(settings.token_keys, settings.var),
        settings.public_url,
        settings.outbox,
        open_signing(settings),
    )


def open_signing(settings: Settings) -> Sign | None:
    """What signs finished mails, with the keys of the settings read once; None without any."""
    signer = make_signer(settings.dkim)
    return signer.sign_payload if signer else None


def open_blobs(settings: Settings) -> BlobStore:
    """The files of this deployment."""
    return BlobStore(settings.var / "blobs")


@asynccontextmanager
async def _open_bell(settings: Settings) -> AsyncIterator[Bell]:
    assert settings.database_url is not None
    bell = Bell(settings.database_url)
    bell.start()
    try:
        yield bell
    finally:
        await bell.close()


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

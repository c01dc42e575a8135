"""The loops and services of a worker: each calls one function of a room below."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from campaigns.control import complete_finished
from campaigns.launch import launch_due
from channels.mail.smtp import MailChannel
from domain.messages import ChannelKind
from outbox import metrics as outbox_metrics
from outbox.pruning import prune
from outbox.ranges import sweep, withdraw_rest
from outbox.sender import Sender
from outbox.texts.traffic import SmsTraffic
from outbox.traffic import Traffic
from router import pruning as router_pruning
from router.loop import Router, run_router
from router.timers import run_timers
from storage.partitions import make_partitions
from tracking.judge import judge_due
from worker.context import SmsWork, WorkerContext
from worker.loops import Loop, Service

log = logging.getLogger(__name__)

#: First key of the advisory locks that keep twins from one import.
IMPORT_LOCK: Final = 0x696D70
_HOUR: Final = 3600.0


def plan_work(context: WorkerContext) -> list[Loop | Service]:
    """Everything that a worker keeps running."""
    poll = context.settings.poll
    router = Router(context.pool, context.clock, context.announcer, context.router)
    sms: list[Loop | Service] = []
    if context.sms is not None:
        sms = [
            SenderService(context, context.sms).service(),
            Loop("texts in doubt", context.sms.settle_doubts, poll, rings=False),
        ]
    return [
        SenderService(context).service(),
        *sms,
        Service("router", lambda stop: run_router(router, context.bell, stop)),
        Service("timers", lambda stop: run_timers(router, stop)),
        Loop("sweeper", lambda: sweep_leases(context), poll, rings=False),
        Loop("judge", lambda: judge_hits(context), poll),
        Loop("launches", lambda: launch_campaigns(context), poll),
        Loop("completion", lambda: complete_campaigns(context), poll, rings=False),
        Loop("imports", lambda: run_imports(context), poll),
        Loop("partitions", lambda: make_partitions(context.pool), _HOUR, rings=False),
        Loop("pruning", lambda: prune(context.pool, context.blobs, context.outbox), _HOUR, rings=False),
        Loop(
            "old episodes",
            lambda: router_pruning.prune(context.pool, context.clock.now(), context.router),
            _HOUR,
            rings=False,
        ),
        *context.extra,
    ]


class SenderService:
    """The outbox's sender; a new one after each that broke, because leases belong to a sender's name."""

    def __init__(self, context: WorkerContext, sms: SmsWork | None = None) -> None:
        """`sms`: send short messages, and no mail."""
        self._context = context
        self._sms = sms
        self._sender: Sender | None = None

    def service(self) -> Service:
        """The service of the name `outbox`, or `outbox sms`."""
        return Service("outbox" if self._sms is None else "outbox sms", self._run, self._wake)

    def _make_sender(self) -> Sender:
        context, sms = self._context, self._sms
        if sms is not None:
            window = min(sms.window, context.outbox.window)
            settings = context.outbox.model_copy(update={"window": window})
            return Sender(
                context.pool,
                sms.channel,
                sms.make_composer,
                settings,
                context.clock,
                context.announcer,
                kind=ChannelKind.SMS,
                letters=sms.letters,
                traffic=SmsTraffic(settings, context.clock, sms.pace),
            )
        return Sender(
            context.pool,
            context.channel,
            context.kitchen.composer,
            context.outbox,
            context.clock,
            context.announcer,
            letters=context.letters,
            traffic=_traffic(context),
        )

    async def _run(self, stop: asyncio.Event) -> None:
        self._sender = self._make_sender()
        async with asyncio.TaskGroup() as group:
            ringing = group.create_task(self._listen())
            try:
                await self._sender.run(stop)
            finally:
                ringing.cancel()

    async def _listen(self) -> None:
        async with self._context.bell.subscribed() as rung:
            while True:
                await rung.wait()
                rung.clear()
                if self._sender is not None and self._sender.idle:
                    self._sender.wake()

    def _wake(self) -> None:
        if self._sender is not None:
            self._sender.wake()


def _traffic(context: WorkerContext) -> Traffic:
    """The limits of the settings, and those of the channel's relays where it has some."""
    channel = context.channel
    if isinstance(channel, MailChannel):
        return Traffic(context.outbox, channel.settings.servers, channel.relays)
    return Traffic(context.outbox)


async def sweep_leases(context: WorkerContext) -> bool:
    """Tidy up after workers that died."""
    requeued, uncertain = await sweep(context.pool)
    if requeued or uncertain:
        outbox_metrics.SWEPT.labels("queued").inc(requeued)
        outbox_metrics.SWEPT.labels("uncertain").inc(uncertain)
        context.announcer.touch()
    return bool(requeued or uncertain)


async def judge_hits(context: WorkerContext) -> bool:
    """Give verdicts to hits whose window is over."""
    judged = await judge_due(context.pool, context.tracking, context.announcer)
    return judged >= context.tracking.judge_batch


async def launch_campaigns(context: WorkerContext) -> bool:
    """Launch what was asked for."""
    return bool(await launch_due(context.pool, context.kitchen, context.clock, context.announcer))


async def complete_campaigns(context: WorkerContext) -> bool:
    """Make campaigns done that have nothing left to send, and go on withdrawing what was cancelled."""
    withdrawn = await withdraw_rest(context.pool)
    if withdrawn:
        context.announcer.touch()
    return bool(await complete_finished(context.pool, context.announcer)) or bool(withdrawn)


async def run_imports(context: WorkerContext) -> bool:
    """Run the imports that are waiting, and those whose worker died; no two workers run the same."""
    ran = False
    for row in await context.pool.fetch(
        "SELECT id FROM imports WHERE state IN ('waiting', 'running') ORDER BY id"
    ):
        async with context.pool.acquire() as guard:
            if not await guard.fetchval("SELECT pg_try_advisory_lock($1, $2)", IMPORT_LOCK, row["id"]):
                continue
            try:
                if await guard.fetchval(
                    "SELECT state IN ('waiting', 'running') FROM imports WHERE id = $1", row["id"]
                ):
                    await context.run_import(row["id"])
                    ran = True
            finally:
                if not guard.is_closed():
                    await guard.execute("SELECT pg_advisory_unlock($1, $2)", IMPORT_LOCK, row["id"])
    return ran

"""The sending loop of one worker process: claim ahead, compose in the gaps, mark, hand to the channel, settle.

Two tasks. The feeder keeps composed messages ready for every running campaign. The stepper repeats one statement
(outbox.queue.settle_and_mark): it settles the results that have come in and marks as many new messages as the
window allows, while the channel works on the rest of the window, so that the wire never waits for the database.

What a stop in the wrong moment does (SIGSTOP, a long collection, a sleeping machine): a claim that ran out is not
marked, because marking is conditional on it; a message whose mark is nearly as old as its lease is not handed to
the channel, and withdrawn from it where it still waits; a result that comes after the lease changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import socket
from collections import Counter, deque

from channels.base import Channel
from domain.clock import Clock
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome
from outbox import metrics
from outbox.backoff import INTERRUPTED, Breaker, is_given_up, retry_delay
from outbox.feeder import DATABASE_AWAY, Feeder, MakeComposer
from outbox.queue import Claimed, Lot, Result, Step, monotonic, prepare, release, settle_and_mark
from outbox.settings import OutboxSettings
from storage.announce import Announcer
from storage.pool import Connection, Pool

log = logging.getLogger(__name__)


def worker_name() -> str:
    """A name that no other process has or will have."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Sender:
    """Sends what is queued for one channel. `run` until its `stop` is set; `wake` when there may be work."""

    def __init__(
        self,
        pool: Pool,
        channel: Channel,
        make_composer: MakeComposer,
        settings: OutboxSettings,
        clock: Clock,
        announcer: Announcer,
        *,
        kind: ChannelKind = ChannelKind.MAIL,
    ) -> None:
        self.worker = worker_name()
        self._pool = pool
        self._channel = channel
        self._settings = settings
        self._clock = clock
        self._announcer = announcer
        self._breaker = Breaker(settings.rest_limit)
        self._feeder = Feeder(
            pool, self.worker, kind, make_composer, settings, clock, self._consider, self._step_at
        )
        self._lots: dict[int, Lot | None] = {}  # of the messages under way
        self._outcomes: deque[Outcome] = deque()
        self._open = 0  # marked and unsettled in the database
        self._settling = 0  # of the outcomes, those in the statement under way
        self._doubtful: list[Claimed] = []  # marked perhaps: the answer was lost
        self._deliveries: set[asyncio.Task[None]] = set()
        self._step_due = asyncio.Event()
        self._stopping = False
        self._flush: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether it holds nothing to send."""
        return not self._feeder.ready()

    def wake(self) -> None:
        """Look at the queue now."""
        self._feeder.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then settle what is under way, within `stop_grace`, and release the rest."""
        feeder = asyncio.create_task(self._feeder.run(), name="outbox-feeder")
        stepper = asyncio.create_task(self._step_forever(), name="outbox-stepper")
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({feeder, stepper, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            self._stopping = True
            await self._wind_down(feeder, stepper)
        for task in (feeder, stepper):  # one that broke tells the supervisor
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _wind_down(self, feeder: asyncio.Task[None], stepper: asyncio.Task[None]) -> None:
        """Let the channel finish, interrupt it when it takes too long, settle the last results."""
        grace = self._settings.stop_grace
        self._feeder.stop()
        self._step_due.set()
        await asyncio.wait({stepper}, timeout=grace)
        deliveries = set(self._deliveries)
        for task in deliveries:
            task.cancel()
        if deliveries:
            await asyncio.wait(deliveries, timeout=grace)
        self._step_due.set()
        await asyncio.wait({stepper, feeder}, timeout=min(grace, 5))
        for task in (stepper, feeder):
            task.cancel()
        await asyncio.wait({stepper, feeder})
        await self._feeder.give_back()

    # --- the stepper ----------------------------------------------------------------------------------

    def _room(self) -> int:
        """How many messages may be marked together with settling all outcomes."""
        room = self._settings.window - (self._open - len(self._outcomes))
        limit = self._breaker.room(monotonic())
        if limit is not None:
            room = min(room, limit - (self._open - len(self._outcomes)))
        return max(0, room)

    def _consider(self) -> None:
        """Start a step when half a window can be moved or nothing else is going on, else in a little while."""
        half = self._settings.window // 2
        done = len(self._outcomes) - self._settling
        movable = 0 if self._settling else min(self._feeder.ready(), self._room())
        if done >= half or movable >= half or ((done or movable) and done == self._open):
            self._step_due.set()
        elif done or movable:
            self._step_at(self._settings.flush_after)

    def _schedule(self) -> None:
        """After a step: see to it that the next one comes in time."""
        self._consider()
        now = monotonic()
        if (opening := self._feeder.next_opening()) is not None:
            self._step_at(opening - now)
        if self._breaker.room(now) == 0:
            self._step_at(self._breaker.until - now)

    def _step_at(self, delay: float) -> None:
        """Step after `delay` seconds at the latest."""
        if delay <= 0:
            self._step_due.set()
            return

        def due() -> None:
            self._flush = None
            self._step_due.set()

        loop = asyncio.get_running_loop()
        if self._flush is not None:
            if self._flush.when() <= loop.time() + delay:
                return
            self._flush.cancel()
        self._flush = loop.call_later(delay, due)

    async def _step_forever(self) -> None:
        pause = 0.1
        while not self._finished():
            try:
                async with self._pool.acquire(timeout=10) as connection:
                    await prepare(connection)
                    while not self._finished():
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._step_due.wait(), self._settings.poll)
                        self._step_due.clear()
                        await self._step(connection)
                        pause = 0.1
            except DATABASE_AWAY as error:
                log.warning("the outbox cannot settle: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2)
                self._step_due.set()

    def _finished(self) -> bool:
        return self._stopping and not (self._deliveries or self._outcomes or self._doubtful)

    async def _step(self, connection: Connection) -> None:
        wanted, late = self._choose()
        if late:
            await self._feeder.release(connection, late)
        results = [self._result(outcome) for outcome in self._outcomes]
        if not results and not wanted:
            self._schedule()
            return
        doubtful, self._doubtful = bool(self._doubtful), wanted
        self._settling = len(results)
        began = monotonic()
        try:
            with metrics.STEP_SECONDS.time():
                step = await settle_and_mark(
                    connection, self.worker, results, wanted, self._settings.sending_lease, self._clock.now()
                )
        finally:
            self._settling = 0
        self._doubtful = []
        for _ in results:
            self._feeder.finish(self._lots.pop(self._outcomes.popleft().key, None))
        for row in wanted:
            if row.message_id in step.marked:
                self._lots[row.message_id] = row.lot
            elif row.message_id in step.refused:
                self._feeder.finish(row.lot)
        self._open += len(step.marked) - len(results)
        self._count(results, step)
        group = [row.message for row in wanted if row.message_id in step.marked and row.message is not None]
        if group:
            self._hand_over(group, began + self._settings.sending_lease - self._settings.lease_margin)
        if lost := [row for row in wanted if row.message_id not in step.marked | step.refused.keys()]:
            if doubtful:
                self._disown(lost)
                await release(connection, self.worker, lost)
            else:
                await self._feeder.release(connection, lost)
        self._announcer.touch()
        self._feeder.nudge()
        self._schedule()

    def _choose(self) -> tuple[list[Claimed], list[Claimed]]:
        """Pick what to mark, campaigns in turn; first of all what was perhaps marked already. The second list
        are claims that ran out."""
        if self._stopping:
            if self._doubtful:
                self._disown(self._doubtful)
                self._doubtful = []
            return [], []
        if self._doubtful:
            return self._doubtful, []
        return self._feeder.take(self._room())

    def _disown(self, rows: list[Claimed]) -> None:
        """Rows that were perhaps marked and will not be written now: in case they were, defer them."""
        self._open += len(rows)
        self._outcomes.extend(
            Outcome(row.message_id, row.attempt + 1, DeliveryState.DEFERRED, reason=INTERRUPTED)
            for row in rows
        )

    def _result(self, outcome: Outcome) -> Result:
        if outcome.state is not DeliveryState.DEFERRED:
            return Result(outcome)
        if outcome.reason == INTERRUPTED:
            return Result(outcome, 1.0)
        if is_given_up(outcome, self._settings):
            return Result(outcome, given_up=True)
        return Result(outcome, retry_delay(outcome.attempt, random.random(), self._settings))

    def _count(self, results: list[Result], step: Step) -> None:
        for state, count in Counter([result.outcome.state for result in results]).items():
            metrics.SETTLED.labels(state.value).inc(count)
        for reason, count in Counter(step.refused.values()).items():
            metrics.REFUSED.labels(reason).inc(count)
        metrics.LATE.inc(len(results) - step.settled)
        metrics.OPEN.set(self._open)
        metrics.READY.set(self._feeder.ready())

    # --- the channel ----------------------------------------------------------------------------------

    def _hand_over(self, group: list[Outbound], deadline: float) -> None:
        task = asyncio.create_task(self._deliver(group, deadline))
        self._deliveries.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if self._stopping:
            self._step_due.set()

    async def _deliver(self, group: list[Outbound], deadline: float) -> None:
        """Give messages to the channel; afterwards there is an outcome for each, whatever happened."""
        owed = {message.key: message for message in group}

        def settle(outcome: Outcome) -> None:
            if owed.pop(outcome.key, None) is not None:
                self._note(outcome)

        left = deadline - monotonic()
        state, reason = DeliveryState.UNCERTAIN, INTERRUPTED
        try:
            if left <= 0:
                state = DeliveryState.DEFERRED  # nothing was written
            else:
                async with asyncio.timeout(left):
                    await self._channel.deliver(group, settle)
        except TimeoutError:
            log.warning("messages under way were withdrawn: their lease is nearly over")
        except Exception:
            log.exception("the channel broke")
            reason = "channel_broke"
        finally:
            for message in list(owed.values()):
                settle(Outcome(message.key, message.attempt, state, reason=reason))

    def _note(self, outcome: Outcome) -> None:
        self._breaker.note(outcome, monotonic())
        self._outcomes.append(outcome)
        done = len(self._outcomes) - self._settling
        if done == 1 or done == self._open or done == self._settings.window // 2:
            self._consider()

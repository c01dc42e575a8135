"""The sending loop of one worker process: claim ahead, compose in the gaps, mark, hand to the channel, settle.

The feeder keeps composed messages ready for every running campaign. Two steppers repeat one statement
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
from collections import Counter
from typing import Final

from channels.base import Channel
from domain.clock import Clock
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome
from outbox import metrics
from outbox.backoff import INTERRUPTED, THROTTLED, Breaker, is_given_up, retry_delay
from outbox.composing import Composer
from outbox.feeder import DATABASE_AWAY, Feeder, MakeComposer
from outbox.queue import Claimed, Result, Step, hold, monotonic, prepare, release, settle_and_mark
from outbox.settings import OutboxSettings
from outbox.traffic import Traffic
from outbox.window import Window
from storage.announce import Announcer
from storage.pool import Connection, Pool

log = logging.getLogger(__name__)

#: Steps that may be under way at a time: while one waits for its commit, the other settles and marks.
_STEPPERS: Final = 2
#: Seconds of the grace in which the channel goes on with what waits in it.
_MOMENT: Final = 1.0
#: Seconds after the grace for settling and releasing.
_ENDING: Final = 6.0


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
        letters: Composer | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self.worker = worker_name()
        self._pool = pool
        self._channel = channel
        self._kind = kind
        self._settings = settings
        self._clock = clock
        self._announcer = announcer
        self._breaker = Breaker(settings.rest_limit)
        self._traffic = Traffic(settings) if traffic is None else traffic
        self._window = Window(settings.window)
        self._feeder = Feeder(
            pool,
            self.worker,
            kind,
            make_composer,
            settings,
            clock,
            self._consider,
            self._step_within,
            letters,
        )
        self._deliveries: set[asyncio.Task[None]] = set()
        self._step_due = asyncio.Event()
        self._timer: asyncio.Handle | None = None
        self._timer_at = (
            0.0  # of the loop's clock; a handle of uvloop for less than a millisecond does not tell it
        )
        self._stopping = False

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
        steppers = {
            asyncio.create_task(self._step_forever(), name=f"outbox-stepper-{n}") for n in range(_STEPPERS)
        }
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({feeder, stopped, *steppers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            self._stopping = True
            await self._wind_down(feeder, steppers)
        for task in (feeder, *steppers):  # one that broke tells the supervisor
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _wind_down(self, feeder: asyncio.Task[None], steppers: set[asyncio.Task[None]]) -> None:
        """Let the channel finish, interrupt it when it takes too long, settle the last results.

        Takes `stop_grace` seconds and `_ENDING` at most: a moment for the channel to finish by itself, as a quick
        server lets it; then what still waits in it is withdrawn, and the grace belongs to what is being written.
        """
        began, grace = monotonic(), self._settings.stop_grace

        def left(seconds: float) -> float:
            return max(0.0, began + seconds - monotonic())

        self._feeder.stop()
        self._step_due.set()
        await asyncio.wait({feeder, *steppers}, timeout=min(_MOMENT, grace / 2))
        deliveries = set(self._deliveries)
        for task in deliveries:
            task.cancel()
        if deliveries:
            await asyncio.wait(deliveries, timeout=left(grace))
        self._step_due.set()
        await asyncio.wait({feeder, *steppers}, timeout=left(grace + _ENDING / 2))
        for task in (feeder, *steppers):
            task.cancel()
        await asyncio.wait({feeder, *steppers})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left(grace + _ENDING)):
                await self._settle_rest()
                await self._feeder.give_back(self._traffic.domains.drain())

    async def _settle_rest(self) -> None:
        """Settle what no stepper settled; what cannot be settled now becomes uncertain when its lease is over."""
        while not self._window.is_empty():
            before = self._window.marked + self._window.marking
            try:
                async with self._pool.acquire(timeout=2) as connection:
                    await prepare(connection)
                    await self._step(connection)
            except Exception:
                log.exception("the last results could not be settled")
                return
            if self._window.marked + self._window.marking == before:
                return  # a delivery that does not end

    # --- steps ----------------------------------------------------------------------------------------

    def _consider(self) -> None:
        """Have a step done when it is worth its while or nothing else is going on, else in a little while."""
        window = self._window
        done = len(window.outcomes) + len(window.disowned)
        movable = min(self._feeder.ready(), window.room(self._breaker.room(monotonic())))
        if done >= window.part or movable >= window.part or ((done or movable) and window.quiet):
            self._step_due.set()
        elif done or movable:
            self._step_within(self._settings.flush_after)

    def _step_within(self, delay: float) -> None:
        """Have a step done after `delay` seconds at the latest."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer_at <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer_at = loop.time() + delay
        self._timer = loop.call_later(max(0.0, delay), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._step_due.set()

    async def _step_forever(self) -> None:
        pause = 0.1
        while not self._finished():
            try:
                async with self._pool.acquire(timeout=10) as connection:
                    await prepare(connection)
                    while not self._finished():
                        try:
                            await asyncio.wait_for(self._step_due.wait(), self._settings.poll)
                        except TimeoutError:
                            pass  # look, just in case
                        else:
                            if not self._step_due.is_set():
                                continue  # another stepper was quicker
                        self._step_due.clear()
                        await self._step(connection)
                        pause = 0.1
            except DATABASE_AWAY as error:
                log.warning("the outbox cannot settle: %s", error)
            except Exception:
                log.exception("a step of the outbox broke")  # what is known must be settled all the same
            else:
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2)
            self._step_due.set()

    def _finished(self) -> bool:
        return self._stopping and not self._deliveries and self._window.is_empty()

    async def _step(self, connection: Connection) -> None:
        """Settle what has come in, mark what there is room for, hand it to the channel."""
        window = self._window
        await self._traffic.share(connection)
        wanted, late = self._choose()
        self._feeder.forget(late)
        if wanted and self._traffic.active:
            wanted = await self._sift(connection, wanted)
        portion = window.begin(wanted)
        if not portion:
            self._schedule()
            return
        results = [self._result(outcome) for outcome in portion.outcomes]
        results += [_interrupted(row) for row in portion.disowned]
        lease = self._settings.sending_lease
        began = monotonic()
        try:
            with metrics.STEP_SECONDS.time():
                step = await settle_and_mark(
                    connection,
                    self.worker,
                    results,
                    portion.wanted,
                    lease,
                    self._clock.now(),
                    repeated=portion.doubtful,
                    kind=self._kind,
                )
        except BaseException:
            window.fail(portion)
            raise
        finished, lost = window.end(portion, step)
        for lot in finished:
            self._feeder.finish(lot)
        self._count(results, step)
        group = [row.message for row in portion.wanted if row.message_id in step.marked and row.message]
        if len(group) < len(portion.wanted):
            self._traffic.domains.drop(row for row in portion.wanted if row.message_id not in step.marked)
        if group:
            claims = None
            if self._kind is ChannelKind.SMS:
                claims = {row.message_id: row.claim for row in portion.wanted}
            self._hand_over(group, began + lease - self._settings.lease_margin, claims)
        self._announcer.touch()
        self._feeder.nudge()
        self._schedule()
        if lost:
            await self._let_go(connection, lost, doubtful=portion.doubtful)

    def _choose(self) -> tuple[list[Claimed], list[Claimed]]:
        """Pick what to mark; the second list are claims that ran out."""
        window = self._window
        if self._stopping:
            doubtful, window.doubtful = window.doubtful, []
            window.disown(doubtful, counted=True)
        if self._stopping or window.doubtful:
            return [], []
        room = window.room(self._breaker.room(monotonic()))
        recalled = self._traffic.domains.recall(room) if self._traffic.active else []
        wanted, late = self._feeder.take(room - len(recalled))
        return recalled + wanted, late

    async def _sift(self, connection: Connection, rows: list[Claimed]) -> list[Claimed]:
        """Keep what may go now; what is over a limit, or goes to somebody who rests, goes back to the queue."""
        window = self._window
        window.choosing += len(rows)
        try:
            going, held = await self._traffic.sift(connection, rows)
            if held:
                await hold(connection, self.worker, held)
                self._feeder.forget([one.row for one in held])
                self._feeder.nudge()
                metrics.HELD.inc(len(held))
        except BaseException:
            self._traffic.domains.forget(rows)
            self._feeder.forget(rows)  # the sweeper finds them
            raise
        finally:
            window.choosing -= len(rows)
        if self._stopping or window.doubtful:  # since we looked
            self._traffic.domains.drop(going)
            await self._feeder.release(connection, going)
            return []
        return going

    async def _let_go(self, connection: Connection, rows: list[Claimed], *, doubtful: bool) -> None:
        """Rows that were not marked, because their claim ran out or their campaign does not run."""
        if doubtful:
            self._window.disown(rows, counted=False)
            await release(connection, self.worker, rows)
        else:
            await self._feeder.release(connection, rows)

    def _schedule(self) -> None:
        """After a step: see to it that the next one comes in time."""
        self._consider()
        now = monotonic()
        if (opening := self._feeder.next_opening()) is not None:
            self._step_within(opening - now)
        if self._breaker.room(now) == 0:
            self._step_within(self._breaker.until - now)

    def _result(self, outcome: Outcome) -> Result:
        if outcome.state is not DeliveryState.DEFERRED:
            return Result(outcome)
        if outcome.reason == INTERRUPTED:
            return Result(outcome, 1.0)
        if isinstance(outcome, _Unread):
            return Result(outcome, self._traffic.again(), claim=outcome.claim, unread=True)
        if is_given_up(outcome, self._settings):
            return Result(outcome, given_up=True)
        return Result(outcome, retry_delay(outcome.attempt, random.random(), self._settings))

    def _count(self, results: list[Result], step: Step) -> None:
        for state, count in Counter([result.outcome.state for result in results]).items():
            metrics.SETTLED.labels(state.value).inc(count)
        for reason, count in Counter(step.refused.values()).items():
            metrics.REFUSED.labels(reason).inc(count)
        metrics.LATE.inc(len(results) - step.settled)
        metrics.OPEN.set(self._window.marked)
        metrics.READY.set(self._feeder.ready())

    # --- the channel ----------------------------------------------------------------------------------

    def _hand_over(self, group: list[Outbound], deadline: float, claims: dict[int, int] | None) -> None:
        task = asyncio.create_task(self._deliver(group, deadline, claims))
        self._deliveries.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if self._stopping:
            self._step_due.set()

    async def _deliver(
        self, group: list[Outbound], deadline: float, claims: dict[int, int] | None = None
    ) -> None:
        """Give messages to the channel; afterwards there is an outcome for each, whatever happened. `claims` of short
        messages, by id."""
        owed = {message.key: message for message in group}

        def settle(outcome: Outcome) -> None:
            message = owed.pop(outcome.key, None)
            if message is not None:
                if outcome.state is DeliveryState.DEFERRED or self._traffic.watching:
                    self._traffic.domains.note(message, outcome)
                if claims and outcome.reason == THROTTLED and outcome.state is DeliveryState.DEFERRED:
                    outcome = _Unread.under(claims[outcome.key], outcome)
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
        """A result came in. Looks whether a step is due only where that may have changed: this runs per message."""
        window = self._window
        if outcome.reason or self._breaker.failures:  # else there is nothing to learn from it
            self._breaker.note(outcome, monotonic())
        window.outcomes.append(outcome)
        done = len(window.outcomes)
        if done == 1 or done == window.part or not window.on_wire:
            self._consider()


class _Unread(Outcome):
    """A short message that was throttled: nobody looked at it, so its attempt does not count. As the next one has the
    same number, the claim is what fences this outcome."""

    claim: int = 0

    @classmethod
    def under(cls, claim: int, outcome: Outcome) -> _Unread:
        """The same outcome, with the claim that it belongs to."""
        unread = cls(*outcome)
        unread.claim = claim
        return unread


def _interrupted(row: Claimed) -> Result:
    """The result of a row that may have been marked and will not be written now."""
    outcome = Outcome(row.message_id, row.attempt + 1, DeliveryState.DEFERRED, reason=INTERRUPTED)
    return Result(outcome, 1.0, claim=row.claim)

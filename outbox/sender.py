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
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import asyncpg

from channels.base import Channel
from domain.clock import Clock
from domain.errors import ClytieError
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome
from outbox import metrics, statements
from outbox.backoff import INTERRUPTED, Breaker, is_given_up, retry_delay
from outbox.composing import Composer
from outbox.feed import Feed
from outbox.queue import Claimed, Result, Step, claim, monotonic, prepare, release, reserve, settle_and_mark
from outbox.settings import OutboxSettings
from storage.announce import Announcer
from storage.pool import Connection, Pool

log = logging.getLogger(__name__)

#: Makes the composer of a campaign from its row (id, name, source).
MakeComposer = Callable[[Mapping[str, Any]], Awaitable[Composer]]

#: Composed at a stretch, between which the wire has its turn.
_AT_ONCE: Final = 50

DATABASE_AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


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
        self._make_composer = make_composer
        self._settings = settings
        self._clock = clock
        self._announcer = announcer
        self._kind = kind
        self._breaker = Breaker(settings.rest_limit)
        self._feeds: dict[int, Feed] = {}
        self._outcomes: deque[Outcome] = deque()
        self._open = 0  # marked and unsettled in the database
        self._settling = 0  # of the outcomes, those in the statement under way
        self._doubtful: list[Claimed] = []  # marked perhaps: the answer was lost
        self._deliveries: set[asyncio.Task[None]] = set()
        self._step_due = asyncio.Event()
        self._feed_due = asyncio.Event()
        self._refresh_at = 0.0
        self._stopping = False
        self._flush: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether it holds nothing to send."""
        return not any(feed.ready for feed in self._feeds.values())

    def wake(self) -> None:
        """Look at the queue now."""
        self._refresh_at = 0.0
        for feed in self._feeds.values():
            feed.look_at = 0.0
        self._feed_due.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then settle what is under way, within `stop_grace`, and release the rest."""
        feeder = asyncio.create_task(self._feed_forever(), name="outbox-feeder")
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
        self._feed_due.set()
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
        held = [row for feed in self._feeds.values() for row, _ in feed.ready]
        self._feeds.clear()
        with contextlib.suppress(*DATABASE_AWAY):
            async with self._pool.acquire(timeout=5) as connection:
                await release(connection, self.worker, held)

    # --- the feeder -----------------------------------------------------------------------------------

    async def _feed_forever(self) -> None:
        pause = 0.1
        while not self._stopping:
            try:
                async with self._pool.acquire(timeout=10) as connection:
                    await prepare(connection)
                    while not self._stopping:
                        wait = await self._feed(connection)
                        pause = 0.1
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._feed_due.wait(), wait)
                        self._feed_due.clear()
            except DATABASE_AWAY as error:
                log.warning("the outbox cannot reach the database: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5)

    async def _feed(self, connection: Connection) -> float:
        """Fill every feed; gives the seconds until the next look."""
        if monotonic() >= self._refresh_at:
            self._refresh_at = monotonic() + self._settings.poll
            await self._refresh(connection)
        for feed in list(self._feeds.values()):
            await self._fill(connection, feed)
            if feed.wants_allowance():
                count = feed.portion(self._settings)
                wait = await reserve(connection, feed.campaign_id, count, feed.rate or 1)
                feed.allowance, feed.opens = count, monotonic() + wait
                self._step_at(wait)
        now = monotonic()
        waits = [feed.look_at - now for feed in self._feeds.values() if feed.look_at > now]
        return max(0.0, min([self._refresh_at - now, *waits]))

    async def _refresh(self, connection: Connection) -> None:
        """Notice campaigns that began, changed their rate, or do not run any more."""
        rates = {
            row["id"]: row["rate"] for row in await connection.fetch(statements.RUNNING, self._kind.value)
        }
        for campaign_id in self._feeds.keys() - rates.keys():
            feed = self._feeds.pop(campaign_id)
            await release(connection, self.worker, [row for row, _ in feed.ready])
        for campaign_id, rate in rates.items():
            if campaign_id not in self._feeds:
                (campaign,) = await connection.fetch(statements.CAMPAIGN, campaign_id)
                try:
                    composer = await self._make_composer(dict(campaign))
                except ClytieError as error:
                    log.error("campaign %s cannot be composed and waits: %s", campaign_id, error)
                    continue
                self._feeds[campaign_id] = Feed(campaign_id, composer)
            self._feeds[campaign_id].rate = rate

    async def _fill(self, connection: Connection, feed: Feed) -> None:
        """Claim and compose for one campaign."""
        now = monotonic()
        count = feed.claim_count(self._settings)
        if not count or now < feed.look_at:
            return
        lease = self._settings.claim_lease
        rows = await claim(connection, self.worker, feed.campaign_id, count, lease, feed.after)
        if not rows:
            feed.look_at = monotonic() + self._settings.poll
            return
        metrics.CLAIMED.inc(len(rows))
        feed.after = max(feed.after, rows[-1]["message_id"])
        business = self._clock.now().replace(microsecond=0)
        for start in range(0, len(rows), _AT_ONCE):
            composed = feed.composer.compose(rows[start : start + _AT_ONCE], business)
            feed.ready.extend([(row, now + lease) for row in composed])
            self._consider()
            await asyncio.sleep(0)

    # --- the stepper ----------------------------------------------------------------------------------

    def _ready(self) -> int:
        now = monotonic()
        return sum([feed.available(now) for feed in self._feeds.values()])

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
        movable = 0 if self._settling else min(self._ready(), self._room())
        if done >= half or movable >= half or ((done or movable) and done == self._open):
            self._step_due.set()
        elif done or movable:
            self._step_at(self._settings.flush_after)

    def _schedule(self) -> None:
        """After a step: see to it that the next one comes in time."""
        self._consider()
        now = monotonic()
        moments = [feed.opens for feed in self._feeds.values() if feed.allowance and feed.opens > now]
        if self._breaker.room(now) == 0:
            moments.append(self._breaker.until)
        if moments:
            self._step_at(min(moments) - now)

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
            await release(connection, self.worker, late)
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
            self._outcomes.popleft()
        self._open += len(step.marked) - len(results)
        self._count(results, step)
        group = [row.message for row in wanted if row.message_id in step.marked and row.message is not None]
        if group:
            self._hand_over(group, began + self._settings.sending_lease - self._settings.lease_margin)
        if lost := [row for row in wanted if row.message_id not in step.marked | step.refused.keys()]:
            if doubtful:
                self._disown(lost)
            await release(connection, self.worker, lost)
        self._announcer.touch()
        self._feed_due.set()
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
        wanted: list[Claimed] = []
        late: list[Claimed] = []
        room, now = self._room(), monotonic()
        feeds = [feed for feed in self._feeds.values() if feed.available(now)]
        for index, feed in enumerate(feeds):
            good, over = feed.take(-(-room // (len(feeds) - index)), now)
            wanted.extend(good)
            late.extend(over)
            room -= len(good)
        if len(feeds) > 1 and feeds[0].campaign_id in self._feeds:  # the first in line goes last next time
            self._feeds[feeds[0].campaign_id] = self._feeds.pop(feeds[0].campaign_id)
        return wanted, late

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
        for result in results:
            metrics.SETTLED.labels(result.outcome.state.value).inc()
        for reason in step.refused.values():
            metrics.REFUSED.labels(reason).inc()
        metrics.LATE.inc(len(results) - step.settled)
        metrics.OPEN.set(self._open)
        metrics.READY.set(self._ready())

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

"""The feeder of a sender: claims ranges of running campaigns ahead, composes their messages, keeps to their pace.

Times are monotonic seconds (outbox.queue.monotonic).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import asyncpg

from domain.clock import Clock
from domain.errors import ClytieError
from domain.messages import ChannelKind
from outbox import metrics, ranges, statements
from outbox.addresses import LETTERS
from outbox.composing import Composer
from outbox.feed import LETTERS_AT_ONCE, Feed
from outbox.queue import Claimed, Lot, claim, claim_letters, monotonic, prepare, release, renew, reserve
from outbox.settings import OutboxSettings
from storage.pool import Connection, Pool

log = logging.getLogger(__name__)

#: Makes the composer of a campaign from its row (id, name, source).
MakeComposer = Callable[[Mapping[str, Any]], Awaitable[Composer]]

#: Composed at a stretch, between which the wire has its turn: as many as take so many seconds, up to a number.
#: Signatures and large letters take long.
_STRETCH: Final = 0.005
_AT_ONCE: Final = 50

#: The last is what asyncpg's pool raises when a connection was lost while it was given back.
DATABASE_AWAY: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    TimeoutError,
    asyncpg.InternalClientError,
)


class Feeder:
    """Keeps messages ready. `on_ready` is called when there are more, `on_opening` with the seconds until a
    campaign's pace lets the next ones through."""

    def __init__(
        self,
        pool: Pool,
        worker: str,
        kind: ChannelKind,
        make_composer: MakeComposer,
        settings: OutboxSettings,
        clock: Clock,
        on_ready: Callable[[], None],
        on_opening: Callable[[float], None],
        letters: Composer | None = None,
    ) -> None:
        self._pool = pool
        self._worker = worker
        self._kind = kind
        self._make_composer = make_composer
        self._settings = settings
        self._clock = clock
        self._on_ready = on_ready
        self._on_opening = on_opening
        self._letters = letters
        self._feeds: dict[int, Feed] = {}
        self._finished: list[int] = []  # ranges whose claimed rows are all finished
        self._due = asyncio.Event()
        self._refresh_at = 0.0
        self._stopping = False

    # --- what the sender asks for -----------------------------------------------------------------------

    def wake(self) -> None:
        """Look at the queue now."""
        self._refresh_at = 0.0
        for feed in self._feeds.values():
            feed.look_at = 0.0
        self._due.set()

    def nudge(self) -> None:
        """Messages were taken, or finished: there may be room for more."""
        self._due.set()

    def ready(self) -> int:
        """How many messages may be marked now."""
        now = monotonic()
        return sum([feed.available(now) for feed in self._feeds.values()])

    def next_opening(self) -> float | None:
        """When a campaign's pace lets the next messages through, if one waits for that."""
        now = monotonic()
        return min(
            (feed.opens for feed in self._feeds.values() if feed.allowance and feed.opens > now), default=None
        )

    def take(self, room: int) -> tuple[list[Claimed], list[Claimed]]:
        """Take up to `room` messages to mark, letters first, campaigns in turn; the second list are claims that ran
        out."""
        wanted: list[Claimed] = []
        late: list[Claimed] = []
        now = monotonic()
        feeds = [feed for feed in self._feeds.values() if feed.available(now)]
        if (letters := self._feeds.get(LETTERS)) in feeds and letters is not None:
            wanted, late = letters.take(room, now)
            room -= len(wanted)
            feeds.remove(letters)
        for index, feed in enumerate(feeds):
            good, over = feed.take(-(-room // (len(feeds) - index)), now)
            wanted.extend(good)
            late.extend(over)
            room -= len(good)
        if len(feeds) > 1:  # the first in line goes last next time
            self._feeds[feeds[0].campaign_id] = self._feeds.pop(feeds[0].campaign_id)
        return wanted, late

    def finish(self, lot: Lot | None) -> None:
        """A row of this lot is settled, refused or released."""
        if lot is not None:
            lot.left -= 1
            if not lot.left:
                self._finished.append(lot.low)

    # --- the loop ---------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the loop after what it is at."""
        self._stopping = True
        self._due.set()

    async def run(self) -> None:
        """Feed until `stop`; through outages of the database."""
        pause = 0.1
        while not self._stopping:
            try:
                async with self._pool.acquire(timeout=10) as connection:
                    await prepare(connection)
                    while not self._stopping:
                        wait = await self._feed(connection)
                        pause = 0.1
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._due.wait(), wait)
                        self._due.clear()
            except DATABASE_AWAY as error:
                log.warning("the outbox cannot reach the database: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5)

    async def give_back(self, others: list[Claimed]) -> None:
        """Release everything that is held, and these others, after the loop has ended."""
        held = others + [row for feed in self._feeds.values() for row, _ in feed.ready]
        self._feeds.clear()
        with contextlib.suppress(*DATABASE_AWAY):
            async with self._pool.acquire(timeout=5) as connection:
                await release(connection, self._worker, held)
            await ranges.close(
                self._pool, sorted({row.lot.low for row in held if row.lot} | {*self._finished})
            )

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
                self._on_opening(wait)
        if self._finished:
            finished, self._finished = self._finished, []
            try:
                await ranges.close(self._pool, finished)
            except DATABASE_AWAY:
                self._finished += finished
                raise
        now = monotonic()
        waits = [feed.look_at - now for feed in self._feeds.values() if feed.look_at > now]
        return max(0.0, min([self._refresh_at - now, *waits]))

    async def _refresh(self, connection: Connection) -> None:
        """Notice campaigns that began, changed their rate, or do not run any more."""
        rates = {
            row["id"]: row["rate"] for row in await connection.fetch(statements.RUNNING, self._kind.value)
        }
        if self._letters is not None and LETTERS not in self._feeds:
            self._feeds[LETTERS] = Feed(LETTERS, self._letters)
        for campaign_id in self._feeds.keys() - rates.keys() - {LETTERS}:
            feed = self._feeds.pop(campaign_id)
            await self.release(connection, [row for row, _ in feed.ready])
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

    async def release(self, connection: Connection, rows: list[Claimed]) -> None:
        """Give rows back that will not be sent. When that fails, the sweeper finds them."""
        try:
            await release(connection, self._worker, rows)
        finally:
            self.forget(rows)

    def forget(self, rows: list[Claimed]) -> None:
        """These rows are not ours any more."""
        for row in rows:
            self.finish(row.lot)

    async def _renew(self, connection: Connection, feed: Feed) -> None:
        """Claim for longer what has waited long: behind a slow server or a slow pace, or during a rest."""
        now, lease = monotonic(), self._settings.claim_lease
        if aging := feed.aging(now, lease):
            kept = await renew(connection, self._worker, aging, lease)
            self.forget(feed.renewed(aging, kept, now + lease))

    async def _fill(self, connection: Connection, feed: Feed) -> None:
        """Claim and compose for one campaign. What ran out is forgotten first: it may come again."""
        now = monotonic()
        self.forget(feed.drop_late(now))
        await self._renew(connection, feed)
        now = monotonic()
        if now < feed.look_at or not feed.wants_messages(self._settings):
            return
        found = await self._claim(connection, feed)
        if found is None:
            feed.look_at = monotonic() + self._settings.poll
            return
        rows, lots = found
        metrics.CLAIMED.inc(len(rows))
        business = self._clock.now().replace(microsecond=0)
        until = now + self._settings.claim_lease
        while rows:
            some, rows = rows[: feed.stretch], rows[feed.stretch :]
            began = monotonic()
            composed = feed.composer.compose(some, business)
            pace = max(monotonic() - began, 1e-6) / len(some)
            feed.stretch = max(1, min(_AT_ONCE, int(_STRETCH / pace)))
            for row in composed:
                row.lot = lots.get(row.message_id) or lots[0]
            feed.ready.extend([(row, until) for row in composed])
            self._on_ready()
            await asyncio.sleep(0)
        self._due.set()

    async def _claim(
        self, connection: Connection, feed: Feed
    ) -> tuple[list[asyncpg.Record], dict[int, Lot]] | None:
        """Claim for a feed, None when nothing is due; gives rows and the lots they belong to, by message or for all."""
        lease = self._settings.claim_lease
        if feed.campaign_id == LETTERS:
            letters = await claim_letters(connection, self._worker, lease, LETTERS_AT_ONCE, self._kind)
            if letters is None:
                return None
            empty, rows = letters
            self._finished += empty
            return rows, {row["message_id"]: Lot(row["message_id"], 1) for row in rows}
        feed.claims += 1
        claimed = await claim(
            connection,
            self._worker,
            feed.campaign_id,
            lease,
            fields=feed.composer.wants_fields,
            last=feed.claims % 2 == 0,
        )
        if claimed is None:
            return None
        low, rows = claimed
        if not rows:
            self._finished.append(low)
        return rows, {0: Lot(low, len(rows))}

"""The connections to one mail server and the queue they share: opened as needed, kept, watched, closed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from channels.mail.oauth.tokens import TokenSource
from channels.mail.sending.opening import OpeningFailed, make_tls, open_session
from channels.mail.sending.queue import Batch, Job
from channels.mail.sending.session import Session
from channels.mail.settings import Encryption, RelaySettings
from domain.messages import DeliveryState, Outbound, Outcome

log = logging.getLogger(__name__)

#: Connections in a row that carried nothing before the waiting messages are deferred.
_PATIENCE = 3


class Pool:
    """Sends messages over at most `settings.connections` connections. Belongs to one event loop."""

    def __init__(self, settings: RelaySettings, tokens: TokenSource | None = None) -> None:
        self._settings = settings
        self._tokens = tokens
        self._tls = None if settings.encryption is Encryption.NEVER else make_tls(settings)
        self._queue: deque[Job] = deque()
        self._batches: set[Batch] = set()
        self._sessions: set[Session] = set()
        self._resting: list[Session] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._fruitless = 0  # connections in a row that failed, or ended before a message was sent
        self._ticker: asyncio.TimerHandle | None = None
        waits = settings.timeouts.model_dump().values()
        self._tick_every = min(1.0, max(0.01, min(waits) / 4))

    async def deliver(self, messages: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        """Send these messages; `settle` is called once for each, then this returns.

        May be called many times at once. Cancelled, it settles what is not fully written as DEFERRED
        (`interrupted`), waits up to `timeouts.grace` for the answers to the rest, and settles as UNCERTAIN
        what is still open. Raises the first exception that `settle` raised, after the last message.
        """
        if not messages:
            return
        batch = Batch(len(messages), settle, self._settings.called)
        self._batches.add(batch)
        try:
            self._queue.extend([(message, batch) for message in messages])
            self._wake()
            await asyncio.shield(batch.done)
        except asyncio.CancelledError:
            self._withdraw(batch)
            try:
                await asyncio.wait({batch.done}, timeout=self._settings.timeouts.grace)
            finally:
                self._cut_off(batch)
            raise
        finally:
            self._batches.discard(batch)
        if batch.error is not None:
            raise batch.error

    async def close(self) -> None:
        """Interrupt what is under way (as a cancelled `deliver` does), say QUIT, close every connection."""
        for task in self._opening:
            task.cancel()
        batches = list(self._batches)
        for batch in batches:
            self._withdraw(batch)
        if waiting := {batch.done for batch in batches if batch.open}:
            await asyncio.wait(waiting, timeout=self._settings.timeouts.grace)
        for batch in batches:
            self._cut_off(batch)
        sessions = list(self._sessions)
        for session in sessions:
            session.quit()
        if sessions:
            await asyncio.wait({s.closed for s in sessions}, timeout=self._settings.timeouts.quit)
        for session in sessions:
            session.hang_up("interrupted", "")
        if ending := {*self._opening, *(session.closed for session in sessions)}:
            await asyncio.wait(ending)
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    # --- what sessions ask for (session.Keeper) -------------------------------------------------------

    def next_job(self) -> Job | None:
        """The next message in line."""
        return self._queue.popleft() if self._queue else None

    def give_back(self, job: Job) -> None:
        """Put a message first in line again, unless its batch was withdrawn in the meantime."""
        if job[1].withdrawn:
            job[1].settle(job[0], DeliveryState.DEFERRED, "", "interrupted")
        else:
            self._queue.appendleft(job)

    def rest(self, session: Session) -> None:
        """Remember a session that waits for work."""
        if session not in self._resting:
            self._resting.append(session)

    def part(self, session: Session) -> None:
        """A session is over: replace it if there is work, give up after several that carried nothing."""
        self._sessions.discard(session)
        if session in self._resting:
            self._resting.remove(session)
        reason, words = session.farewell
        if session.sent:
            self._fruitless = 0
        elif reason:
            self._fruitless += 1
        self._wake_or_give_up(reason, words)

    # --- inside ---------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Put sessions to work, and open more while messages wait."""
        while self._queue and self._resting:
            self._resting.pop().wake()
        room = self._settings.connections - len(self._sessions) - len(self._opening)
        if self._fruitless:
            room = min(room, 1 - len(self._opening))  # one at a time until the server takes mail again
        for _ in range(min(room, len(self._queue))):
            task = asyncio.get_running_loop().create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _wake_or_give_up(self, reason: str, words: str) -> None:
        if not reason or self._fruitless < _PATIENCE:
            self._wake()
        elif not self._sessions and not self._opening:
            self._fruitless = 1  # the next batch begins with one attempt
            self._defer_waiting(reason, words)

    async def _open(self) -> None:
        """Open one connection and put it to work; if none can be had at all, defer what waits."""
        settings = self._settings
        task = asyncio.current_task()
        try:
            session, features = await open_session(
                settings,
                self._tls,
                lambda: Session(self, settings.timeouts, settings.messages_per_connection),
                self._tokens,
            )
        except OpeningFailed as failure:
            self._note_failure(failure, task)
            return
        except Exception as error:
            log.exception("opening a connection to %s failed", settings.host)
            self._note_failure(OpeningFailed("connection_failed", str(error)), task)
            return
        self._sessions.add(session)
        if self._ticker is None:
            self._tick()
        session.start(features)

    def _note_failure(self, failure: OpeningFailed, task: asyncio.Task[None] | None) -> None:
        self._fruitless += 1
        if task is not None:
            self._opening.discard(task)
        if not self._sessions and not self._opening:
            self._defer_waiting(failure.reason, failure.words)

    def _defer_waiting(self, reason: str, words: str) -> None:
        while self._queue:
            message, batch = self._queue.popleft()
            batch.settle(message, DeliveryState.DEFERRED, words[:500], reason, unreached=True)

    def _withdraw(self, batch: Batch) -> None:
        """Settle what is not fully written of a batch."""
        batch.withdrawn = True
        waiting = [job for job in self._queue if job[1] is batch]
        if waiting:
            self._queue = deque(job for job in self._queue if job[1] is not batch)
        for message, _ in waiting:
            batch.settle(message, DeliveryState.DEFERRED, "", "interrupted")
        for session in list(self._sessions):
            session.withdraw(batch)

    def _cut_off(self, batch: Batch) -> None:
        """Hang up on the servers that still owe an answer for a withdrawn batch: those are UNCERTAIN."""
        for session in list(self._sessions):
            if session.wire is not None and session.wire[1] is batch:
                session.hang_up("interrupted", "")

    def _tick(self) -> None:
        """Look at every session's deadline. One timer for all; per-message timers cost too much."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for session in list(self._sessions):
            if session.deadline < now:
                session.expire()
        if self._queue:
            self._wake()
        self._ticker = loop.call_later(self._tick_every, self._tick) if self._sessions else None

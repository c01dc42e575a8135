"""A batch of messages, each by a request of its own: so many at a time, each settled once, interrupted in good order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar

from domain.messages import DeliveryState, Outbound, Outcome

log = logging.getLogger(__name__)


class Flight:
    """One message under way. `written` is set before the first byte of a request that could send it leaves."""

    __slots__ = ("message", "retry_after", "written")

    def __init__(self, message: Outbound) -> None:
        self.message = message
        self.written = False
        self.retry_after = ""  #: the header of the last answer

    def outcome(
        self,
        state: DeliveryState,
        reply: str = "",
        reason: str = "",
        *,
        unreached: bool = False,
        provider_id: str = "",
    ) -> Outcome:
        """The outcome of this attempt; words beyond 500 characters are cut."""
        key, attempt = self.message.key, self.message.attempt
        return Outcome(
            key, attempt, state, reply[:500], reason, unreached=unreached, provider_id=provider_id[:100]
        )

    def interrupted(self) -> Outcome:
        """Its outcome when it ends now, without an answer."""
        state = DeliveryState.UNCERTAIN if self.written else DeliveryState.DEFERRED
        return self.outcome(state, "", "interrupted")


#: The flight that the current task serves: how the HTTP session, below a provider's own client, knows whose
#: request it writes.
FLIGHT: ContextVar[Flight | None] = ContextVar("flight", default=None)

Attempt = Callable[[Flight], Awaitable[Outcome]]


class _Batch:
    __slots__ = ("error", "flights", "settle", "waiting", "workers")

    def __init__(self, messages: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        self.waiting = deque(messages)
        self.flights: dict[asyncio.Task[None], Flight] = {}
        self.workers: set[asyncio.Task[None]] = set()
        self.settle = settle
        self.error: Exception | None = None

    def report(self, outcome: Outcome) -> None:
        """Settle a message; an exception of the caller's function is raised when the rest is through."""
        try:
            self.settle(outcome)
        except Exception as error:
            log.exception("settling message %s failed", outcome.key)
            self.error = self.error or error


class Dispatch:
    """Delivers batches by calling `attempt` for each message, at most `connections` at a time. Belongs to one loop."""

    def __init__(self, attempt: Attempt, connections: int, grace: float) -> None:
        self._attempt = attempt
        self._connections = connections
        self._grace = grace
        self._room = asyncio.Semaphore(connections)
        self._batches: set[_Batch] = set()

    async def deliver(self, messages: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        """Send these messages; `settle` is called once for each, then this returns.

        May be called many times at once. Cancelled, it settles what was not begun as DEFERRED (`interrupted`), waits
        up to the grace for the answers to what was written, and settles as UNCERTAIN what is still open. Raises the
        first exception that `settle` raised, after the last message.
        """
        if not messages:
            return
        batch = _Batch(messages, settle)
        self._batches.add(batch)
        try:
            for _ in range(min(self._connections, len(messages))):
                batch.workers.add(asyncio.create_task(self._work(batch), name="dispatch"))
            try:
                await asyncio.wait(batch.workers)
            except asyncio.CancelledError:
                self._withdraw(batch)
                raise
            finally:
                await self._wind_down(batch)
        finally:
            self._batches.discard(batch)
        if batch.error is not None:
            raise batch.error

    async def close(self) -> None:
        """Interrupt what is under way, as a cancelled `deliver` does."""
        batches = list(self._batches)
        for batch in batches:
            self._withdraw(batch)
        for batch in batches:
            await self._wind_down(batch)

    async def _wind_down(self, batch: _Batch) -> None:
        """Give the requests that are written their grace, then end them."""
        try:
            if open_ := {worker for worker in batch.workers if not worker.done()}:
                await asyncio.wait(open_, timeout=self._grace)
        finally:
            if open_ := {worker for worker in batch.workers if not worker.done()}:
                for worker in open_:
                    worker.cancel()
                await asyncio.wait(open_)

    def _withdraw(self, batch: _Batch) -> None:
        """Settle what waits, and end what has written nothing yet."""
        while batch.waiting:
            batch.report(Flight(batch.waiting.popleft()).interrupted())
        for worker in batch.workers:
            flight = batch.flights.get(worker)
            if flight is None or not flight.written:
                worker.cancel()

    async def _work(self, batch: _Batch) -> None:
        """Take messages of a batch until there are none left."""
        task = asyncio.current_task()
        assert task is not None
        while batch.waiting:
            flight = Flight(batch.waiting.popleft())
            batch.flights[task] = flight
            token = FLIGHT.set(flight)
            outcome: Outcome | None = None
            try:
                async with self._room:
                    outcome = await self._attempt(flight)
            except Exception as error:
                log.exception("sending message %s failed", flight.message.key)
                state = DeliveryState.UNCERTAIN if flight.written else DeliveryState.DEFERRED
                outcome = flight.outcome(state, f"{type(error).__name__}: {error}", "protocol_error")
            finally:
                FLIGHT.reset(token)
                batch.flights.pop(task, None)
                batch.report(outcome or flight.interrupted())

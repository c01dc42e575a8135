"""Batches of messages on their way out: who waits for them, and that each is settled exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from domain.messages import DeliveryState, Outbound, Outcome

log = logging.getLogger(__name__)


class Batch:
    """The messages of one `deliver` call to the relay of this name. `settle` is the caller's; its errors are kept, not
    passed on."""

    __slots__ = ("_settle", "done", "error", "open", "relay", "withdrawn")

    def __init__(self, count: int, settle: Callable[[Outcome], None], relay: str) -> None:
        self._settle = settle
        self.relay = relay
        self.open = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: Exception | None = None
        self.withdrawn = False

    def settle(
        self,
        message: Outbound,
        state: DeliveryState,
        reply: str,
        reason: str = "",
        *,
        unreached: bool = False,
    ) -> None:
        """Report what became of a message. An exception of the caller's function is raised by `deliver`
        when the rest of the batch is through."""
        try:
            self._settle(Outcome(message.key, message.attempt, state, reply, reason, self.relay, unreached))
        except Exception as error:
            log.exception("settling message %s failed", message.key)
            self.error = self.error or error
        self.open -= 1
        if not self.open and not self.done.done():
            self.done.set_result(None)


#: A message and the batch that waits for it. It is in one place at a time: in the queue, ahead in a
#: session (its commands may be written, its content not), or on a session's wire.
Job = tuple[Outbound, Batch]

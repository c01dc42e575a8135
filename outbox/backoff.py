"""When to try again, and when to rest: pure decisions about refusals and about a server that is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.messages import DeliveryState, Outcome
from outbox.settings import OutboxSettings

#: Reasons that speak about the server or our settings, not about one recipient.
OF_THE_SERVER: Final = frozenset(
    {
        "auth_failed",
        "connection_failed",
        "connection_lost",
        "protocol_error",
        "tls_failed",
        "timeout",
        "unavailable",
    }
)
#: Too many messages for the sender's rate. A short message was not even read: that may go on for as long as its queue is.
THROTTLED: Final = "throttled"
#: We stopped sending ourselves; says nothing about anybody else.
INTERRUPTED: Final = "interrupted"


def retry_delay(attempt: int, luck: float, settings: OutboxSettings) -> float:
    """Seconds to wait after attempt number `attempt` (from 1); `luck` in [0, 1) spreads them by ± 20 %."""
    delay = min(settings.retry_after * 2.0 ** min(attempt - 1, 30), settings.retry_limit)
    return delay * (0.8 + 0.4 * luck)


def is_given_up(outcome: Outcome, settings: OutboxSettings) -> bool:
    """Whether a deferred message has had all its attempts."""
    return outcome.state is DeliveryState.DEFERRED and outcome.attempt >= settings.max_attempts


def is_of_the_server(outcome: Outcome) -> bool:
    """Whether an outcome says that the server is away, or at odds with us, whoever the recipient is.

    A 4xx that is not 421 may be about one recipient's domain (outbox.traffic).
    """
    if outcome.state is DeliveryState.SENT or outcome.reason not in OF_THE_SERVER:
        return False
    if outcome.reason != "unavailable" or outcome.unreached:
        return True
    return not outcome.reply.startswith("4") or outcome.reply.startswith("421")


@dataclass(slots=True)
class Breaker:
    """Stops marking while a server is away, so that an outage defers a handful of messages and not all.

    Times are monotonic seconds. `patience` failures in a row, with nothing else between, lead to a rest of `first`
    seconds, then of twice as many, up to `longest`. After a rest a single message is let through; it alone tells
    whether the server is back.
    """

    longest: float
    failures: int = 0
    rest: float = 0.0
    until: float = 0.0
    patience: int = 10
    first: float = 1.0

    def note(self, outcome: Outcome, now: float) -> None:
        """Learn from a result."""
        if outcome.reason == INTERRUPTED:
            return
        if is_of_the_server(outcome):
            self.fail(now)
        else:
            self.failures = 0
            self.rest = 0.0

    def fail(self, now: float) -> None:
        """One more failure."""
        self.failures += 1
        if self.failures >= self.patience and now >= self.until:
            self.rest = min(max(self.first, self.rest * 2), self.longest)
            self.until = now + self.rest

    def room(self, now: float) -> int | None:
        """How many messages may be marked: None for no limit, 0 during a rest, 1 for a probe."""
        if self.failures < self.patience:
            return None
        return 0 if now < self.until else 1

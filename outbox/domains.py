"""The domains that mail goes to: their limits, how much is under way to each, and rests for those that put us off."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from domain.messages import DeliveryState, Outbound, Outcome
from outbox.backoff import Breaker
from outbox.limits import DomainLimits
from outbox.queue import Claimed, monotonic
from outbox.settings import OutboxSettings

#: Replies that speak of our traffic and not of one recipient: 421, 451, 4.7.x (RFC 3463: security and policy).
_PUT_OFF: Final = re.compile(r"(421|451)\b|4\d\d[ -]4\.7\.\d")
#: Such replies in a row before a domain gets a rest, and its first rest in seconds.
_PATIENCE: Final = 3
_FIRST_REST: Final = 30.0
#: Messages to a domain that wait in memory for others to settle, for each that may be under way.
_QUEUE: Final = 4


def puts_off(outcome: Outcome) -> bool:
    """Whether a server put this message off for our traffic's sake, so that others to the same domain had better wait."""
    return (
        outcome.state is DeliveryState.DEFERRED
        and not outcome.unreached
        and outcome.reason != "greylisted"
        and (outcome.reason == "throttled" or _PUT_OFF.match(outcome.reply) is not None)
    )


class Domains:
    """What one worker process knows of the domains. A key is a domain, or the provider that takes its mail."""

    def __init__(self, settings: OutboxSettings) -> None:
        self._settings = settings
        self._groups = {
            domain.lower(): group.lower()
            for group, domains in settings.providers.items()
            for domain in domains
        }
        self._limits = {domain.lower(): limits for domain, limits in settings.domains.items()}
        self._default = self._limits.pop("*", DomainLimits())
        every = [*self._limits.values(), self._default]
        self.counted = any(limits.at_once for limits in every)  #: whether it matters how much is under way
        self.limited = self.counted or any(limits.windows() for limits in every)
        self._flying: dict[str, dict[int, float]] = {}  # by key, where that is limited: since when
        self._waiting: dict[str, deque[Claimed]] = {}
        self._rests: dict[str, Breaker] = {}

    @property
    def resting(self) -> bool:
        """Whether any domain is in trouble."""
        return bool(self._rests)

    def key(self, address: str) -> str:
        """The domain or provider of an address."""
        domain = address.rpartition("@")[2].lower()
        return self._groups.get(domain, domain)

    def windows(self, key: str) -> tuple[tuple[int, int], ...]:
        """Limits within a time: lengths in seconds, and how many messages each takes."""
        return self._limits.get(key, self._default).windows()

    def rest(self, key: str, now: float) -> tuple[int | None, float]:
        """How many messages may go (None: no limit, 1: a probe, 0: it rests), and for how many seconds it rests."""
        rest = self._rests.get(key)
        return (None, 0.0) if rest is None else (rest.room(now), max(1.0, rest.until - now))

    def begin(self, key: str, row: Claimed, now: float) -> bool:
        """Count a message as under way, if there is room for it."""
        if not self.counted:
            return True
        if self._free(key) <= 0:
            return False
        if self._limits.get(key, self._default).at_once:
            self._flying.setdefault(key, {})[row.message_id] = now
        return True

    def keep(self, key: str, row: Claimed) -> bool:
        """Let a message wait here for others to settle; false when enough wait."""
        waiting = self._waiting.setdefault(key, deque())
        if len(waiting) >= self._at_once(key) * _QUEUE:
            return False
        waiting.append(row)
        return True

    def recall(self, room: int) -> list[Claimed]:
        """Messages that waited here and may go now, up to `room`."""
        recalled: list[Claimed] = []
        for key, rows in list(self._waiting.items()):
            free = self._free(key)
            while rows and free > 0 and len(recalled) < room:
                recalled.append(rows.popleft())
                free -= 1
            if not rows:
                del self._waiting[key]
        return recalled

    def drain(self) -> list[Claimed]:
        """Give up all that waits here."""
        rows = [row for waiting in self._waiting.values() for row in waiting]
        self._waiting.clear()
        return rows

    def drop(self, rows: Iterable[Claimed]) -> None:
        """These were counted as under way, and are not sent after all."""
        if self.counted:
            for row in rows:
                self._flying.get(self.key(row.address), {}).pop(row.message_id, None)

    def note(self, message: Outbound, outcome: Outcome) -> None:
        """What became of a message."""
        key = self.key(message.recipient)
        if self.counted:
            self._flying.get(key, {}).pop(message.key, None)
        if puts_off(outcome):
            longest = self._settings.domain_rest_limit
            rest = self._rests.setdefault(key, Breaker(longest, patience=_PATIENCE, first=_FIRST_REST))
            rest.fail(monotonic())
        elif key in self._rests and not outcome.unreached and outcome.state is not DeliveryState.UNCERTAIN:
            del self._rests[key]

    def _at_once(self, key: str) -> int:
        return self._limits.get(key, self._default).at_once or 1_000_000

    def _free(self, key: str) -> int:
        """How many more may be under way. What is older than its lease is not."""
        flying = self._flying.get(key)
        if not flying:
            return self._at_once(key)
        if len(flying) >= self._at_once(key):
            oldest = monotonic() - self._settings.sending_lease
            for message_id in [one for one, since in flying.items() if since < oldest]:
                del flying[message_id]
        return self._at_once(key) - len(flying)

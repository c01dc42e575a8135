"""The domains that mail goes to: their limits, how much is under way to each, and rests for those that put us off."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from domain.messages import DeliveryState, Outbound, Outcome
from outbox.addresses import LETTERS, plain_domain
from outbox.backoff import Breaker
from outbox.limits import DomainLimits
from outbox.queue import Claimed, monotonic
from outbox.settings import OutboxSettings

#: Replies that speak of our traffic and not of one recipient: 421, 451, 4.7.x (RFC 3463: security and policy).
_PUT_OFF: Final = re.compile(r"(421|451)\b|4\d\d[ -]4\.7\.\d")
#: Such replies in a row before a domain gets a rest, and its first rest in seconds.
_PATIENCE: Final = 3
_FIRST_REST: Final = 30.0
#: Messages to a domain that wait in memory for others to settle, for each that may be under way; as many letters.
_QUEUE: Final = 4


def puts_off(outcome: Outcome) -> bool:
    """Whether a server put this message off for our traffic's sake, so that others to the same domain had better wait."""
    return (
        outcome.state is DeliveryState.DEFERRED
        and not outcome.unreached
        and outcome.reason != "greylisted"
        and (outcome.reason == "throttled" or _PUT_OFF.match(outcome.reply) is not None)
    )


@dataclass(slots=True)
class _Rest:
    """A domain that put us off. `probe`: the message that finds out whether it takes mail again (0: none)."""

    breaker: Breaker
    failed_at: float = 0.0
    probe: int = 0
    probed_at: float = 0.0


class Domains:
    """What one worker process knows of the domains. A key is a domain, or the provider that takes its mail."""

    def __init__(self, settings: OutboxSettings) -> None:
        self._settings = settings
        self._groups = {
            plain_domain(domain): plain_domain(group)
            for group, domains in settings.providers.items()
            for domain in domains
        }
        self._limits = {plain_domain(domain): limits for domain, limits in settings.domains.items()}
        self._default = self._limits.pop("*", DomainLimits())
        every = [*self._limits.values(), self._default]
        self.counted = any(limits.at_once for limits in every)  #: whether it matters how much is under way
        self.limited = self.counted or any(limits.windows() for limits in every)
        self._flying: dict[str, dict[int, float]] = {}  # by key, where that is limited: since when
        self._waiting: tuple[dict[str, deque[Claimed]], ...] = ({}, {})  # letters, and campaigns' messages
        self._rests: dict[str, _Rest] = {}

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
        if rest is None:
            return None, 0.0
        room = rest.breaker.room(now)
        if room and rest.probe and rest.probed_at > now - self._settings.sending_lease:
            room = 0  # its answer is awaited
        return room, max(1.0, rest.breaker.until - now)

    def forget_old(self, now: float) -> None:
        """Forget the domains that have not put us off for long, also when nothing went there since."""
        longest = self._settings.domain_rest_limit
        for key, rest in list(self._rests.items()):
            if now > max(rest.breaker.until, rest.failed_at) + longest:
                del self._rests[key]

    def begin(self, key: str, row: Claimed, now: float) -> bool:
        """Count a message as under way, if there is room for it."""
        rest = self._rests.get(key)
        if rest is not None and rest.breaker.room(now) is not None:
            rest.probe, rest.probed_at = row.message_id, now
        if not self.counted:
            return True
        if self._free(key) <= 0:
            return False
        if self._limits.get(key, self._default).at_once:
            self._flying.setdefault(key, {})[row.message_id] = now
        return True

    def keep(self, key: str, row: Claimed) -> bool:
        """Let a message wait here for others to settle; false when enough wait."""
        waiting = self._waiting[row.campaign_id != LETTERS].setdefault(key, deque())
        if len(waiting) >= self._at_once(key) * _QUEUE:
            return False
        waiting.append(row)
        return True

    def recall(self, room: int) -> list[Claimed]:
        """Messages that waited here and may go now, up to `room`; letters first."""
        recalled: list[Claimed] = []
        begun: Counter[str] = Counter()
        for waiting in self._waiting:
            for key, rows in list(waiting.items()):
                free = self._free(key) - begun[key]
                while rows and free > 0 and len(recalled) < room:
                    recalled.append(rows.popleft())
                    begun[key] += 1
                    free -= 1
                if not rows:
                    del waiting[key]
        return recalled

    def drain(self) -> list[Claimed]:
        """Give up all that waits here."""
        rows = [row for waiting in self._waiting for some in waiting.values() for row in some]
        for waiting in self._waiting:
            waiting.clear()
        return rows

    def drop(self, rows: Iterable[Claimed]) -> None:
        """These were counted as under way, and are not sent after all."""
        if self.counted or self._rests:
            for row in rows:
                self._end(self.key(row.address), row.message_id)

    def forget(self, rows: Iterable[Claimed]) -> None:
        """These are not ours any more, whether they were counted as under way or wait here."""
        rows = list(rows)
        self.drop(rows)
        gone = {id(row) for row in rows}
        for waiting in self._waiting:
            for key, some in waiting.items():
                waiting[key] = deque(row for row in some if id(row) not in gone)

    def note(self, message: Outbound, outcome: Outcome) -> None:
        """What became of a message."""
        key = self.key(message.recipient)
        self._end(key, message.key)
        if puts_off(outcome):
            longest = self._settings.domain_rest_limit
            rest = self._rests.setdefault(key, _Rest(Breaker(longest, patience=_PATIENCE, first=_FIRST_REST)))
            rest.failed_at = monotonic()
            rest.breaker.fail(rest.failed_at)
        elif key in self._rests and (outcome.state is DeliveryState.SENT or outcome.reply[:1].isdigit()):
            del self._rests[key]  # it answered, whatever it said

    def _end(self, key: str, message_id: int) -> None:
        """A message is not under way any more."""
        if self.counted:
            self._flying.get(key, {}).pop(message_id, None)
        rest = self._rests.get(key)
        if rest is not None and rest.probe == message_id:
            rest.probe = 0

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

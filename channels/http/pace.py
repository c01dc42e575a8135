"""How many messages a second may leave by a number or a service, and the rests that a provider asks for.

Carriers count parts, not messages, so a message of three parts takes three places. At most `rate` parts leave in any
second; a rate below one is a part in 1/rate seconds. Deciding is pure, its times are arguments in monotonic seconds;
only `Pace.wait` waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping


class Window:
    """The places of one sender in a sliding window; each is given to one part, at a time that keeps the rate."""

    __slots__ = ("_given", "_places", "_span")

    def __init__(self, rate: float) -> None:
        self._places = max(1, int(rate))
        self._span = self._places / rate
        self._given: deque[float] = deque(maxlen=self._places)

    def reserve(self, earliest: float, latest: float, parts: int) -> float | None:
        """The time at which a message of so many parts may leave, its places taken; None when that is too late."""
        given, fresh = self._given, list[float]()
        when = max(earliest, given[-1]) if given else earliest
        for part in range(parts):
            before = len(given) + part - self._places  # the place that must be a span ago
            if before >= 0:
                past = given[before] if before < len(given) else fresh[before - len(given)]
                when = max(when, past + self._span)
            fresh.append(when)
        if when > latest:
            return None
        given.extend(fresh)
        return when

    def next_free(self, now: float) -> float:
        """When a message of one part could leave; takes nothing."""
        given = self._given
        if len(given) < self._places:
            return max(now, given[-1]) if given else now
        return max(now, given[-1], given[0] + self._span)


class Rest:
    """The provider takes no requests for a while: as long as it said, or 1, 2, 4 … seconds when it says nothing."""

    __slots__ = ("_doubled", "_longest", "until")

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._doubled = 0
        self.until = 0.0

    def begin(self, now: float, asked: float | None) -> None:
        """Rest from now on. Those that were refused together during a rest do not make it longer by themselves."""
        if asked is not None:
            self.until = max(self.until, now + min(asked, self._longest))
        elif now >= self.until:
            self.until = now + min(2.0**self._doubled, self._longest)
            self._doubled = min(self._doubled + 1, 16)

    def end(self) -> None:
        """A request was taken: the next rest begins small."""
        self._doubled = 0


class Pace:
    """The windows of all senders of a channel, and the rests of its account and of senders. Belongs to one event loop.

    Whoever counts for all processes (outbox/texts/turns.py) gives each message its turn, and `keep` waits for it; the
    windows here are for what is sent without.
    """

    def __init__(self, rates: Mapping[str, float], rate: float, patience: float, longest_rest: float) -> None:
        """`rates` by number or service, `rate` for any other; `patience` and `longest_rest` in seconds."""
        self._rates = rates
        self._rate = rate
        self._patience = patience
        self._longest = longest_rest
        self._windows: dict[str, Window] = {}
        self.resting = Rest(longest_rest)
        self._rests: dict[str, Rest] = {}  # of senders

    async def wait(self, sender: str, parts: int) -> bool:
        """Wait for this sender's turn; False at once when it is farther away than the patience reaches."""
        loop = asyncio.get_running_loop()
        window, latest = self._window(sender), loop.time() + self._patience
        while True:
            when = window.reserve(max(loop.time(), self._until(sender)), latest, parts)
            if when is None:
                return False
            if (left := when - loop.time()) > 0:
                await asyncio.sleep(left)
            if self._until(sender) <= loop.time():
                return True
            # A rest began in the meantime: the place is void, else all who waited would leave at its end.

    async def keep(self, sender: str, turn: float) -> bool:
        """Wait for a turn that was given from outside (time.monotonic); False when a rest began in the meantime."""
        if (left := turn - time.monotonic()) > 0:
            await asyncio.sleep(left)
        return self._until(sender) <= asyncio.get_running_loop().time()

    def rest(self, asked: float | None, sender: str = "") -> None:
        """Too many requests: nobody sends for a while, or this sender does not (`asked` in seconds, None when the
        provider said nothing)."""
        resting = self._rests.setdefault(sender, Rest(self._longest)) if sender else self.resting
        resting.begin(asyncio.get_running_loop().time(), asked)

    def taken(self, sender: str) -> None:
        """A request was taken: the next rests begin small."""
        self.resting.end()
        if sender in self._rests:
            self._rests[sender].end()

    def rests(self) -> dict[str, float]:
        """Seconds that each sender rests from now on; the account under the empty name."""
        now = asyncio.get_running_loop().time()
        every = {"": self.resting, **self._rests}
        return {sender: one.until - now for sender, one in every.items() if one.until > now}

    def rate(self, sender: str) -> float:
        """Parts per second."""
        return self._rates.get(sender, self._rate)

    def is_rated(self, sender: str) -> bool:
        """Whether it has a rate of its own."""
        return sender in self._rates

    def delay(self, sender: str) -> float:
        """Seconds until a message of one part of this sender could leave."""
        now = asyncio.get_running_loop().time()
        return max(self._window(sender).next_free(now), self._until(sender)) - now

    def _until(self, sender: str) -> float:
        own = self._rests.get(sender)
        return self.resting.until if own is None else max(self.resting.until, own.until)

    def _window(self, sender: str) -> Window:
        window = self._windows.get(sender)
        if window is None:
            window = self._windows[sender] = Window(self.rate(sender))
        return window

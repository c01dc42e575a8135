"""Slow down guessing: counts failures per key over a sliding quarter of an hour, in a bounded table."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

WINDOW: Final = 900.0


class Throttle:
    """At most `tries` failures per key and window. Each process counts for itself."""

    def __init__(self, tries: int, *, keys: int = 10_000, now: Callable[[], float] = time.monotonic) -> None:
        self._tries = tries
        self._keys = keys
        self._now = now
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, *keys: str) -> int:
        """How long whoever has these keys must wait before the next try; 0 when they may go on."""
        return max((self._wait(key) for key in keys), default=0)

    def _wait(self, key: str) -> int:
        failures = self._failures.get(key)
        if failures is None:
            return 0
        now = self._now()
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        if len(failures) < self._tries:
            return 0
        return int(failures[-self._tries] + WINDOW - now) + 1

    def failed(self, *keys: str) -> None:
        """Remember a failure for each key."""
        for key in keys:
            failures = self._failures.setdefault(key, deque(maxlen=self._tries * 4))
            failures.append(self._now())
            self._failures.move_to_end(key)
        while len(self._failures) > self._keys:
            self._failures.popitem(last=False)

    def take_back(self, *keys: str) -> None:
        """Forget the latest failure of each key: it was none."""
        for key in keys:
            failures = self._failures.get(key)
            if failures:
                failures.pop()
            if not failures:
                self._failures.pop(key, None)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        for key in keys:
            self._failures.pop(key, None)

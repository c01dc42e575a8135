"""Whether a relay is worth a try: a circuit that opens when no connection can be had, and closes with the first one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The longest time in seconds between two probes of a relay that is away.
_LONGEST: Final = 60.0


@dataclass(slots=True)
class Circuit:
    """Times are seconds of the event loop's clock. While open, one message after each rest finds out."""

    rest: float = 0.0
    until: float = 0.0
    probing: bool = False

    def room(self, now: float) -> int | None:
        """How many messages may go this way: None for no limit, 1 for a probe, 0 during a rest."""
        if not self.rest:
            return None
        return 0 if now < self.until or self.probing else 1

    def fail(self, now: float) -> None:
        """No connection could be had."""
        if now >= self.until or self.probing:
            self.rest = min(max(1.0, self.rest * 2), _LONGEST)
            self.until = now + self.rest
        self.probing = False

    def succeed(self) -> None:
        """The relay answered, whatever it said."""
        self.rest = 0.0
        self.probing = False

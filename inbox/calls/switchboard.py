"""What everything that handles calls works with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from channels.voice.settings import VoiceSettings
from domain.clock import Clock
from inbox.calls.addresses import CallAddresses
from storage.announce import Announcer
from storage.pool import Pool


@dataclass(frozen=True, slots=True)
class Switchboard:
    """The database, business time, our addresses at the provider, the settings of calls."""

    pool: Pool
    clock: Clock
    addresses: CallAddresses
    settings: VoiceSettings
    announcer: Announcer | None = None
    reachable: bool = True  #: whether the provider can call us; without that nobody would hear a word

    def business_time(self, at: datetime | None) -> datetime | None:
        """A moment that the provider tells, in business time, which a demo moves forward.

        A provider elsewhere knows the machine's time, the test carrier of a demo the business time: what is told lies
        near one of the two.
        """
        if at is None:
            return None
        now, here = self.clock.now(), datetime.now(UTC)
        return at if abs(at - now) <= abs(at - here) else at + (now - here)

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
        """A moment of the provider's clock in business time, which a demo moves forward."""
        return None if at is None else at + (self.clock.now() - datetime.now(UTC))

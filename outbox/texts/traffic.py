"""Which short messages may go now: none of a campaign at night, none that would only wait for its sender's rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from domain.clock import Clock
from outbox.addresses import LETTERS
from outbox.queue import Claimed, Held
from outbox.settings import OutboxSettings
from outbox.traffic import Traffic
from storage.pool import Connection

#: Seconds that a message may wait for its turn in the channel.
_PATIENCE: Final = 10.0


class Paced(Protocol):
    """How long senders have to wait (channels.http.pace.Pace)."""

    def delay(self, sender: str) -> float:
        """Seconds until a message of this sender could leave."""
        ...


class SmsTraffic(Traffic):
    """The limits of short messages. Those of mail's domains and relays mean nothing here."""

    def __init__(self, settings: OutboxSettings, clock: Clock, pace: Paced | None = None) -> None:
        super().__init__(settings.model_copy(update={"domains": {}, "providers": {}}))
        self._hours = settings.text_hours
        self._clock = clock
        self._pace = pace

    @property
    def active(self) -> bool:
        """It always looks at the clock."""
        return True

    async def sift(self, connection: Connection, rows: Sequence[Claimed]) -> tuple[list[Claimed], list[Held]]:
        """See Traffic."""
        passed, held = await super().sift(connection, rows)
        going: list[Claimed] = []
        night: list[Held] = []
        for row in passed:
            wait, reason = self._wait(row)
            if wait > 0:
                night.append(Held(row, wait, reason))
            else:
                going.append(row)
        self.domains.drop(one.row for one in night)
        return going, held + night

    def _wait(self, row: Claimed) -> tuple[float, str]:
        if row.message is None:
            return 0.0, ""
        if row.campaign_id != LETTERS:
            seconds = self._hours.wait(row.address, self._clock.now())
            if seconds > 0:
                return seconds, "quiet_hours"
        if self._pace is not None:
            sender = row.message.options.get("service") or row.message.sender
            delay = self._pace.delay(sender)
            if delay > _PATIENCE:
                return delay, "sender_limited"
        return 0.0, ""

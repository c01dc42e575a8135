"""Which short messages may go now: none of a campaign at night, none beyond its sender's rate over all processes.

What may go gets its turn (outbox/texts/turns.py) and waits for it in the channel, some seconds at most; what would wait
longer goes back to the queue. What the provider told one process, to rest, all processes keep to.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from channels.http.sending import TURN
from domain.clock import Clock
from outbox.addresses import LETTERS
from outbox.queue import Claimed, Held
from outbox.settings import OutboxSettings
from outbox.texts.turns import Turn, Want, load_rests, rest, take_turns
from outbox.traffic import Sifting, Traffic
from storage.pool import Connection

#: Seconds that a message may wait for its turn, marked: letters pass campaigns by waiting longer.
_PATIENCE: Final = 10.0
_PATIENCE_OF_CAMPAIGNS: Final = 3.0
#: Seconds before its turn that a message comes back from the queue, which is looked at now and then.
_LEAD: Final = 2.0
#: Seconds between looks at what other processes were asked.
_LISTEN: Final = 0.25
#: Rests shorter than this are over before anybody else hears of them.
_WORTH_TELLING: Final = 0.2


class Paced(Protocol):
    """The rates of a channel and what its provider asks for (channels.http.pace.Pace)."""

    def rate(self, sender: str) -> float:
        """Parts per second."""
        ...

    def is_rated(self, sender: str) -> bool:
        """Whether it has a rate of its own."""
        ...

    def rests(self) -> Mapping[str, float]:
        """Seconds that each sender rests, the account under the empty name."""
        ...

    def rest(self, asked: float | None, sender: str = "") -> None:
        """Rest for so many seconds."""
        ...


class SmsTraffic(Traffic):
    """The limits of short messages. Those of mail's domains and relays mean nothing here."""

    def __init__(self, settings: OutboxSettings, clock: Clock, pace: Paced | None = None) -> None:
        super().__init__(settings.model_copy(update={"domains": {}, "providers": {}}))
        self._hours = settings.text_hours
        self._clock = clock
        self._pace = pace
        self._heard = 0.0
        self._told: dict[str, float] = {}  # until when all processes know that a sender rests (monotonic)

    @property
    def active(self) -> bool:
        """It always looks at the clock."""
        return True

    @property
    def watching(self) -> bool:
        """Outcomes teach the channel, not this."""
        return False

    async def sift(self, connection: Connection, rows: Sequence[Claimed]) -> tuple[list[Claimed], list[Held]]:
        """See Traffic."""
        self._tidy()
        step = Sifting()
        awake: list[Claimed] = []
        for row in sorted(rows, key=lambda row: row.campaign_id != LETTERS):
            if row.message is None:
                step.going.append(row)
            elif (wait := self._night(row)) > 0:
                step.held.append(Held(row, wait, "quiet_hours"))
            else:
                awake.append(row)
        if self._pace is None:
            step.going += awake
        elif awake:
            await self._within_rates(connection, self._pace, awake, step)
        return step.going, step.held

    async def share(self, connection: Connection) -> None:
        """Tell all processes of the rests that the provider asked this one for, and hear of theirs: what is marked here
        and waits for its turn goes back then."""
        if self._pace is None:
            return
        await self._tell(connection, self._pace)
        now = time.monotonic()
        if now - self._heard > _LISTEN:
            self._heard = now
            self._hear(await load_rests(connection), self._pace)

    def again(self) -> float:
        """Seconds after which a message that got no turn is looked at again: a little before a rest ends."""
        longest = max(self._pace.rests().values(), default=0.0) if self._pace else 0.0
        return max(1.0, longest - _LEAD) + random.random()

    # --- inside ---------------------------------------------------------------------------------------

    def _night(self, row: Claimed) -> float:
        return (
            0.0 if row.campaign_id == LETTERS else self._hours.wait(row.address, self._clock.now(), row.zone)
        )

    async def _within_rates(
        self, connection: Connection, pace: Paced, rows: Sequence[Claimed], step: Sifting
    ) -> None:
        await self._tell(connection, pace)
        wants = [_want(row, pace) for row in rows]
        turns = await take_turns(connection, wants, pace.rate)
        now = time.monotonic()
        self._hear(turns.rests, pace)
        for row, want, turn in zip(rows, wants, turns.given, strict=True):
            if turn.given:
                step.going.append(_at(row, now + turn.seconds))
            else:
                self._hold_back(step, row, want, turn, pace)

    async def _tell(self, connection: Connection, pace: Paced) -> None:
        now = time.monotonic()
        for sender, seconds in pace.rests().items():
            if now + seconds > self._told.get(sender, 0.0) + _WORTH_TELLING:
                await rest(connection, sender, seconds)
                self._told[sender] = now + seconds

    def _hear(self, rests: Mapping[str, float], pace: Paced) -> None:
        now = time.monotonic()
        for sender, seconds in rests.items():
            self._told[sender] = max(self._told.get(sender, 0.0), now + seconds)
            if seconds > pace.rests().get(sender, 0.0) + _WORTH_TELLING:
                pace.rest(seconds, sender)

    def _hold_back(self, step: Sifting, row: Claimed, want: Want, turn: Turn, pace: Paced) -> None:
        slowest = min(want.keys, key=pace.rate)
        wait = max(0.2, turn.seconds - _LEAD)
        self._hold(step, row, f"sms:{slowest}", "sender_limited", wait, want.parts / pace.rate(slowest))


def _want(row: Claimed, pace: Paced) -> Want:
    """A service's rate is for all its numbers together; one that is chosen may have its own."""
    assert row.message is not None
    service, sender = row.message.options.get("service", ""), row.message.sender
    keys = [service or sender]
    if service and sender and pace.is_rated(sender):
        keys.append(sender)
    patience = _PATIENCE if row.campaign_id == LETTERS else _PATIENCE_OF_CAMPAIGNS
    return Want(tuple(keys), row.text.parts if row.text is not None else 1, patience)


def _at(row: Claimed, moment: float) -> Claimed:
    assert row.message is not None
    row.message = row.message._replace(options={**row.message.options, TURN: repr(moment)})
    return row

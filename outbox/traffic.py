"""What may go now, and what has to wait: limits of recipients' domains and of relays, rests, relays that are away.

Asked for messages that were claimed and not yet marked. Whatever is over a limit goes back to the queue with a time
and a reason, so that it holds up nobody else. Nothing is asked while nothing is limited and nobody is in trouble.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Protocol

from channels.mail.settings import RelaySettings
from domain.messages import Outbound
from outbox.addresses import LETTERS
from outbox.domains import Domains
from outbox.limits import Grant, windows
from outbox.queue import Claimed, Held, monotonic
from outbox.settings import OutboxSettings
from outbox.windows import Ask, reserve_places
from storage.pool import Connection

#: Seconds between looks at what may be forgotten.
_TIDY_EVERY: Final = 60.0

#: Why a queued message waits, and the sentence for people.
HOLD_REASONS: Final[Mapping[str, str]] = {
    "domain_limited": "As many messages as the limit allows are going to the recipient's domain.",
    "domain_resting": "The servers of the recipient's domain put us off; we leave them in peace for a while.",
    "relay_limited": "The mail server has taken as many messages as its limit allows.",
    "warming_up": "The mail server has taken as many messages as its warm-up plan allows for today.",
    "relay_away": "No mail server for this author can be reached.",
    "quiet_hours": "It is not the time of day for short messages where the recipient lives.",
    "sender_limited": "The sender's rate of short messages is used up for now.",
}


class Routes(Protocol):
    """The ways out, as channels.mail.sending.relays.Relays knows them."""

    @property
    def some_are_away(self) -> bool:
        """Whether a relay of several cannot be reached."""
        ...

    def candidates(self, message: Outbound, probed: set[str]) -> tuple[list[str], float]:
        """Relays that would be tried now, and without any the seconds until one may be. One that may be back takes a
        single message: it is given first and added to `probed`, or left out when it is in there."""
        ...


@dataclass(slots=True)
class Sifting:
    """The messages of one step on their way through the questions."""

    going: list[Claimed] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


class Traffic:
    """The limits of one worker process and what it knows of servers in trouble. Times are monotonic seconds."""

    def __init__(
        self,
        settings: OutboxSettings,
        relays: Sequence[RelaySettings] = (),
        routes: Routes | None = None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._today = today
        self.domains = Domains(settings)
        self._relays = {relay.called: relay for relay in relays if relay.is_limited}
        self._only = relays[0].called if len(relays) == 1 else None
        self._limited = bool(self._relays) or self.domains.limited
        # When the next letter, or message of a campaign, that has to wait for a key is looked at.
        self._parked: dict[tuple[str, bool], float] = {}
        self._tidied = monotonic()

    # --- what the sender tells and asks -----------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether there is anything to ask for."""
        away = self._routes is not None and self._routes.some_are_away
        return self._limited or self.domains.resting or away

    @property
    def watching(self) -> bool:
        """Whether every outcome has to be noted, not only those that are deferred."""
        return self.domains.counted or self.domains.resting

    async def sift(self, connection: Connection, rows: Sequence[Claimed]) -> tuple[list[Claimed], list[Held]]:
        """Which of these messages may be marked, and which go back to the queue. Some may stay here (`recall`).

        Letters are asked for first. When this raises, `domains.forget` what was asked for.
        """
        self._tidy()
        step = Sifting()
        letters_first = sorted(rows, key=lambda row: row.campaign_id != LETTERS)
        routed = self._ask_relays(self._ask_domains(letters_first, step), step)
        allowed = await self._within_domains(connection, routed, step)
        await self._within_relays(connection, allowed, step)
        self.domains.drop(one.row for one in step.held)
        return step.going, step.held

    async def share(self, connection: Connection) -> None:
        """Tell other processes what this one was told."""

    def again(self) -> float:
        """Seconds after which a message is looked at again that got no turn."""
        return 1.0

    # --- questions ------------------------------------------------------------------------------------

    def _ask_domains(self, rows: Sequence[Claimed], step: Sifting) -> list[Claimed]:
        """Rests, and how many are under way."""
        now = monotonic()
        passed: list[Claimed] = []
        begun: Counter[str] = Counter()
        for row in rows:
            if row.message is None:
                step.going.append(row)
                continue
            key = self.domains.key(row.address)
            room, left = self.domains.rest(key, now)
            if room is not None and begun[key] >= room:
                self._hold(step, row, key, "domain_resting", left, 0.02)
            elif self.domains.begin(key, row, now):
                begun[key] += 1
                passed.append(row)
            elif not self.domains.keep(key, row):
                self._hold(step, row, key, "domain_limited", 1.0, 0.05)
        return passed

    def _ask_relays(self, rows: Sequence[Claimed], step: Sifting) -> list[tuple[Claimed, list[str]]]:
        """Relays that can be reached, for each message."""
        if self._routes is None or not (self._relays or self._routes.some_are_away):
            return [(row, []) for row in rows]
        if self._only is not None:
            return [(row, [self._only]) for row in rows]
        routed = []
        probed: set[str] = set()
        for row in rows:
            assert row.message is not None
            names, wait = self._routes.candidates(row.message, probed)
            if not names and wait:
                self._hold(step, row, "relays", "relay_away", wait, 0.01)
            else:
                routed.append((row, names))
        return routed

    async def _within_domains(
        self, connection: Connection, rows: Sequence[tuple[Claimed, list[str]]], step: Sifting
    ) -> list[tuple[Claimed, list[str]]]:
        """The limits of recipients' domains."""
        asked: dict[str, list[tuple[Claimed, list[str]]]] = {}
        allowed = []
        for row, names in rows:
            key = self.domains.key(row.address)
            if self.domains.windows(key):
                asked.setdefault(key, []).append((row, names))
            else:
                allowed.append((row, names))
        grants = await _reserve(
            connection,
            {
                f"domain:{key}": (self.domains.windows(key), [row for row, _ in some])
                for key, some in asked.items()
            },
        )
        for key, some in asked.items():
            granted = grants[f"domain:{key}"]
            may_go = _chosen([row for row, _ in some], granted)
            for row, names in some:
                if row.message_id in may_go:
                    allowed.append((row, names))
                else:
                    self._hold(step, row, key, "domain_limited", _wait(row, granted), granted.pace)
            if len(may_go) == len(some):
                self._unpark(key)
        return allowed

    async def _within_relays(
        self, connection: Connection, rows: Sequence[tuple[Claimed, list[str]]], step: Sifting
    ) -> None:
        """The limits of relays: a message goes to the first of its relays that has room for it."""
        refused: list[Claimed] = []
        waits: dict[int, tuple[str, Grant]] = {}
        left = list(rows)
        while left:
            asked: dict[str, list[tuple[Claimed, list[str]]]] = {}
            for row, names in left:
                if not names and row.message_id in waits:
                    refused.append(row)
                elif not names or names[0] not in self._relays:
                    step.going.append(_meant_for(row, names))
                else:
                    asked.setdefault(names[0], []).append((row, names))
            grants = await _reserve(
                connection,
                {
                    f"relay:{name}": (self._relay_windows(name), [row for row, _ in some])
                    for name, some in asked.items()
                },
            )
            left = []
            for name, some in asked.items():
                granted = grants.get(f"relay:{name}")
                may_go = (
                    _chosen([row for row, _ in some], granted) if granted else {r.message_id for r, _ in some}
                )
                for row, names in some:
                    if granted is None or row.message_id in may_go:
                        step.going.append(_meant_for(row, names))
                    else:
                        waits.setdefault(row.message_id, (name, granted))
                        left.append((row, names[1:]))
                if len(may_go) == len(some):
                    self._unpark(f"relay:{name}")
        for row in refused:
            name, granted = waits[row.message_id]
            self._hold(
                step, row, f"relay:{name}", self._relay_reason(name), _wait(row, granted), granted.pace
            )
        await self._give_back(connection, refused)

    async def _give_back(self, connection: Connection, rows: Sequence[Claimed]) -> None:
        """Places in the limits of domains that were taken, and no relay has room."""
        taken: dict[str, list[Claimed]] = {}
        for row in rows:
            key = self.domains.key(row.address)
            if self.domains.windows(key):
                taken.setdefault(key, []).append(row)
        if taken:
            await reserve_places(
                connection,
                [
                    Ask(f"domain:{key}", self.domains.windows(key), *(-count for count in _kinds(some)))
                    for key, some in taken.items()
                ],
            )

    # --- inside ---------------------------------------------------------------------------------------

    def _relay_windows(self, name: str) -> tuple[tuple[int, int], ...]:
        relay = self._relays[name]
        daily = [limit for limit in (relay.per_day, self._warm_up(relay)) if limit is not None]
        return windows(relay.per_minute, relay.per_hour, min(daily, default=None))

    def _warm_up(self, relay: RelaySettings) -> int | None:
        return relay.warm_up.limit(self._today()) if relay.warm_up else None

    def _relay_reason(self, name: str) -> str:
        return "relay_limited" if self._warm_up(self._relays[name]) is None else "warming_up"

    def _hold(self, step: Sifting, row: Claimed, key: str, reason: str, wait: float, pace: float) -> None:
        """Back to the queue; the more wait for the same, the later each is looked at again."""
        now = monotonic()
        line = key, row.campaign_id == LETTERS  # a letter does not wait behind a campaign
        due = max(now + wait, self._parked.get(line, 0.0))
        if due - now > self._settings.hold_limit:
            due = now + self._settings.hold_limit * random.uniform(0.5, 1)
        else:
            self._parked[line] = due + pace
        step.held.append(Held(row, due - now, reason))

    def _unpark(self, key: str) -> None:
        """There is room again for all that asked."""
        self._parked.pop((key, True), None)
        self._parked.pop((key, False), None)

    def _tidy(self) -> None:
        """Now and then forget what was long ago."""
        now = monotonic()
        if now - self._tidied > _TIDY_EVERY:
            self._tidied = now
            self.domains.forget_old(now)
            self._parked = {line: due for line, due in self._parked.items() if due > now}


async def _reserve(
    connection: Connection, wanted: Mapping[str, tuple[tuple[tuple[int, int], ...], Collection[Claimed]]]
) -> Mapping[str, Grant]:
    asks = [Ask(key, limits, *_kinds(rows)) for key, (limits, rows) in wanted.items() if limits]
    return await reserve_places(connection, asks) if asks else {}


def _kinds(rows: Collection[Claimed]) -> tuple[int, int]:
    """How many are letters, how many belong to campaigns."""
    letters = sum(row.campaign_id == LETTERS for row in rows)
    return letters, len(rows) - letters


def _chosen(rows: Iterable[Claimed], granted: Grant) -> set[int]:
    """The first of each kind, as many as were granted."""
    left = {True: granted.letters, False: granted.others}
    chosen = set()
    for row in rows:
        kind = row.campaign_id == LETTERS
        if left[kind] > 0:
            left[kind] -= 1
            chosen.add(row.message_id)
    return chosen


def _wait(row: Claimed, granted: Grant) -> float:
    return max(0.1, granted.letters_wait if row.campaign_id == LETTERS else granted.others_wait)


def _meant_for(row: Claimed, names: Sequence[str]) -> Claimed:
    """The message, addressed to the relay that has room for it."""
    if names and row.message is not None:
        row.message = row.message._replace(options={**row.message.options, "relay": names[0]})
    return row

"""Several relays as one: each message goes to the first that takes its author's mail and can be reached.

Only what no connection could be had for goes on to the next relay (Outcome.unreached). A refusal is an answer, and a
message that a server may have begun to take is never given to another one (promise 3). A relay with limits takes
only what is meant for it, because somebody counted that: the rest is asked for again before it goes there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from channels.mail.oauth.tokens import TokenFactory, TokenSource
from channels.mail.sending.circuits import Circuit
from channels.mail.sending.pool import Pool
from channels.mail.settings import RelaySettings
from domain.errors import ConfigurationError
from domain.messages import DeliveryState, Outbound, Outcome

Settle = Callable[[Outcome], None]

#: Another relay takes it soon; says nothing about anybody (channels.mail.reasons).
INTERRUPTED: Final = "interrupted"
#: Nobody serves the author: an administrator has to act, so the message waits.
NO_RELAY: Final = "routing_failed"


class Relays:
    """The relays of a deployment, in the order in which they are tried. Belongs to one event loop."""

    def __init__(self, relays: Sequence[RelaySettings], tokens: TokenFactory | None = None) -> None:
        self._relays = {relay.called: relay for relay in relays}
        self._pools = {relay.called: Pool(relay, _token_source(relay, tokens)) for relay in relays}
        self._circuits = {relay.called: Circuit() for relay in relays}
        self._limited = frozenset(relay.called for relay in relays if relay.is_limited)

    @property
    def some_are_away(self) -> bool:
        """Whether a relay of several could not be reached when it was last tried."""
        return len(self._pools) > 1 and any(circuit.rest for circuit in self._circuits.values())

    def candidates(self, message: Outbound, probed: set[str]) -> tuple[list[str], float]:
        """The relays that would be tried now for a message, by name; without any: seconds until one may be probed.

        One that may be back takes a single message: it is given only in the first place and then added to `probed`,
        the relays that others are to find out about.
        """
        now = asyncio.get_running_loop().time()
        serving = self._serving(message)
        ready: list[str] = []
        for name in serving:
            room = self._circuits[name].room(now)
            if room is None:
                ready.append(name)
            elif room and not ready and name not in probed:
                ready.append(name)
                probed.add(name)
        if ready or not serving:
            return ready, 0.0
        return [], max(0.1, min(self._circuits[name].until for name in serving) - now)

    async def deliver(self, batch: Sequence[Outbound], settle: Settle) -> None:
        """Deliver many; see Pool.deliver for cancellation and for errors in `settle`."""
        if len(self._pools) == 1:
            await next(iter(self._pools.values())).deliver(batch, settle)
        else:
            await self._try(batch, settle, frozenset(), {})

    async def close(self) -> None:
        """Finish or interrupt what is under way, say QUIT, close every connection."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    # --- inside ---------------------------------------------------------------------------------------

    def _serving(self, message: Outbound) -> list[str]:
        """Relays for this author, the one that the message is meant for first."""
        author = message.options.get("from", "")
        names = [name for name, relay in self._relays.items() if relay.takes(author)]
        meant = message.options.get("relay")
        return sorted(names, key=lambda name: name != meant) if meant in names else names

    async def _try(
        self,
        batch: Sequence[Outbound],
        settle: Settle,
        tried: frozenset[str],
        failures: dict[int, Outcome],
    ) -> None:
        """Give each message to the best relay that was not tried; `failures` are the last words for each."""
        groups: dict[str, list[Outbound]] = {}
        for message in batch:
            name = self._choose(message, tried)
            if name is not None:
                groups.setdefault(name, []).append(message)
            elif (failure := failures.get(message.key)) is not None:
                waits = self._may_go_later(message, tried)
                settle(failure._replace(reason=INTERRUPTED, unreached=False) if waits else failure)
            else:
                settle(Outcome(message.key, message.attempt, DeliveryState.DEFERRED, reason=NO_RELAY))
        try:
            async with asyncio.TaskGroup() as group:
                for name, messages in groups.items():
                    group.create_task(self._try_one(name, messages, settle, tried | {name}))
        except* Exception as errors:
            raise errors.exceptions[0] from None

    async def _try_one(
        self, name: str, batch: Sequence[Outbound], settle: Settle, tried: frozenset[str]
    ) -> None:
        circuit, loop = self._circuits[name], asyncio.get_running_loop()
        unreached: dict[int, Outcome] = {}

        def note(outcome: Outcome) -> None:
            if outcome.unreached:
                unreached[outcome.key] = outcome
                return
            if circuit.rest and outcome.reason != INTERRUPTED:
                circuit.succeed()
            settle(outcome)

        try:
            await self._pools[name].deliver(batch, note)
        except BaseException:
            for outcome in unreached.values():
                settle(outcome)
            raise
        finally:
            circuit.probing = False
        if unreached:
            circuit.fail(loop.time())
            await self._try([one for one in batch if one.key in unreached], settle, tried, unreached)

    def _choose(self, message: Outbound, tried: frozenset[str]) -> str | None:
        """The first relay with a closed circuit, or one to probe; when all rest, the one that rests least."""
        now = asyncio.get_running_loop().time()
        names = [
            name
            for name in self._serving(message)
            if name not in tried and not self._is_for_others(name, message)
        ]
        for name in names:
            circuit = self._circuits[name]
            room = circuit.room(now)
            if room == 1:
                circuit.probing = True
            if room != 0:
                return name
        return min(names, key=lambda name: self._circuits[name].until) if names and not tried else None

    def _is_for_others(self, name: str, message: Outbound) -> bool:
        """Whether this relay has limits, and they were asked about another relay for this message."""
        meant = message.options.get("relay", name)
        return name in self._limited and meant != name and meant in self._pools

    def _may_go_later(self, message: Outbound, tried: frozenset[str]) -> bool:
        """Whether a relay can be reached that is asked about its limits first."""
        now = asyncio.get_running_loop().time()
        return any(
            name not in tried and self._is_for_others(name, message) and self._circuits[name].room(now) != 0
            for name in self._serving(message)
        )


def _token_source(relay: RelaySettings, tokens: TokenFactory | None) -> TokenSource | None:
    if relay.oauth is None:
        return None
    if tokens is None:
        raise ConfigurationError(f"oauth: {relay.called} wants access tokens, and nothing here keeps any.")
    return tokens(relay.oauth, relay.username)

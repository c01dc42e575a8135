"""What happens on the test phones, told to whoever looks at one: the carrier lives elsewhere, so it is asked."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from channels.sandbox.carrier.phone import Phones
from domain.errors import ClytieError

TOPIC: Final = "phones"
_PATIENCE: Final = 20.0  # seconds of one question
_IDLE: Final = 0.25  # between looks for somebody who watches
_AWAY: Final = 2.0


class Hub(Protocol):
    """The part of LiveHub that is needed here."""

    def watches(self, topic: str) -> bool:
        """Whether anybody watches."""
        ...

    def tell(self, topic: str) -> None:
        """Tell those who watch."""
        ...


async def watch_phones(phones: Phones, hub: Hub) -> None:
    """Tell `phones` to its listeners at every change, until cancelled; asks nothing while nobody listens."""
    version = -1
    away = False
    while True:
        if not hub.watches(TOPIC):
            await asyncio.sleep(_IDLE)
            continue
        try:
            seen = await phones.wait(version, _PATIENCE)
        except ClytieError:
            away = True
            await asyncio.sleep(_AWAY)
            continue
        if seen != version or away:
            hub.tell(TOPIC)
        version, away = seen, False

"""Ports: what a room needs from above, handed in by clytie/bootstrap.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Wake(Protocol):
    """Tell a loop that there may be work. Losing the call loses nothing: loops poll as well."""

    async def __call__(self, loop: str) -> None:
        """Wake the loop of this name (`outbox`, `router`, `judge`, `timers`)."""
        ...


Progress = Callable[[int, int | None], Awaitable[None]]
"""Called with what is done so far and the total, if it is known."""

"""The part of a voice channel that places, ends and asks about calls (channels/voice/twilio.py)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from channels.voice.records import CallRecord, LookedUpCall
from channels.voice.twilio import Placed


class CallProvider(Protocol):
    """Where calls are placed."""

    async def place(
        self,
        to: str,
        caller_id: str,
        url: str,
        status_url: str = "",
        *,
        fallback_url: str = "",
        seconds: int | None = None,
        longest: int | None = None,
    ) -> Placed:
        """Ring `to`; never raises."""
        ...

    async def end(self, provider_id: str) -> bool:
        """Hang up a leg; false when it had ended. Raises Unavailable."""
        ...

    async def look_up(
        self, to: str, caller_id: str, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUpCall:
        """Whether the provider has a call whose placing ended in doubt. Raises Unavailable."""
        ...

    async def fetch_call(self, provider_id: str) -> CallRecord | None:
        """How a leg stands, and what it cost; None for one that the provider does not know. Raises Unavailable."""
        ...

    async def list_legs(self, provider_id: str) -> Sequence[CallRecord]:
        """The legs that were rung for a call. Raises Unavailable."""
        ...

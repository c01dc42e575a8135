"""A provider of calls that follows a script."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from channels.base import CallbackRequest
from channels.voice.records import CallRecord, LookedUpCall, find_call
from channels.voice.twilio import Placed
from domain.calls import Document
from domain.errors import Unavailable
from domain.messages import DeliveryState


@dataclass
class ScriptedCalls:
    """A provider that notes what it was asked for, and answers what it is told to. `records` are the calls it has."""

    placed: list[tuple[str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    records: dict[str, CallRecord] = field(default_factory=dict)
    away: bool = False
    looked: int = 0
    answer: Placed = field(default_factory=lambda: Placed(DeliveryState.SENT))

    async def place(self, to: str, caller_id: str, url: str, status_url: str = "", **more: Any) -> Placed:
        self.placed.append((to, caller_id))
        if self.answer.state is DeliveryState.SENT:
            return Placed(DeliveryState.SENT, f"CA{len(self.placed):032x}")
        return self.answer

    async def end(self, provider_id: str) -> bool:
        self.ended.append(provider_id)
        return True

    async def look_up(
        self, to: str, caller_id: str, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUpCall:
        self._ask()
        return find_call(self.records.values(), to, caller_id, began, ended, taken)

    async def fetch_call(self, provider_id: str) -> CallRecord | None:
        self._ask()
        return self.records.get(provider_id)

    async def list_legs(self, provider_id: str) -> Sequence[CallRecord]:
        self._ask()
        return [record for record in self.records.values() if record.parent_id == provider_id]

    def _ask(self) -> None:
        self.looked += 1
        if self.away:
            raise Unavailable("The provider is away.")

    def add(self, record: CallRecord) -> None:
        """Let it have this call, in place of what it had of it."""
        self.records[record.provider_id] = record

    def verify(self, request: CallbackRequest) -> None:
        """Nobody calls."""

    def write(self, document: Document) -> str:
        return ""

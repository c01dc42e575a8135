"""The contract of a channel: what every adapter declares and does. Read this, then channels/sandbox.

A channel is one file: a settings model, its capabilities, `send`, and where the provider calls back
`parse_callback` and `parse_inbound`. It raises `DeliveryError` or `UnsupportedFeature`, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from domain.events import NewEvent
from domain.messages import ChannelKind, Outbound, Outcome, Receipt


class Capability(StrEnum):
    """What a channel can do; whatever is not declared raises `UnsupportedFeature`."""

    SEND = "send"
    RECEIVE = "receive"
    CALLBACKS = "callbacks"
    HTML = "html"
    ATTACHMENTS = "attachments"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """A provider's request as it reached us; `url` as the provider saw it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """Something that arrived: the bytes as they came, and the envelope they came in."""

    raw: bytes
    sender: str
    recipients: tuple[str, ...]
    door: str = ""
    cursor: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    kind: ChannelKind = ChannelKind.MAIL  #: what it is, and so who reads it


class Channel(Protocol):
    """One way in and out of the house."""

    name: ClassVar[str]
    kind: ClassVar[ChannelKind]
    capabilities: ClassVar[frozenset[Capability]]
    settings_model: ClassVar[type[BaseModel]]

    def __init__(self, settings: Any) -> None:
        """Takes an instance of its `settings_model`; opens no connection yet."""
        ...

    async def send(self, message: Outbound) -> Receipt:
        """Deliver one message. Raises DeliveryError or UnsupportedFeature."""
        ...

    async def deliver(self, batch: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        """Deliver many; `settle` is called once per message, in any order, as soon as its outcome is known."""
        ...

    async def close(self) -> None:
        """Give connections back in good order."""
        ...

    def parse_callback(self, request: CallbackRequest) -> list[NewEvent]:
        """Events that a provider's callback reports. Raises InvalidInput when its signature does not hold."""
        ...

    def parse_inbound(self, raw: bytes) -> Received:
        """Read what arrived just far enough to know its envelope; never raises on any bytes."""
        ...

"""What the web process knows of the account that short messages go through: prices, and senders that the settings name."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.sms.costs import Prices


@dataclass(frozen=True, slots=True)
class TextAccount:
    """`senders`: numbers, names and messaging services that have a rate of their own in the settings."""

    prices: Prices = field(default_factory=Prices)
    senders: tuple[str, ...] = ()

"""Who may come in now: connections in all and per peer, and a pause for peers that made too many errors."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from channels.mail.door.settings import DoorSettings

_REMEMBERED: Final = 10_000  # peers that are kept out at a time; the oldest is forgotten beyond


class Peers:
    """The peers of one door. IPv6 peers are networks of 64 bits: that is what one customer has."""

    def __init__(self, settings: DoorSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._total = 0
        self._paused: dict[str, float] = {}

    @property
    def total(self) -> int:
        """Connections that are open now."""
        return self._total

    def admit(self, address: str) -> str | None:
        """Count a new connection; or the reply that refuses it, which then is not counted."""
        if self._total >= self._settings.connections:
            return "421 4.3.2 too many connections, try again later"
        peer = self._limited(address)
        if peer is not None:
            if self._paused.get(peer, 0) > self._clock():
                return "421 4.7.0 too many errors from your address, try again later"
            if self._open[peer] >= self._settings.connections_per_peer:
                return "421 4.7.0 too many connections from your address, try again later"
            self._open[peer] += 1
        self._total += 1
        return None

    def leave(self, address: str) -> None:
        """A connection that was admitted has ended."""
        self._total -= 1
        peer = self._limited(address)
        if peer is not None:
            self._open[peer] -= 1
            if self._open[peer] <= 0:
                del self._open[peer]

    def pause(self, address: str) -> None:
        """Keep this peer out for a while; our own servers never are."""
        peer = self._limited(address)
        if peer is not None:
            self._paused.pop(peer, None)
            self._paused[peer] = self._clock() + self._settings.pause_seconds
            while len(self._paused) > _REMEMBERED:
                del self._paused[next(iter(self._paused))]

    def _limited(self, address: str) -> str | None:
        """What the peer is counted under; None for one of our own networks, or no network address at all."""
        try:
            ip = _plain(address)
        except ValueError:
            return None
        if any(ip in network for network in self._settings.trusted_networks):
            return None
        return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


def _plain(address: str) -> IPv4Address | IPv6Address:
    ip = ip_address(address.partition("%")[0])
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip

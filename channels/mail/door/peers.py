"""Who may come in now: connections in all and per peer, and a pause for peers that made too many errors.

Errors are counted over all connections of a peer, so that hanging up in time does not help who guesses addresses or
passwords; who goes on after a pause gets a longer one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from channels.mail.door.settings import DoorSettings

_REMEMBERED: Final = 10_000  # peers whose errors are known at a time; the oldest is forgotten beyond
_LONGEST_PAUSE: Final = 600.0  # seconds; also how long a pause counts against whoever errs again
_CROWDED: Final = 0.75  # of all connections


@dataclass(slots=True)
class _Record:
    """What is held against a peer. Times are those of the clock."""

    errors: int = 0
    since: float = 0.0  #: the first of these errors
    pauses: int = 0
    until: float = 0.0  #: kept out until then


class Peers:
    """The peers of one door. IPv6 peers are networks of 64 bits: that is what one customer has."""

    def __init__(self, settings: DoorSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._total = 0
        self._records: dict[str, _Record] = {}

    @property
    def total(self) -> int:
        """Connections that are open now."""
        return self._total

    @property
    def crowded(self) -> bool:
        """Whether there is so little room that nobody may keep a place for long."""
        return self._total >= self._settings.connections * _CROWDED

    def is_limited(self, address: str) -> bool:
        """Whether this peer is a stranger; there are no limits for our own servers."""
        return self._limited(address) is not None

    def admit(self, address: str) -> str | None:
        """Count a new connection; or the reply that refuses it, which then is not counted."""
        if self._total >= self._settings.connections:
            return "421 4.3.2 too many connections, try again later"
        peer = self._limited(address)
        if peer is not None:
            record = self._records.get(peer)
            if record is not None and record.until > self._clock():
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

    def note_error(self, address: str) -> bool:
        """Hold an error against this peer; True when it was one too many within `pause_seconds`."""
        peer = self._limited(address)
        if peer is None:
            return False
        record = self._record(peer)
        now = self._clock()
        if now - record.since > self._settings.pause_seconds:
            record.errors, record.since = 0, now
        record.errors += 1
        return record.errors >= self._settings.errors_limit

    def pause(self, address: str) -> None:
        """Keep this peer out for a while, the next time for twice as long; our own servers never are."""
        peer = self._limited(address)
        if peer is None:
            return
        record = self._record(peer)
        now = self._clock()
        if record.until > now:
            return  # another of its connections was first
        if now - record.until > _LONGEST_PAUSE:
            record.pauses = 0
        usual = self._settings.pause_seconds
        record.until = now + min(usual * 2**record.pauses, max(usual, _LONGEST_PAUSE))
        record.pauses = min(record.pauses + 1, 32)
        record.errors = 0

    def _record(self, peer: str) -> _Record:
        """What is held against the peer, now the youngest of all that is remembered."""
        record = self._records.pop(peer, None) or _Record()
        self._records[peer] = record
        while len(self._records) > _REMEMBERED:
            del self._records[next(iter(self._records))]
        return record

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

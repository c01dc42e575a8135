"""Which addresses a request that somebody wrote into a rule may go to: public ones, and those that the settings allow.

A name is resolved and its addresses are looked at in the same step that connects to them, so that a name whose
addresses change in between (DNS rebinding) leads nowhere else.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: prefixes of IPv6 behind which an IPv4 address stands: NAT64 (RFC 6052, RFC 8215)
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
#: not `private` by every version of Python: this network, shared space of providers, benchmarks, deprecated site-local
_NOWHERE: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "fec0::/10")
)


class NotPublic(OSError):
    """A request would have gone to an address inside, which the settings do not allow."""


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks as people write them: 10.1.0.0/16, 10.1.2.3, fd00::/8. Raises ValueError."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def is_allowed(text: str, allowed: Sequence[Network]) -> bool:
    """Whether requests may go to an address: it is public, whatever it is wrapped in, or it is allowed. Pure."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(one) or any(one in network for network in allowed) for one in _layers(address))


def _layers(address: Address) -> list[Address]:
    """The address, and those of IPv4 that it carries: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    inner: list[Address] = [address]
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner += address.teredo
    if any(address in network for network in _NAT64):
        inner = [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return inner


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in one for one in _NOWHERE)


class PublicResolver(AbstractResolver):
    """Resolves names to allowed addresses. Raises NotPublic when a name has only others."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._resolver: AbstractResolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses that may be connected to."""
        found = await self._resolver.resolve(host, port, family)
        good = [one for one in found if is_allowed(one["host"], self._allowed)]
        if not good:
            raise NotPublic(f"{host} is an address inside of a network")
        return good

    async def close(self) -> None:
        """Let go of the resolver below."""
        await self._resolver.close()

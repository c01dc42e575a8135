"""What a request says about who sent it: address, agent, and signs that no person asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp import web
from multidict import istr

from tracking.verdicts import Reason

AGENT_LENGTH: Final = 300
_FORWARDED: Final = istr("X-Forwarded-For")
_AGENT: Final = istr("User-Agent")
#: Sec-Purpose (Fetch standard), Purpose (Chromium before 2023), X-Moz (Firefox before 2021), X-Purpose (Safari)
_PREFETCH: Final = (istr("Sec-Purpose"), istr("Purpose"), istr("X-Moz"), istr("X-Purpose"))


class SourceReader:
    """Reads the client of a request; proxies of `trusted` networks are believed about whom they forward for."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._clean = lru_cache(maxsize=65_536)(_clean)
        self._is_trusted = lru_cache(maxsize=65_536)(self._look_up)

    def address(self, request: web.BaseRequest) -> str | None:
        """The client's address: the peer, or behind trusted proxies the nearest hop that is none of them."""
        found = self._clean(request.remote or "")
        if not self._trusted or found is None or not self._is_trusted(found):
            return found
        hops = [hop for line in request.headers.getall(_FORWARDED, ()) for hop in line.split(",")]
        for hop in reversed(hops):
            cleaned = self._clean(hop.strip())
            if cleaned is None:
                break
            found = cleaned
            if not self._is_trusted(cleaned):
                break
        return found

    def _look_up(self, address: str) -> bool:
        parsed = ip_address(address)
        return any(parsed in network for network in self._trusted)


def read_agent(request: web.BaseRequest) -> str | None:
    """The User-Agent as text that a database takes, at most AGENT_LENGTH characters."""
    agent: str | None = request.headers.get(_AGENT)
    if agent is None:
        return None
    agent = agent[:AGENT_LENGTH]
    if agent.isascii():
        return agent
    return agent.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:AGENT_LENGTH]


def read_reasons(request: web.BaseRequest) -> str:
    """Reasons that the request alone gives for an automatic hit, joined by commas."""
    if request.method == "HEAD":
        return Reason.HEAD
    headers = request.headers
    for name in _PREFETCH:
        if name in headers and "prefetch" in headers[name].lower():
            return Reason.PREFETCH
    return ""


def _clean(text: str) -> str | None:
    """One spelling of an address, without a zone; None for what is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)

"""DNS as the checks ask it: a port that tests answer from a table, and the real thing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol

import dns.exception
import dns.name
import dns.resolver

#: Records are remembered for so many seconds at most, and so many names.
_REMEMBERED: Final = 300.0
_NAMES: Final = 4096
#: After the servers did not answer, nobody waits for them again for so many seconds.
_REST: Final = 30.0


class DnsAway(Exception):
    """The name servers gave no answer; the same question may be answered later."""


class Resolver(Protocol):
    """Answers one question. Blocks; to be called in a thread."""

    def __call__(self, name: str, kind: str) -> Sequence[str]:
        """The records of a kind (TXT, A, AAAA, MX, PTR) in their text form, TXT joined; empty when there are none.

        An MX reads "10 mail.example". Raises DnsAway.
        """
        ...


class DnsResolver:
    """The name servers of this machine. Remembers answers for some minutes; safe to use from several threads."""

    def __init__(self, timeout: float = 5.0) -> None:
        self._resolver: dns.resolver.Resolver | None = None
        self._timeout = timeout
        self._cache: OrderedDict[tuple[str, str], tuple[float, tuple[str, ...]]] = OrderedDict()
        self._away_until = 0.0

    def __call__(self, name: str, kind: str) -> Sequence[str]:
        """See Resolver."""
        key, now = (name.rstrip(".").lower(), kind), time.monotonic()
        known = self._cache.get(key)
        if known is not None and known[0] > now:
            return known[1]
        if now < self._away_until:
            raise DnsAway("the name servers did not answer a moment ago")
        found, seconds = self._ask(*key)
        self._cache[key] = (now + seconds, found)
        while len(self._cache) > _NAMES:
            self._cache.popitem(last=False)
        return found

    def _ask(self, name: str, kind: str) -> tuple[tuple[str, ...], float]:
        try:
            if self._resolver is None:
                self._resolver = dns.resolver.Resolver()
            answer = self._resolver.resolve(name, kind, lifetime=self._timeout, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong, dns.name.EmptyLabel):
            return (), 60.0
        except dns.exception.Timeout as error:
            self._away_until = time.monotonic() + _REST
            raise DnsAway(str(error)) from error
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise DnsAway(str(error)) from error
        ttl = float(getattr(answer.rrset, "ttl", 60))
        return tuple(_text(record, kind) for record in answer), min(max(ttl, 1.0), _REMEMBERED)


def _text(record: object, kind: str) -> str:
    if kind == "TXT":
        return b"".join(record.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
    return str(record).rstrip(".")

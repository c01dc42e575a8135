"""SPF (RFC 7208): whether the connecting machine may send for the domain of the envelope; evaluated by pyspf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import spf

from channels.mail.authentication.resolver import DnsAway, Resolver


def check_spf(peer: str, sender: str, helo: str, resolver: Resolver, seconds: float) -> tuple[str, str]:
    """The result in the words of RFC 8601, and the domain that it is about.

    `peer` is an IP address, `sender` the envelope's, empty for <> (then HELO is asked, RFC 7208 2.4).
    """
    domain = (sender.rpartition("@")[2] or helo).lower().rstrip(".")
    if not domain or "." not in domain:
        return "none", domain
    try:
        query = _Query(resolver, i=peer, s=sender, h=helo, querytime=seconds)
        result, _, _ = query.check()
    except (DnsAway, spf.TempError):
        return "temperror", domain
    except Exception:  # pyspf raises all kinds of things on names that nobody can look up
        return "permerror", domain
    return str(result or "none"), domain


class _Query(spf.query):  # type: ignore[misc]
    """pyspf's evaluation, with our resolver under it."""

    def __init__(self, resolver: Resolver, **arguments: Any) -> None:
        self._resolver = resolver
        super().__init__(**arguments)

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> Sequence[Any]:
        """pyspf's only way out; it counts what leads nowhere (RFC 7208 4.6.4)."""
        name = str(name).rstrip(".").lower()
        labels = name.split(".")
        if not name or len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
            return []
        try:
            found = self._resolver(name, "TXT" if qtype == "SPF" else qtype)
        except DnsAway as error:
            raise spf.TempError(f"DNS: {error}") from error
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"Void lookup limit of {spf.MAX_VOID_LOOKUPS} exceeded")
        if qtype in ("TXT", "SPF"):
            return [(text.encode(),) for text in found]
        if qtype == "MX":
            return [(int(text.split()[0]), text.split()[1]) for text in found]
        return list(found)

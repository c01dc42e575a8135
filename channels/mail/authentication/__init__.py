"""Who really sent an inbound mail: SPF, DKIM and DMARC, checked by ourselves or read from a trusted server."""

from __future__ import annotations

from channels.mail.authentication.check import Authentication, authenticate
from channels.mail.authentication.resolver import DnsAway, DnsResolver, Resolver
from channels.mail.authentication.settings import AuthenticationSettings

__all__ = [
    "Authentication",
    "AuthenticationSettings",
    "DnsAway",
    "DnsResolver",
    "Resolver",
    "authenticate",
]

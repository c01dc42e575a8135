"""Where a request comes from: its peer, its scheme, and whether a browser sent it on behalf of another site."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from aiohttp import web
from yarl import URL

from web.settings import WebSettings

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def peer_address(request: web.Request, settings: WebSettings) -> str:
    """The network address of the client, as text; the proxy's word counts only when it is trusted."""
    if settings.trust_forwarded:
        forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if forwarded:
            return forwarded
    return _peer(request)


def is_https(request: web.Request, settings: WebSettings) -> bool:
    """Tell whether the browser speaks https to us (or to the trusted proxy before us)."""
    if settings.trust_forwarded and "X-Forwarded-Proto" in request.headers:
        return request.headers["X-Forwarded-Proto"].strip().lower() == "https"
    return request.secure


def is_this_machine(request: web.Request) -> bool:
    """True only for a direct connection over loopback, to a loopback name, with no proxy in between.

    The name in Host counts too: a page of another site whose name resolves to 127.0.0.1 is not this machine.
    """
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP")):
        return False
    try:
        if URL.build(scheme="http", authority=request.host).host not in _LOOPBACK_NAMES:
            return False
        return ip_address(_peer(request)).is_loopback
    except ValueError:
        return False


def comes_from_another_site(request: web.Request) -> bool:
    """Tell whether a browser says that another site caused this request (Fetch Metadata, or Origin)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "cross-site"
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2].lower() != request.host.lower()


def _peer(request: web.Request) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return str(peer[0]) if peer else ""


def public_origin(request: web.Request, settings: WebSettings) -> str:
    """The address to write into links for others: the configured one, else the one this request came to."""
    if "public_url" in settings.model_fields_set:
        return settings.public_url.rstrip("/")
    return f"{'https' if is_https(request, settings) else 'http'}://{request.host}"

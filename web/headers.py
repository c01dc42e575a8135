"""Headers that every page of the console carries: a strict content security policy and its companions."""

from __future__ import annotations

from typing import Final

from aiohttp import web

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def framed_mail_policy(image_sources: str) -> str:
    """The policy of a mail shown in a sandboxed frame: its own styles, pictures only from `image_sources`."""
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {image_sources or 'data:'}; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )


def protect(response: web.StreamResponse) -> None:
    """Set the headers that are not set yet."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    # browsers look up the names behind links ahead of a click, and whoever owns the name sees that
    headers.setdefault("X-DNS-Prefetch-Control", "off")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
    headers.setdefault("Cache-Control", "no-store")

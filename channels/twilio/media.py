"""Fetching the pictures and files of a message from where the provider keeps them, and from nowhere else.

The address comes in a signed request, yet a shared key or a proxy may be wrong: our login is shown to the API's
own host only, and its redirects are followed to the provider's stores only, never into our own network.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp

from channels.http.session import WebSession, authorization
from domain.errors import InvalidInput, NotFound, Unavailable

_STORES = (".twilio.com", ".twiliocdn.com", ".amazonaws.com")
_MOST_REDIRECTS = 4


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or file as it came. `content_type` is what the store says; never trust it when showing."""

    content_type: str
    content: bytes


async def fetch_media(web: WebSession, url: str, login: tuple[str, str], base_url: str, limit: int) -> Media:
    """Bring a file of at most `limit` bytes.

    Raises InvalidInput for an address that is not the provider's or a file that is too big, NotFound when it is
    gone, Unavailable when it may be there later (it often is not yet in the first seconds).
    """
    home = urlsplit(base_url)
    for _ in range(_MOST_REDIRECTS):
        at_home = _is_at(url, home)
        if not at_home and not _is_store(url):
            raise InvalidInput(
                "media", "the file is not at the provider.", "Nothing was fetched; look at its address."
            )
        headers = authorization(login) if at_home else {}
        try:
            async with web.open().get(url, headers=headers, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = _follow(url, response.headers.get("Location", ""))
                    continue
                if response.status in (404, 410):
                    raise NotFound("the provider does not have this file, or not yet")
                if response.status != 200:
                    raise Unavailable(f"the provider answered {response.status} for a file")
                content = await _read(response, limit)
                return Media(response.content_type, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"a file could not be fetched: {type(error).__name__}") from error
    raise Unavailable("a file could not be fetched: too many redirects")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(65_536):
        size += len(piece)
        if size > limit:
            raise InvalidInput(
                "media", f"the file has more than {limit} bytes.", "Allow larger files, or ask for less."
            )
        pieces.append(piece)
    return b"".join(pieces)


def _is_at(url: str, home: SplitResult) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) == (home.scheme, home.netloc)


def _follow(url: str, location: str) -> str:
    """Where a redirect leads; nowhere when it is written so that nobody can follow."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _is_store(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and port in (None, 443) and host.endswith(_STORES)

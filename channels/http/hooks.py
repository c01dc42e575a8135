"""Webhooks of ours: a JSON body posted to somebody's address, signed as Standard Webhooks has it.

Source: the Standard Webhooks specification (github.com/standard-webhooks/standard-webhooks), whose libraries check these
headers: `webhook-id`, the same at every attempt; `webhook-timestamp`, seconds since 1970; `webhook-signature`, `v1,` and the
base64 of HMAC-SHA256 over `id.timestamp.body`. `Idempotency-Key` repeats the id, for receivers that know that one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from channels.http.public import Network, NotPublic, PublicResolver, is_allowed

PREFIX: Final = "whsec_"
_LONGEST_ANSWER: Final = 4096


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What the receiver answered: a status, its first words, and how many seconds it asks us to wait, if it does."""

    status: int
    words: str
    retry_after: int | None


def sign(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. Pure."""
    said = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, said, hashlib.sha256).digest()).decode()


def write_secret(secret: bytes) -> str:
    """A secret as receivers are given it: `whsec_` and base64. Pure."""
    return PREFIX + base64.b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """The bytes of a secret as it is written. Raises ValueError."""
    raw = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
    if not 24 <= len(raw) <= 64:
        raise ValueError("a secret has 24 to 64 bytes, in base64")
    return raw


class Hooks:
    """Posts webhooks. Redirects are answers and not followed; addresses inside are refused unless `allowed`."""

    def __init__(self, secret: bytes, allowed: Sequence[Network], timeout: float, connections: int) -> None:
        self._secret = secret
        self._allowed = allowed
        self._timeout = timeout
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, id: str, body: bytes, timestamp: int) -> HookAnswer:
        """Post it once. Raises NotPublic, aiohttp.ClientError, OSError, TimeoutError, ValueError for what is no URL."""
        target = URL(url)
        if target.scheme not in ("http", "https") or not target.host:
            raise ValueError(f"{url!r} is no address of the web")
        if _is_literal(target.host) and not is_allowed(target.host, self._allowed):
            raise NotPublic(f"{target.host} is an address inside of a network")  # literals are not resolved
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Clytie",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, id, timestamp, body),
            "Idempotency-Key": f'"{id}"',
        }
        async with self._open().post(target, data=body, headers=headers, allow_redirects=False) as response:
            words = await response.content.read(_LONGEST_ANSWER)
            return HookAnswer(
                response.status,
                words.decode("utf-8", "replace").replace("\0", "")[:300].strip(),
                _seconds(response.headers.get("Retry-After", "")),
            )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, resolver=PublicResolver(self._allowed), use_dns_cache=False
                ),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,  # a small answer may unfold into a large one
            )
        return self._session

    async def close(self) -> None:
        """Close its connections; the next request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _seconds(text: str) -> int | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); its other form, a date, is left aside."""
    return min(int(text), 86_400) if text.strip().isdigit() else None

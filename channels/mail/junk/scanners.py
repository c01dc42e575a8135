"""Scanners over their own protocols: rspamd over HTTP, clamd over its stream command."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import aiohttp

_CHUNK: Final = 65_536
_JUNK_ACTIONS: Final = frozenset({"reject", "add header", "rewrite subject", "quarantine", "discard"})
_UNSAFE: Final = re.compile(r"[^\x21-\x7e]")


class ScannerAway(Exception):
    """A scanner did not answer, or not in its protocol; the text says what it did."""


class RspamdVerdict(NamedTuple):
    """What rspamd would do: `junk`, its score, and the action in its own words."""

    junk: bool
    score: float
    action: str


async def ask_rspamd(
    url: str,
    raw: bytes,
    *,
    sender: str,
    recipients: Sequence[str],
    peer: str,
    helo: str,
    password: str = "",
    timeout: float = 20.0,
) -> RspamdVerdict:
    """Have rspamd judge a mail with its envelope (POST /checkv2). Raises ScannerAway."""
    headers = [("From", sender), ("IP", peer), ("Helo", helo), ("Password", password)]
    headers += [("Rcpt", recipient) for recipient in recipients[:50]]
    told = [(name, value) for name, value in headers if value and not _UNSAFE.search(value)]
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
            session.post(f"{url.rstrip('/')}/checkv2", data=raw, headers=told) as response,
        ):
            if response.status != 200:
                raise ScannerAway(f"rspamd answered {response.status} {response.reason}")
            answer = await response.json(content_type=None)
            action = str(answer["action"])
            return RspamdVerdict(action in _JUNK_ACTIONS, float(answer.get("score", 0.0)), action)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ScannerAway(f"rspamd: {str(error) or 'no answer in time'}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScannerAway("rspamd gave an answer that is none of its own") from error


async def ask_clamav(place: str, raw: bytes, timeout: float = 20.0) -> str:
    """Have clamd look at a mail (INSTREAM); gives the name of what it found, empty for nothing.

    `place` is host:port or unix:/path. Raises ScannerAway, also for a mail above clamd's StreamMaxLength.
    """
    try:
        async with asyncio.timeout(timeout):
            return _read_reply(await _stream(place, raw))
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ScannerAway(f"clamd: {str(error) or 'no answer in time'}") from error


async def _stream(place: str, raw: bytes) -> bytes:
    if place.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(place.removeprefix("unix:"))
    else:
        host, _, port = place.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write(b"zINSTREAM\0")
        try:
            for start in range(0, len(raw), _CHUNK):
                chunk = raw[start : start + _CHUNK]
                writer.write(len(chunk).to_bytes(4, "big") + chunk)
                await writer.drain()
            writer.write(b"\0\0\0\0")
            await writer.drain()
        except ConnectionError:
            pass  # it says why before it hangs up
        return await reader.readuntil(b"\0")
    finally:
        writer.close()


def _read_reply(reply: bytes) -> str:
    """`stream: OK`, `stream: NAME FOUND`, or an error."""
    words = reply.rstrip(b"\0").decode("utf-8", "replace").removeprefix("stream: ")
    if words == "OK":
        return ""
    if words.endswith(" FOUND"):
        return words.removesuffix(" FOUND")[:200]
    raise ScannerAway(f"clamd: {words}")

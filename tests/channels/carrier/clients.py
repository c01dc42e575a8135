"""The official clients, led to the stand-in by their own HTTP hooks; every exchange is held against the description."""

from __future__ import annotations

from typing import Any

from aiohttp import encode_basic_auth
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

from tests.channels.carrier.conformance import Conformance

PROVIDER = "https://api.twilio.com"


class LedAsync(AsyncTwilioHttpClient):  # type: ignore[misc]  # the library is not typed
    """The asynchronous hook."""

    def __init__(self, url: str, conformance: Conformance | None = None) -> None:
        super().__init__(timeout=10)
        self.url, self.conformance = url, conformance

    async def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        login = kwargs.pop(
            "auth", None
        )  # the library still gives aiohttp a class that it does not like any more
        if login is not None:
            kwargs["headers"] = {**kwargs["headers"], "Authorization": encode_basic_auth(*login)}
        response = await super().request(method, self.url + url.removeprefix(PROVIDER), *args, **kwargs)
        if self.conformance is not None:
            self.conformance.check(method, url, kwargs, args, response)
        return response


class LedSync(TwilioHttpClient):  # type: ignore[misc]  # the library is not typed
    """The synchronous hook."""

    def __init__(self, url: str, conformance: Conformance | None = None) -> None:
        super().__init__(timeout=10)
        self.url, self.conformance = url, conformance

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        response = super().request(method, self.url + url.removeprefix(PROVIDER), *args, **kwargs)
        if self.conformance is not None:
            self.conformance.check(method, url, kwargs, args, response)
        return response

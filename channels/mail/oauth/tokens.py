"""Access tokens: kept until shortly before they expire, then refreshed once, however many ask at the same time.

The store holds a grant while one process asks the provider, so that a provider that rotates refresh tokens
never sees an old one from a second process. A new refresh token is stored before the access token is used.
Source: RFC 6749 4.4, 5.1, 5.2 and 6.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from channels.mail.oauth.settings import Flow, OAuthSettings, grant_name
from channels.mail.oauth.wire import LoginNeeded, ask, lifetime

#: seconds before its end that a token is no longer handed out
MARGIN: Final = 120.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider gave: tokens, and until when (seconds since 1970) the access token is good."""

    refresh_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    expires_at: float = 0.0


class HeldGrant(Protocol):
    """One login's grant, while nobody else may change it."""

    @property
    def grant(self) -> Grant | None:
        """What is stored; None when nobody has logged in. Raises ConfigurationError when it cannot be read."""
        ...

    async def keep(self, grant: Grant) -> None:
        """Store it; durable when the hold ends without an exception."""
        ...


class Grants(Protocol):
    """Where grants are kept; shared by every process that logs in."""

    def hold(self, name: str) -> AbstractAsyncContextManager[HeldGrant]:
        """Keep others from refreshing the grant of this name until the block ends."""
        ...


class TokenSource(Protocol):
    """Gives access tokens for one login."""

    async def access_token(self, *, not_this: str = "") -> str:
        """A token that is good for some minutes; another than `not_this`, which a server refused."""
        ...


#: Gives the token source of a login: its settings and its username.
TokenFactory = Callable[[OAuthSettings, str], TokenSource]


class Tokens:
    """The access tokens of one login at one provider."""

    def __init__(
        self, settings: OAuthSettings, username: str, grants: Grants, now: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._name = grant_name(settings, username)
        self._username = username
        self._grants = grants
        self._now = now
        self._lock = asyncio.Lock()
        self._grant = Grant()
        self._unsaved: Grant | None = None  # given by the provider, but the store was away

    async def access_token(self, *, not_this: str = "") -> str:
        """Raises LoginNeeded when a person or an administrator has to act, ProviderAway when it does not answer."""
        async with self._lock:
            if not self._good(self._grant, not_this):
                self._grant = await self._renew(not_this)
            return self._grant.access_token

    def _good(self, grant: Grant, not_this: str) -> bool:
        fresh = grant.expires_at - MARGIN > self._now()
        return bool(grant.access_token) and fresh and grant.access_token != not_this

    async def _renew(self, not_this: str) -> Grant:
        async with self._grants.hold(self._name) as held:
            known = self._unsaved or held.grant or Grant()
            if self._good(known, not_this):  # another process was here first
                if self._unsaved is not None:
                    await held.keep(known)
            else:
                known = self._unsaved = await self._ask(known)
                await held.keep(known)
        self._unsaved = None
        return known

    async def _ask(self, known: Grant) -> Grant:
        settings, endpoints = self._settings, self._settings.endpoints
        fields = {"client_id": settings.client_id, "scope": endpoints.scope}
        if settings.client_secret.get_secret_value():
            fields["client_secret"] = settings.client_secret.get_secret_value()
        if settings.flow is Flow.APPLICATION:
            fields["grant_type"] = "client_credentials"
        elif known.refresh_token:
            fields |= {"grant_type": "refresh_token", "refresh_token": known.refresh_token}
            fields.pop("scope")  # the one that was consented to
        else:
            raise LoginNeeded(f"Nobody has logged in as {self._username} yet.")
        return read_grant(await ask(endpoints.token_url, fields), known, self._now())


def read_grant(answer: dict[str, Any], known: Grant, now: float) -> Grant:
    """What the provider's answer makes of the known grant; the refresh token stays unless a new one came."""
    return replace(
        known,
        access_token=str(answer["access_token"]),
        refresh_token=str(answer.get("refresh_token") or known.refresh_token),
        expires_at=now + lifetime(answer),
    )

"""A small OAuth 2.0 provider: short-lived tokens, refresh tokens that work once, device codes, consent, introspection."""

from __future__ import annotations

import itertools
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from aiohttp import web


class Provider:
    """Knows the client `clytie` with the secret `s3cret`; every token is for one user."""

    def __init__(self) -> None:
        self.lifetime = 3600.0
        self.url = ""
        self.requests: list[dict[str, str]] = []
        self.access: dict[str, tuple[str, float]] = {}  # token: user, end
        self.refresh: dict[str, str] = {}  # token: user; used once
        self.codes: dict[str, tuple[str, str]] = {}  # consent code: user, challenge
        self.pending = 0  # so many answers before a device code is typed
        self.answer: tuple[int, dict[str, str]] | None = None  # instead of all others
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1") -> AsyncIterator[Provider]:
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_post("/device", self._device)
        app.router.add_post("/introspect", self._introspect)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, host, 0)
        await site.start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def settings(self, **changes: object) -> dict[str, object]:
        return {
            "client_id": "clytie",
            "client_secret": "s3cret",
            "token_url": f"{self.url}/token",
            "device_url": f"{self.url}/device",
            "consent_url": f"{self.url}/consent",
            "scope": "mail offline",
            **changes,
        }

    def grant_refresh(self, user: str) -> str:
        """A new refresh token."""
        token = f"refresh-{next(self._numbers)}"
        self.refresh[token] = user
        return token

    def grant_code(self, user: str, challenge: str) -> str:
        """What the consent page gives when the user agrees."""
        code = f"code-{next(self._numbers)}"
        self.codes[code] = (user, challenge)
        return code

    def revoke(self) -> None:
        """Nothing that was given is good any more."""
        self.access.clear()
        self.refresh.clear()

    async def _token(self, request: web.Request) -> web.Response:
        fields = {name: str(value) for name, value in (await request.post()).items()}
        self.requests.append(fields)
        if self.answer is not None:
            return web.json_response(self.answer[1], status=self.answer[0])
        if (fields.get("client_id"), fields.get("client_secret")) != ("clytie", "s3cret"):
            return _error("invalid_client", "AADSTS7000215: Invalid client secret provided.")
        kind = fields.get("grant_type")
        if kind == "client_credentials":
            return self._give("application", refresh=False)
        if kind == "refresh_token":
            user = self.refresh.pop(fields.get("refresh_token", ""), None)
            return self._give(user) if user else _error("invalid_grant", "The token was used or revoked.")
        if kind == "authorization_code":
            user, challenge = self.codes.pop(fields.get("code", ""), (None, ""))
            proof = urlsafe_b64encode(sha256(fields.get("code_verifier", "").encode()).digest())
            if user is None or proof.rstrip(b"=").decode() != challenge:
                return _error("invalid_grant", "The code is not good.")
            return self._give(user)
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            self.pending -= 1
            return (
                _error("authorization_pending", "")
                if self.pending >= 0
                else self._give("anna@clytie.example")
            )
        return _error("unsupported_grant_type", "")

    async def _device(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "device_code": "device-1",
                "user_code": "WDJB-MJHT",
                "verification_uri": f"{self.url}/type",
                "interval": 0.05,
                "expires_in": 5,
            }
        )

    async def _introspect(self, request: web.Request) -> web.Response:
        """RFC 7662, for the IMAP server."""
        token = str((await request.post()).get("token", ""))
        user, end = self.access.get(token, ("", 0.0))
        if end < time.time():
            return web.json_response({"active": False})
        return web.json_response({"active": True, "username": user})

    def _give(self, user: str, *, refresh: bool = True) -> web.Response:
        token = f"access-{next(self._numbers)}"
        self.access[token] = (user, time.time() + self.lifetime)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime)}
        if refresh:
            answer["refresh_token"] = self.grant_refresh(user)
        return web.json_response(answer)


def _error(code: str, description: str) -> web.Response:
    return web.json_response({"error": code, "error_description": description}, status=400)

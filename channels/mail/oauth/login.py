"""The first login by OAuth 2.0: by a device code, or on the provider's consent page with the code pasted back.

Sources: RFC 8628 (device code), RFC 6749 4.1 with RFC 7636 (authorisation code with PKCE).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from channels.mail.oauth.settings import OAuthSettings, Provider
from channels.mail.oauth.tokens import Grant, read_grant
from channels.mail.oauth.wire import Refused, ask
from domain.errors import InvalidInput

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
#: Google gives a refresh token only when it is asked for like this.
_EXTRAS: Final = {Provider.GOOGLE: {"access_type": "offline", "prompt": "consent"}}


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the person types, where, and how often we ask whether it was done (seconds)."""

    user_code: str
    url: str
    secret: str = field(repr=False)
    interval: float
    expires_in: float


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent page's address, and what the answer is checked with."""

    url: str
    state: str
    verifier: str = field(repr=False)


async def start_device_login(settings: OAuthSettings) -> DeviceCode:
    """Ask for a code. Raises Refused, ProviderAway."""
    answer = await ask(
        settings.endpoints.device_url, {"client_id": settings.client_id, "scope": settings.endpoints.scope}
    )
    try:
        return DeviceCode(
            user_code=str(answer["user_code"]),
            url=str(answer.get("verification_uri") or answer["verification_url"]),
            secret=str(answer["device_code"]),
            interval=max(0.05, float(answer.get("interval", 5))),
            expires_in=float(answer.get("expires_in", 900)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{settings.endpoints.device_url} gave no code to type: {error}") from error


async def await_device_login(
    settings: OAuthSettings,
    code: DeviceCode,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Grant:
    """Wait until the person has typed the code and consented. Raises Refused, ProviderAway."""
    fields = _client(settings) | {"grant_type": _DEVICE_GRANT, "device_code": code.secret}
    interval, waited = code.interval, 0.0
    while waited < code.expires_in:
        await sleep(interval)
        waited += interval
        try:
            return _grant(await ask(settings.endpoints.token_url, fields))
        except Refused as error:
            if error.code == "slow_down":
                interval += 5
            elif error.code != "authorization_pending":
                raise
    raise Refused("Nobody typed the code in time. Start again.", "expired_token")


def start_consent(settings: OAuthSettings, username: str) -> Consent:
    """The address of the page on which the person consents."""
    state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": settings.client_id,
        "response_type": "code",
        "redirect_uri": settings.redirect_url,
        "scope": settings.endpoints.scope,
        "login_hint": username,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **_EXTRAS.get(settings.provider, {}),
    }
    return Consent(f"{settings.endpoints.consent_url}?{urlencode(query)}", state, verifier)


def read_code(pasted: str, state: str) -> str:
    """The code in what the person pasted: the address that the page led to, or the code alone. Raises InvalidInput."""
    pasted = pasted.strip()
    if "?" not in pasted:
        if pasted:
            return pasted
        raise InvalidInput("ADDRESS", "is empty.", "Paste the whole address that the browser ended on.")
    answer = {name: values[0] for name, values in parse_qs(urlsplit(pasted).query).items()}
    if "error" in answer:
        words = answer.get("error_description", answer["error"])
        raise InvalidInput("ADDRESS", f"the provider refused: {words}", "Start again, and consent.")
    if answer.get("state") != state:
        raise InvalidInput(
            "ADDRESS", "belongs to another login.", "Open the address above, and paste where it ends."
        )
    if "code" not in answer:
        raise InvalidInput("ADDRESS", "holds no code.", "Paste the whole address that the browser ended on.")
    return answer["code"]


async def exchange_code(settings: OAuthSettings, code: str, consent: Consent) -> Grant:
    """The tokens for a code. Raises Refused, ProviderAway."""
    fields = _client(settings) | {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.redirect_url,
        "code_verifier": consent.verifier,
    }
    return _grant(await ask(settings.endpoints.token_url, fields))


def _client(settings: OAuthSettings) -> dict[str, str]:
    secret = settings.client_secret.get_secret_value()
    return {"client_id": settings.client_id} | ({"client_secret": secret} if secret else {})


def _grant(answer: dict[str, Any]) -> Grant:
    grant = read_grant(answer, Grant(), time.time())
    if not grant.refresh_token:
        raise Refused(
            "The provider gave no refresh token, so the login would end within the hour. "
            "Ask for offline access: check scope (Microsoft: offline_access)."
        )
    return grant

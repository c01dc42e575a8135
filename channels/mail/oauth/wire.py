"""One request to an OAuth 2.0 endpoint, and the provider's errors in words with a remedy (RFC 6749 5.2, RFC 8628 3.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from domain.errors import ConfigurationError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_LARGEST: Final = 1 << 20
_USUAL_LIFETIME: Final = 3600.0

#: What an error code of a token endpoint means, and what to do.
_MEANINGS: Final = {
    "invalid_grant": "The consent is no longer valid (withdrawn, expired, or the password was changed).",
    "invalid_client": "The provider does not know the application, or its secret is wrong or has expired. "
    "Check client_id and client_secret at the provider.",
    "unauthorized_client": "The application may not log in this way. "
    "Allow this flow (for a device code: “public client flows”) in its registration.",
    "invalid_scope": "The application was not given the permission that is asked for. "
    "Grant it the permission for IMAP or SMTP at the provider, or check scope.",
    "access_denied": "The consent was refused.",
    "consent_required": "An administrator has to consent to the application first.",
    "interaction_required": "The provider wants the person to log in again.",
}
#: Codes after which somebody has to log in again.
_LOG_IN: Final = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})


class Refused(ConfigurationError):
    """The provider gave no token; the words say why and what to do. `code` is the provider's."""

    def __init__(self, words: str, code: str = "") -> None:
        self.code = code
        super().__init__(words)


class ProviderAway(ConnectionError):
    """The provider does not answer, or says that it cannot now; tried again later."""


class LoginNeeded(Refused):
    """Somebody has to log in (again): `clytie mail login`."""

    def __init__(self, words: str, code: str = "") -> None:
        super().__init__(f"{words} Run `clytie mail login` for this account.", code)


async def ask(url: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """POST the fields, return the answer's JSON. Raises Refused, LoginNeeded, ProviderAway."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(url, data=dict(fields), allow_redirects=False) as response,
        ):
            body = await _read_body(response.content)
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ProviderAway(f"{url} did not answer: {str(error) or 'timeout'}") from error
    answer = _read_json(body)
    if status == 200 and isinstance(answer.get("access_token") or answer.get("device_code"), str):
        return answer
    code = str(answer.get("error", ""))
    if status >= 500 or status == 429 or not code:
        raise ProviderAway(f"{url} answered {status} {code}".rstrip())
    raise explain(code, str(answer.get("error_description", "")))


def explain(code: str, description: str) -> Refused:
    """The error for a provider's code and its own first line of words."""
    meaning = _MEANINGS.get(code, "The provider refused.")
    own = description.splitlines()[0][:300] if description else ""
    words = f"{meaning} ({code}{': ' if own else ''}{own})"
    return LoginNeeded(words, code) if code in _LOG_IN else Refused(words, code)


def lifetime(answer: Mapping[str, Any]) -> float:
    """Seconds that the access token is good for."""
    try:
        return max(0.0, float(answer.get("expires_in", _USUAL_LIFETIME)))
    except (TypeError, ValueError):
        return _USUAL_LIFETIME


async def _read_body(content: aiohttp.StreamReader) -> bytes:
    """All of the body, up to a limit: one `read` gives no more than what has arrived by then."""
    body = bytearray()
    while len(body) < _LARGEST and (piece := await content.read(_LARGEST - len(body))):
        body += piece
    return bytes(body)


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}

"""The mechanism XOAUTH2 of Microsoft and Google: what the client says, and what a refusal means.

A refusal comes as a challenge with JSON in base64 (`{"status":"400","schemes":"Bearer","scope":"..."}`), which the
client answers with nothing before the server ends the attempt. Source: Google, “The SASL XOAUTH2 Mechanism”.
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Final

from domain.errors import InvalidInput

_STATUS: Final = {
    "400": "the server does not accept the access token",
    "401": "the access token is not valid for this mailbox, or has expired",
    "403": "the login may not use this mailbox by this protocol",
    "invalid_token": "the access token is not valid for this mailbox, or has expired",
    "invalid_request": "the server does not understand the access token",
    "insufficient_scope": "the consent does not cover this mailbox or protocol",
}


def initial_response(user: str, access_token: str) -> bytes:
    """What the client says first, before base64. Raises InvalidInput for control characters in the user's name."""
    if any(ord(character) < 32 for character in user + access_token):
        raise InvalidInput("username", "holds a control character.", "Remove it.")
    return f"user={user}\x01auth=Bearer {access_token}\x01\x01".encode()


def explain_challenge(challenge: bytes) -> str:
    """A refusal's challenge, in base64 or decoded, in words; never raises."""
    text = challenge.strip()
    if not text.startswith(b"{"):
        try:
            text = b64decode(text, validate=True)
        except ValueError:
            return challenge.decode("utf-8", "replace")[:300]
    try:
        said = json.loads(text)
        status = str(said["status"])
    except (ValueError, KeyError, TypeError):
        return text.decode("utf-8", "replace")[:300]
    scope = f" (it wants the permission {said['scope']})" if said.get("scope") else ""
    return f"{_STATUS.get(status, 'the server refused the access token')} [{status}]{scope}"

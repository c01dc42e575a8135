"""Tokens in URLs and reply addresses: no personal data, versioned, signed with keys that can be rotated.

Wire form (unpadded base64url of): version and purpose (1 byte), key number (1), campaign id (4, big endian),
message id (6, big endian; zero in a campaign-wide token), MAC (10 bytes of BLAKE2b keyed with the derived key).
All measuring URLs of a message share one token, so one MAC; a link's number stands in clear behind it. Every
purpose signs with a key of its own, derived from the root key, so that a pixel's URL never yields an
unsubscribe link.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import Final

from domain.errors import ConfigurationError

VERSION: Final = 1
_MAC: Final = 10
_BODY: Final = 12
_LENGTH: Final = _BODY + _MAC
#: characters of a token in its text form
TEXT_LENGTH: Final = -(-_LENGTH * 4 // 3)


class TokenUse(IntEnum):
    """What a token opens; each use has its own derived key."""

    MEASURE = 0  #: pixel, links and downloads
    UNSUBSCRIBE = 1  #: unsubscribe and preferences
    REPLY = 2  #: reply addresses and envelope senders
    CALLBACK = 3  #: provider callbacks


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says. `message_id` is None in a campaign-wide token (nobody in particular)."""

    use: TokenUse
    campaign_id: int
    message_id: int | None


class TokenKeys:
    """The deployment's root keys by number; the highest number signs, all verify.

    Raises ConfigurationError for an empty table or a key shorter than 32 bytes.
    """

    def __init__(self, roots: Mapping[int, bytes]) -> None:
        if not roots:
            raise ConfigurationError(
                "tokens.keys: at least one key is needed; `clytie serve` makes one on first start."
            )
        for number, root in roots.items():
            if not 0 <= number <= 255 or len(root) < 32:
                raise ConfigurationError(
                    f"tokens.keys[{number}]: a key is 32 bytes or more, its number 0 to 255."
                )
        self.current = max(roots)
        self._macs = {
            (use, number): blake2b(digest_size=_MAC, key=_derive(root, use))
            for number, root in roots.items()
            for use in TokenUse
        }
        self._prefixes = {use: bytes((VERSION << 4 | use, self.current)) for use in TokenUse}

    def sign(self, use: TokenUse, campaign_id: int, message_id: int | None = None) -> str:
        """The token's text form; `campaign_id` may be 0 for a message outside campaigns."""
        body = self._prefixes[use] + campaign_id.to_bytes(4, "big") + (message_id or 0).to_bytes(6, "big")
        mac = self._macs[use, self.current].copy()
        mac.update(body)
        return urlsafe_b64encode(body + mac.digest()).rstrip(b"=").decode("ascii")

    def verify(self, text: str, use: TokenUse) -> Token | None:
        """What the token says, or None when it is forged, damaged, for another use or of a retired key."""
        if len(text) != TEXT_LENGTH:
            return None
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        if len(raw) != _LENGTH or raw[0] != VERSION << 4 | use:
            return None
        known = self._macs.get((use, raw[1]))
        if known is None:
            return None
        mac = known.copy()
        mac.update(raw[:_BODY])
        if not hmac.compare_digest(mac.digest(), raw[_BODY:]):
            return None
        if urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != text:
            return None  # another spelling of the same bytes
        message_id = int.from_bytes(raw[6:12], "big")
        return Token(use, int.from_bytes(raw[2:6], "big"), message_id or None)


def _derive(root: bytes, use: TokenUse) -> bytes:
    return blake2b(b"clytie token " + use.name.encode("ascii"), digest_size=32, key=root[:64]).digest()

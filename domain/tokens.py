"""Tokens in URLs and reply addresses: no personal data, versioned, signed with keys that can be rotated.

Wire form (unpadded base64url of): version and purpose (1 byte), key number (1), campaign id (4, big endian),
message id (6, big endian; zero in a campaign-wide token), MAC (10 bytes of BLAKE2b keyed with the derived key).
All measuring URLs of a message share one token, so one MAC; a link's number stands in clear behind it. Every
purpose signs with a key of its own, derived from the root key, so that a pixel's URL never yields an
unsubscribe link. Tokens that stand in mail addresses are written in hexadecimal: some servers change the case of
local parts.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from domain.errors import ConfigurationError

VERSION: Final = 1
_MAC: Final = 10
_BODY: Final = 12
_LENGTH: Final = _BODY + _MAC
#: characters of a token in its text form
TEXT_LENGTH: Final = -(-_LENGTH * 4 // 3)
#: The one spelling of a token: 22 bytes leave 4 bits of the last character unused, and they are zero.
_match = re.compile(rf"[A-Za-z0-9_-]{{{TEXT_LENGTH - 1}}}[AQgw]").fullmatch
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_match_address = re.compile(rf"[0-9A-Fa-f]{{{2 * _LENGTH}}}").fullmatch
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class TokenUse(IntEnum):
    """What a token opens; each use has its own derived key."""

    MEASURE = 0  #: pixel, links and downloads
    UNSUBSCRIBE = 1  #: unsubscribe and preferences
    REPLY = 2  #: reply addresses and envelope senders
    CALLBACK = 3  #: provider callbacks
    COPY = 4  #: personal Bcc addresses; the message id is the user's
    HEADER = 5  #: Message-IDs of campaigns' mails: nobody guesses one that they did not see
    FILES = 6  #: files of a short message, for its provider; in place of the campaign: until when (seconds since 1970)


#: Uses whose tokens stand in the local part of a mail address.
_IN_ADDRESSES: Final = frozenset({TokenUse.REPLY, TokenUse.COPY})


class Token(NamedTuple):
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
            bytes((VERSION << 4 | use, number)): blake2b(digest_size=_MAC, key=_derive(root, use))
            for number, root in roots.items()
            for use in TokenUse
        }
        prefixes = [bytes((VERSION << 4 | use, self.current)) for use in TokenUse]
        self._signers = [(self._macs[prefix], prefix) for prefix in prefixes]

    def sign(self, use: TokenUse, campaign_id: int, message_id: int | None = None) -> str:
        """The token's text form; `campaign_id` may be 0 for a message outside campaigns."""
        keyed, prefix = self._signers[use]
        body = prefix + campaign_id.to_bytes(4, "big") + (message_id or 0).to_bytes(6, "big")
        mac = keyed.copy()
        mac.update(body)
        if use in _IN_ADDRESSES:
            return (body + mac.digest()).hex()
        text = b2a_base64(body + mac.digest(), newline=False)  # urlsafe_b64encode takes twice as long
        return text.translate(_URL_SAFE)[:TEXT_LENGTH].decode("ascii")

    def verify(self, text: str, use: TokenUse) -> Token | None:
        """What the token says, or None when it is forged, damaged, for another use or of a retired key."""
        if _match(text) is not None:
            raw = a2b_base64(text.encode("ascii").translate(_STANDARD) + b"==")
        elif use in _IN_ADDRESSES and _match_address(text) is not None:
            raw = bytes.fromhex(text)
        else:
            return None
        known = self._macs.get(raw[:2])
        if known is None or raw[0] != VERSION << 4 | use:
            return None
        mac = known.copy()
        mac.update(raw[:_BODY])
        if not compare_digest(mac.digest(), raw[_BODY:]):
            return None
        message_id = int.from_bytes(raw[6:12], "big")
        return Token(use, int.from_bytes(raw[2:6], "big"), message_id or None)


def _derive(root: bytes, use: TokenUse) -> bytes:
    return blake2b(b"clytie token " + use.name.encode("ascii"), digest_size=32, key=root[:64]).digest()

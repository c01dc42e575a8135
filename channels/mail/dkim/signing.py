"""The signer: adds DKIM-Signature fields to finished mails (RFC 6376; Ed25519 by RFC 8463).

The fields of RFC 8058 (List-Unsubscribe, List-Unsubscribe-Post) are always covered; those that a reader acts on
are listed once more than they occur, so that nobody can add another (RFC 6376, 8.15).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from channels.mail.dkim.canonical import relaxed_body, relaxed_header, split_headers
from channels.mail.dkim.keys import DkimKey, DkimKeySettings, load_key

#: Signed where present.
_SIGNED: Final = (
    b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"sender", b"in-reply-to",
    b"references", b"mime-version", b"content-type", b"content-transfer-encoding", b"list-id", b"list-unsubscribe",
    b"list-unsubscribe-post", b"auto-submitted",
)  # fmt: skip
#: Listed once more than present.
_SEALED: Final = frozenset(
    (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"content-type", b"list-unsubscribe",
     b"list-unsubscribe-post")
)  # fmt: skip
_DOMAIN: Final = re.compile(rb"@([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)[>\s]*$")
_PADDING: Final = PKCS1v15()
_DIGEST: Final = Prehashed(SHA256())
_WIRE_END: Final = b"\r\n.\r\n"


class Signer:
    """Signs with every key that is valid now for the domain of From; a mail of another domain stays as it is.

    `clock` gives the time for t= and for the choice of keys.
    """

    def __init__(
        self, keys: Sequence[DkimKey], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.keys = tuple(keys)
        self._clock = clock

    def sign(self, mail: bytes) -> bytes:
        """The mail with its signatures in front. Lines end with CRLF; no dot is doubled yet."""
        return self._signatures(mail) + mail

    def sign_payload(self, payload: bytes) -> bytes:
        """The same for the finished payload of DATA: dots doubled, closed by CRLF . CRLF."""
        mail = payload[: -len(_WIRE_END) + 2] if payload.endswith(_WIRE_END) else payload
        if b"\r\n.." in mail or mail.startswith(b".."):
            mail = (b"\r\n" + mail).replace(b"\r\n..", b"\r\n.")[2:]
        return self._signatures(mail) + payload

    def _signatures(self, mail: bytes) -> bytes:
        now = self._clock()
        head, _, body = mail.partition(b"\r\n\r\n")
        fields = split_headers(head)
        keys = self._keys_for(fields, now)
        if not keys:
            return b""
        names, signed = _select(fields)
        digest = b64encode(sha256(relaxed_body(body)).digest())
        return b"".join(_signature(key, now, names, signed, digest) for key in keys)

    def _keys_for(self, fields: Sequence[tuple[bytes, bytes]], now: datetime) -> list[DkimKey]:
        value = next((value for name, value in fields if name == b"from"), b"")
        found = _DOMAIN.search(value)
        if found is None:
            return []
        domain = found[1].decode("ascii").lower()
        return [key for key in self.keys if key.signs(domain, now)]


def make_signer(settings: Sequence[DkimKeySettings]) -> Signer | None:
    """The signer for these keys, None without any. Raises ConfigurationError for a key that cannot be read."""
    return Signer([load_key(key) for key in settings]) if settings else None


def _select(fields: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """The h= list, and the canonical fields in its order: of those that recur, the last comes first (5.4.2)."""
    present: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        present.setdefault(name, []).append(value)
    names: list[bytes] = []
    signed: list[bytes] = []
    for name in _SIGNED:
        values = present.get(name, ())
        signed.extend(relaxed_header(name, value) for value in reversed(values))
        names.extend([name] * (len(values) + (name in _SEALED)))
    return b":".join(names), b"".join(signed)


def _signature(key: DkimKey, now: datetime, names: bytes, signed: bytes, digest: bytes) -> bytes:
    """One DKIM-Signature field with its CRLF."""
    value = b" v=1; a=%s; c=relaxed/relaxed; d=%s; s=%s;\r\n\tt=%d; h=%s;\r\n\tbh=%s;\r\n\tb=" % (
        key.algorithm.encode("ascii"),
        key.domain.encode("ascii"),
        key.selector.encode("ascii"),
        int(now.timestamp()),
        names.replace(b":list-id", b":\r\n\t list-id").replace(b":sender", b":\r\n\t sender"),
        digest,
    )
    # The last field is the signature itself with an empty b=, and without its CRLF (3.7).
    data = sha256(signed + relaxed_header(b"dkim-signature", value)[:-2]).digest()
    if isinstance(key.private, Ed25519PrivateKey):
        made = key.private.sign(data)
    else:
        made = key.private.sign(data, _PADDING, _DIGEST)
    text = b64encode(made)
    folded = b"\r\n\t ".join(text[start : start + 72] for start in range(0, len(text), 72))
    return b"DKIM-Signature:" + value + folded + b"\r\n"

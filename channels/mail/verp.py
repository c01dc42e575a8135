"""Variable envelope return paths: the sender address that tells which message a bounce is about.

`bounces+TOKEN@example.org`: the local part, a plus sign, the message's token. Servers may change the case of
a local part (RFC 5321 2.4 forbids it, some do), so tokens do not depend on it (domain/tokens.py).
"""

from __future__ import annotations

import re
from typing import Final

from domain.errors import InvalidInput

#: What a token may hold: the characters of an address that no server quotes or splits.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.=-]+")
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*/=?^_`{|}~.-]+")
_LOCAL_LIMIT: Final = 64  # RFC 5321 4.5.3.1.1, in octets


def encode(local: str, domain: str, token: str) -> str:
    """The envelope sender for a token. Raises InvalidInput when the address would not be valid."""
    if not _LOCAL.fullmatch(local):
        raise InvalidInput("local", f"{local!r} is no plain local part.", "Use letters, digits and dots.")
    if not _TOKEN.fullmatch(token) or token[-1] == ".":
        raise InvalidInput("token", f"{token!r} cannot stand in an address.", "Use letters, digits, - and _.")
    if len(local) + 1 + len(token) > _LOCAL_LIMIT:
        raise InvalidInput(
            "local", f"with the token it is longer than {_LOCAL_LIMIT} characters.", "Choose a shorter one."
        )
    return f"{local}+{token}@{domain}"


def decode(local: str, domain: str, address: str) -> str | None:
    """The token in an address that `encode` made with this local part and domain, else None."""
    name, at, host = address.strip().removeprefix("<").removesuffix(">").rpartition("@")
    prefix, plus, token = name.partition("+")
    if not at or not plus or host.lower() != domain.lower() or prefix.lower() != local.lower():
        return None
    return token if _TOKEN.fullmatch(token) else None

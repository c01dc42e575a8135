"""The relaxed canonical forms of RFC 6376, 3.4: what survives the small changes that servers make on the way."""

from __future__ import annotations

import re
from typing import Final

_BLANKS: Final = re.compile(rb"[ \t]+")
_BLANKS_BEFORE_END: Final = re.compile(rb"[ \t]+(?=\r\n)")
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")


def relaxed_body(body: bytes) -> bytes:
    """A body with CRLF line ends in its relaxed form (3.4.4)."""
    if b"  " in body or b"\t" in body or b" \r\n" in body:
        body = _BLANKS_BEFORE_END.sub(b"", _BLANKS.sub(b" ", body))
    if body and not body.endswith(b"\r\n"):
        body = body.rstrip(b" ") + b"\r\n"
    end = len(body)
    while end >= 4 and body[end - 4 : end] == b"\r\n\r\n":
        end -= 2
    body = body[:end]
    return b"" if body == b"\r\n" else body


def relaxed_header(name: bytes, value: bytes) -> bytes:
    """A header field in its relaxed form (3.4.2), with its CRLF; `value` is what follows the colon."""
    value = _BLANKS.sub(b" ", _FOLD.sub(b"", value)).strip(b" \r\n")
    return name.strip(b" \t").lower() + b":" + value + b"\r\n"


def split_headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a header block in order, names in lower case, values with their folds."""
    fields: list[tuple[bytes, bytes]] = []
    for field in re.split(rb"\r\n(?![ \t])", head):
        name, colon, value = field.partition(b":")
        if colon:
            fields.append((name.strip(b" \t").lower(), value))
    return fields

"""The headers of a mail as rules ask for them: by name in small letters, the first value of each, within bounds. Pure.

Left out is what every server on the way adds, and what only programs read: it would be most of what is stored, and
nothing that a person decides by. Who really sent a mail is asked of event.spf, event.dkim and event.dmarc.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST: Final = 100  #: headers that are kept
LONGEST: Final = 500  #: characters of a value
LONGEST_NAME: Final = 80

_TRACES: Final = frozenset(
    {
        "received",
        "received-spf",
        "authentication-results",
        "dkim-signature",
        "domainkey-signature",
        "references",
        "content-type",
        "content-transfer-encoding",
        "mime-version",
        "autocrypt",
        "face",
        "x-face",
    }
)
_MACHINES: Final = ("arc-", "x-ms-", "x-forefront-", "x-microsoft-", "x-google-", "x-gm-", "x-originatororg")


def headers_for_rules(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in small letters with the first value of each, white space as single blanks."""
    kept: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if len(kept) >= MOST:
            break
        if key in kept or len(key) > LONGEST_NAME or key in _TRACES or key.startswith(_MACHINES):
            continue
        kept[key] = " ".join(value[: 2 * LONGEST].split())[:LONGEST]
    return kept

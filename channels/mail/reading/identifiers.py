"""Message ids: Message-ID, In-Reply-To and References (RFC 5322 section 3.6.4), without their angle brackets."""

from __future__ import annotations

import re

from channels.mail.reading.limits import REFERENCES
from channels.mail.reading.names import without_controls

_BRACKETED = re.compile(r"<([^<>]{1,998})>")
_BARE = re.compile(r"[^\s<>,;\"'()]{1,998}")


def message_ids(values: list[str]) -> tuple[str, ...]:
    """The ids in these values, in order, each once; the first and the last ones when there are far too many.

    >>> message_ids(['Your mail of Monday <a@b>', 'c@d'])
    ('a@b', 'c@d')
    """
    found: dict[str, None] = {}
    for value in values:
        bracketed = _BRACKETED.findall(value)
        for text in bracketed or (word for word in _BARE.findall(value) if "@" in word):
            if identifier := without_controls("".join(text.split())):
                found[identifier] = None
    ids = tuple(found)
    if len(ids) > REFERENCES:
        return ids[:1] + ids[1 - REFERENCES :]
    return ids


def message_id(value: str) -> str:
    """The id of a mail; one without brackets or without an at sign counts, since other mails will refer to it."""
    found = _BRACKETED.search(value)
    text = found[1] if found else value.strip().strip("<>")
    return without_controls("".join(text.split()))[:998]

"""A mail of the test mailbox as people look at it: headers, text part, HTML. Nothing of it is trusted.

Anybody may send anything to the test mailbox, and one mail must not take the page from all others: whatever cannot
be taken apart is shown as it arrived. The standard library's `policy.default` raises on some malformed mails, so
`compat32` reads them, and what still raises (header words in broken base64, a charset that is none, parts nested
by the thousand) is caught here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from itertools import islice
from typing import Final

#: codecs that name no charset of mails, or take a time that grows with the square of the text
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
#: every line of a mail is compared with the boundaries around it, so many of them take long to read
_BOUNDARY: Final = re.compile(rb"boundary[\s*0-9]*=", re.IGNORECASE)
_MOST_BOUNDARIES: Final = 30
#: the parser takes a time that grows with the square of a header with parameters
_PARAMETERS: Final = re.compile(
    rb"(?:\A|[\r\n])content-(?:type|disposition)[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE
)
_LONGEST_PARAMETERS: Final = 2_000
_MOST_PARTS: Final = 100
_LONGEST_HEADER: Final = 20_000
_LONGEST_RAW: Final = 1_000_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class MailView:
    """The parts a page shows. `broken`: it could not be taken apart, and `text` is the mail as it arrived."""

    from_words: str
    headers: Sequence[tuple[str, str]]
    text: str
    html: str
    broken: bool = False


def decode_words(value: str) -> str:
    """A header's value with its encoded words decoded (RFC 2047), as far as that is possible; never raises."""
    value = _readable(value)
    if len(value) > _LONGEST_HEADER or "=?" not in value:
        return value
    try:
        words = [
            (word, charset if charset is None or _is_charset(charset) else "unknown-8bit")
            for word, charset in decode_header(" ".join(value.split()))
        ]
        return _readable(str(make_header(words)))
    except Exception:  # it raises more kinds than it says, HeaderParseError and AssertionError among them
        return value


def read_mail(raw: bytes) -> MailView:
    """Take a mail apart; never raises, whatever the bytes. A large one takes a while: call it in a thread."""
    try:
        if _is_slow(raw):
            return _untouched(raw)
        return _take_apart(message_from_bytes(raw, policy=policy.compat32))
    except Exception:  # RecursionError among them; a hostile mail finds ways that nobody lists
        return _untouched(raw)


def _is_slow(raw: bytes) -> bool:
    return len(_BOUNDARY.findall(raw)) > _MOST_BOUNDARIES or any(
        len(found[0]) > _LONGEST_PARAMETERS for found in _PARAMETERS.finditer(raw)
    )


def _untouched(raw: bytes) -> MailView:
    return MailView("", (), raw[:_LONGEST_RAW].decode("utf-8", "replace"), "", broken=True)


def _take_apart(message: Message) -> MailView:
    parts = {"text/plain": "", "text/html": ""}
    for part in islice(message.walk(), _MOST_PARTS):
        kind = part.get_content_type()
        if kind in parts and not parts[kind] and part.get_filename() is None:
            parts[kind] = _content(part)
    headers = [(_readable(name), decode_words(value)) for name, value in message.raw_items()]
    return MailView(
        from_words=next((value for name, value in headers if name.lower() == "from"), ""),
        headers=headers,
        text=parts["text/plain"],
        html=parts["text/html"],
    )


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return _readable(payload.decode(charset if _is_charset(charset) else "utf-8", "replace"))
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")


def _is_charset(name: str) -> bool:
    try:
        return codecs.lookup(name).name.replace("_", "-") not in _NO_CHARSETS
    except (LookupError, ValueError):
        return False


def _readable(text: object) -> str:
    """Text that can be written as UTF-8: the parser's stand-ins for bytes beyond ASCII become what they stand for."""
    words = str(text)
    if not _SURROGATE.search(words):
        return words
    try:
        return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", words)

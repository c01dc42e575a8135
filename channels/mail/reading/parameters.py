"""Content-Type and Content-Disposition: a value and its parameters (RFC 2045, RFC 2231, and what mailers write).

Accepted beyond the standards: values with spaces and no quotes, missing semicolons, quotes that never end, encoded words
(RFC 2047) in values, file names with single backslashes.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from channels.mail.reading.charsets import codec, decode_header, decode_text
from channels.mail.reading.limits import PARAMETERS
from channels.mail.reading.words import decode_words

_MEDIA = re.compile(r"\s*+([\w!#$&^.+-]++)\s*+/\s*+([\w!#$&^.+%*'-]++)", re.ASCII)
_TOKEN = re.compile(r"[^\s;=,]*+")
_PARAMETER = re.compile(
    r"""[;\s]*+ ([^\s;="]++) \s*+ = \s*+
    (?: " ((?:[^"\\]++|\\.)*+) (?:"|$) | ([^;]*+) )""",
    re.VERBOSE | re.DOTALL,
)
_SKIP = re.compile(r"[^;]*+;?")
_BARE = re.compile(r"(\S++)\s++[\w*-]++\s*+=")
_ESCAPE = re.compile(r'\\(["\\])')


def media_type(value: str) -> str:
    """The media type that a Content-Type names, lower case; empty when it names none.

    >>> media_type("Text/HTML; charset=utf-8")
    'text/html'
    """
    if match := _MEDIA.match(value):
        return f"{match[1]}/{match[2]}".lower()
    word = value.split(";")[0].strip().lower()
    return {"text": "text/plain", "plain": "text/plain", "html": "text/html"}.get(word, "")


def disposition_type(value: str) -> str:
    """`attachment`, `inline`, or another word; lower case."""
    word = _TOKEN.match(value.strip())
    return word[0].lower() if word else ""


def parameters(value: str) -> dict[str, str]:
    """The parameters after the first word; names in lower case, RFC 2231 pieces joined and decoded."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    start = value.find(";")
    if start < 0:
        head = _MEDIA.match(value) or _TOKEN.match(value.lstrip())
        start = head.end() if head else len(value)
    for _ in range(PARAMETERS):
        if start >= len(value):
            break
        match = _PARAMETER.match(value, start)
        if match is None:
            skipped = _SKIP.match(value, start)
            start = skipped.end() if skipped else len(value)
            continue
        start = match.end()
        name = match[1].lower()
        if match[2] is not None:
            content = _ESCAPE.sub(r"\1", match[2])
        else:
            content = match[3].strip()
            if name in ("charset", "boundary", "format", "delsp", "type") and (bare := _BARE.match(content)):
                start = match.start(3) + match[3].index(bare[1]) + len(bare[1])
                content = bare[1]
        if "*" not in name:
            plain.setdefault(name, content)
        else:
            _keep_piece(pieces, name, content)
    for name, numbered in pieces.items():
        plain[name] = _join(numbered)
    return plain


def _keep_piece(pieces: dict[str, dict[int, tuple[str, bool]]], name: str, content: str) -> None:
    base, _, rest = name.partition("*")
    number, star, _ = rest.partition("*")
    encoded = bool(star) or not number
    if not number or (number.isascii() and number.isdigit() and len(number) < 5):
        pieces.setdefault(base, {}).setdefault(int(number or 0), (content, encoded))


def _join(numbered: dict[int, tuple[str, bool]]) -> str:
    charset, raw = "", []
    for position, number in enumerate(sorted(numbered)):
        content, encoded = numbered[number]
        if position == 0 and encoded and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw.append(unquote_to_bytes(content) if encoded else content.encode("utf-8", "replace"))
    joined = b"".join(raw)
    return decode_text(joined, charset, set()) if codec(charset) else decode_header(joined, set())


def decoded(value: str) -> str:
    """A parameter's value as people read it: encoded words decoded, which the standard forbids and mailers write."""
    return decode_words(value, set()) if "=?" in value else value

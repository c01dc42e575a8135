"""Encoded words in headers (RFC 2047): also in the middle of words, with spaces inside, and split within a character.

Neighbouring words of one charset are joined as bytes before they are decoded, because many mailers cut between the bytes
of a character.
"""

from __future__ import annotations

import binascii
import re

from channels.mail.reading.charsets import codec, decode_known, decode_text
from channels.mail.reading.defects import Defect

_START = re.compile(r"=\?([\w.:()+-]{1,60})(?:\*[\w-]{0,40})?\?\s{0,2}([bBqQ])\s{0,2}\?", re.ASCII)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]++")
_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")


def decode_words(text: str, defects: set[str]) -> str:
    """The text with its encoded words decoded; what is no encoded word stays as it is. Works in one pass.

    >>> decode_words("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?= au lait", set())
    'café au lait'
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending: list[tuple[str, bytes]] = []  # neighbouring encoded words, not yet decoded
    position = 0
    ending = -1
    while match := _START.search(text, position):
        if ending < match.end():
            ending = text.find("?=", match.end())
        if ending < 0:
            break
        between = text[position : match.start()]
        if between and not (pending and between.isspace()):
            _flush(pending, out, defects)
            out.append(between)
        pending.append((match[1], _content(match[2], text[match.end() : ending], defects)))
        position = ending + 2
    _flush(pending, out, defects)
    out.append(text[position:])
    return "".join(out)


def _content(encoding: str, content: str, defects: set[str]) -> bytes:
    if encoding in "qQ":
        data = content.replace("_", " ").encode("utf-8", "replace")
        return _QUOTED.sub(lambda match: bytes((int(match[1], 16),)), data)
    compact = _NOT_BASE64.sub("", content)
    if len(compact) % 4 == 1:
        defects.add(Defect.BAD_ENCODED_WORD)
        compact = compact[:-1]
    return binascii.a2b_base64(compact + "=" * (-len(compact) % 4))


def _flush(pending: list[tuple[str, bytes]], out: list[str], defects: set[str]) -> None:
    position = 0
    while position < len(pending):
        label = pending[position][0]
        stop = position + 1
        while stop < len(pending) and pending[stop][0].lower() == label.lower():
            stop += 1
        data = b"".join(content for _, content in pending[position:stop])
        out.append(_text(data, label, defects))
        position = stop
    pending.clear()


def _text(data: bytes, label: str, defects: set[str]) -> str:
    if not codec(label):
        defects.add(Defect.BAD_ENCODED_WORD)
        return decode_text(data, "", set())
    wrong: set[str] = set()
    text = decode_text(data, label, wrong)
    if wrong:
        defects.add(Defect.BAD_ENCODED_WORD)
    return text if text else (decode_known(data, label) or "")

"""How a text is cut for the air: the alphabet it needs, the parts it takes (3GPP TS 23.038 and 23.040).

A text that the 7-bit alphabet can write has 160 units in a single part, or 153 in each of several, because a header
of six bytes then takes room; some signs (^ { } \\ [ ~ ] | € and the form feed) take two units. Any other text is
UCS-2, in fact UTF-16: 70 units, or 67. No part ends inside a sign of two units, a surrogate pair, or what a reader
takes for one character.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from channels.sms.graphemes import split_graphemes

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
GSM_7: Final = _BASIC | _EXTENDED


class Encoding(StrEnum):
    """The alphabet of a message."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


#: units in a single part, and in each of several
_ROOM: Final = {Encoding.GSM_7: (160, 153), Encoding.UCS_2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text takes: `segments` is what the provider bills."""

    encoding: Encoding
    segments: int
    #: GSM-7: units, so that € counts twice; UCS-2: characters as a reader counts them
    characters: int


def encoding_of(body: str) -> Encoding:
    """The smaller alphabet that can write this text."""
    return Encoding.GSM_7 if GSM_7.issuperset(body) else Encoding.UCS_2


def count(body: str) -> Segments:
    """Encoding, parts and characters of a text. An empty text takes no part."""
    encoding = encoding_of(body)
    parts = len(split(body))
    if encoding is Encoding.GSM_7:
        return Segments(encoding, parts, units(body, encoding))
    return Segments(encoding, parts, sum(1 for _ in split_graphemes(body)))


def split(body: str) -> list[str]:
    """The parts of a text; joined, they are the text."""
    encoding = encoding_of(body)
    alone, among_several = _ROOM[encoding]
    if units(body, encoding) <= alone:
        return [body] if body else []
    signs: Iterator[str] = iter(body) if encoding is Encoding.GSM_7 else split_graphemes(body)
    parts: list[str] = []
    held: list[str] = []
    left = among_several
    for sign in signs:
        for piece in (sign,) if units(sign, encoding) <= among_several else sign:
            needed = units(piece, encoding)
            if needed > left:
                parts.append("".join(held))
                held, left = [], among_several
            held.append(piece)
            left -= needed
    parts.append("".join(held))
    return parts


def units(text: str, encoding: Encoding) -> int:
    """Units of room that a text takes: septets, or 16-bit units."""
    if encoding is Encoding.GSM_7:
        return len(text) + sum(map(_EXTENDED.__contains__, text))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

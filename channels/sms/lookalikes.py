"""Signs outside the 7-bit alphabet that another sign stands in for: typographic quotes, dashes, spaces, accents.

A single one of them makes a text of 160 units one of 70. Replacing is an option, and the report says what it
changed, so that whoever writes can see and refuse it. Only signs whose meaning stays are in the table; letters lose
their accents only where asked for, since some languages change a word by it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Final

from channels.sms.segments import GSM_7

_SIGNS: Final[dict[str, str]] = {
    # Quotes
    **dict.fromkeys(
        "\u2018\u2019\u201a\u201b\u02bb\u02bc\u02c8\u2032\u2035\u2039\u203a\u00b4\u0060\uff07", "'"
    ),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u301d\u301e\uff02", '"'),
    # Dashes and hyphens
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2500\ufe58\ufe63\uff0d", "-"),
    # Spaces, and what takes no room
    **dict.fromkeys(
        "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    ),
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
    **dict.fromkeys("\u2028\u2029\u0085\u000b", "\n"),
    # Points, bullets, fractions, signs of trade
    "\u2026": "...",
    "\u2025": "..",
    **dict.fromkeys("\u2022\u2023\u25cf\u25e6\u00b7\u2219", "-"),
    "\u00bc": "1/4",
    "\u00bd": "1/2",
    "\u00be": "3/4",
    "\u2044": "/",
    "\u2215": "/",
    "\u00d7": "x",
    "\u2217": "*",
    "\u2236": ":",
    "\u2122": "(TM)",
    "\u00ae": "(R)",
    "\u00a9": "(C)",
    "\u2116": "No",
    "\u00b2": "2",
    "\u00b3": "3",
    # Ligatures
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\u0152": "OE",
    "\u0153": "oe",
}


@dataclass(frozen=True, slots=True)
class Replacement:
    """A sign, what stands for it now, and how often."""

    sign: str
    by: str
    times: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """The new text, what was changed in it, and the signs that still ask for UCS-2."""

    text: str
    replacements: tuple[Replacement, ...]
    remaining: tuple[str, ...]


def replace_lookalikes(body: str, *, accents: bool = False) -> Replaced:
    """Put signs of the 7-bit alphabet in the place of those that look or mean the same.

    `accents` also takes away the accents that the alphabet lacks (ç, ê, í), never those that it has (é, ü). The
    text is composed first (NFC), so that a letter with a separate accent counts as the letter it is. Where a sign
    remains that nothing stands for (an emoji), the text needs UCS-2 anyway; the caller may then keep the original.
    """
    changed: Counter[tuple[str, str]] = Counter()
    remaining: dict[str, None] = {}
    pieces = []
    for char in unicodedata.normalize("NFC", body):
        by = char if char in GSM_7 else _stand_in(char, accents=accents)
        if by is None:
            remaining[char] = None
            by = char
        elif by != char:
            changed[char, by] += 1
        pieces.append(by)
    return Replaced(
        "".join(pieces),
        tuple(Replacement(sign, by, times) for (sign, by), times in changed.items()),
        tuple(remaining),
    )


def _stand_in(char: str, *, accents: bool) -> str | None:
    """What stands for a sign that the alphabet lacks; None when nothing does."""
    found = _SIGNS.get(char)
    if found is None and accents:
        bare = "".join(c for c in unicodedata.normalize("NFD", char) if not unicodedata.combining(c))
        found = bare if bare and GSM_7.issuperset(bare) else None
    return found

"""What a reader takes for one character: letters with their accents, flags, families of emoji (UAX #29).

The standard library does not know these borders. The rules are those of extended grapheme clusters, without the
prepended marks and conjuncts of Indic scripts, which no counter of short messages knows either. CR LF stays two
characters, because a phone is sent two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_JOINER: Final = "\u200d"
_TIES: Final = frozenset({"\u200c", "\u0e33", "\u0eb3"})  # ZWNJ; Thai and Lao AM
#: Extended_Pictographic of emoji-data.txt, in ranges: some hold a few other signs, which never follow a joiner.
_PICTURES: Final = (
    (0xA9, 0xA9),
    (0xAE, 0xAE),
    (0x203C, 0x203C),
    (0x2049, 0x2049),
    (0x2122, 0x2122),
    (0x2139, 0x2139),
    (0x2194, 0x21AA),
    (0x231A, 0x2388),
    (0x23CF, 0x23FA),
    (0x24C2, 0x24C2),
    (0x25AA, 0x27BF),
    (0x2934, 0x2935),
    (0x2B05, 0x2B55),
    (0x3030, 0x3030),
    (0x303D, 0x303D),
    (0x3297, 0x3299),
    (0x1F000, 0x1F1E5),
    (0x1F201, 0x1F3FA),
    (0x1F400, 0x1FAFF),
)


def split_graphemes(text: str) -> Iterator[str]:
    """The characters of a text as a reader counts them; joined, they are the text."""
    start = 0
    for here in range(1, len(text)):
        if not _belong_together(text, start, here):
            yield text[start:here]
            start = here
    if text:
        yield text[start:]


def _belong_together(text: str, start: int, here: int) -> bool:
    """Whether text[here] goes on with the cluster that began at `start`."""
    before, after = _trait(text[here - 1]), _trait(text[here])
    if before == after == "":  # the usual case
        return False
    if before == "control":
        return False
    if after == "extends":
        return True
    if before == after == "flag":
        return (here - start) % 2 == 1
    if text[here - 1] == _JOINER and _is_picture(text[here]):
        stem = here - 2
        while stem > start and _trait(text[stem]) == "extends":
            stem -= 1
        return stem >= start and _is_picture(text[stem])
    return after in _HANGUL.get(before, ())


#: What may follow a Korean letter or syllable within one: leading, vowel, trailing.
_HANGUL: Final[dict[str, tuple[str, ...]]] = {
    "L": ("L", "V", "LV", "LVT"),
    "V": ("V", "T"),
    "LV": ("V", "T"),
    "T": ("T",),
    "LVT": ("T",),
}


@lru_cache(maxsize=4096)
def _trait(char: str) -> str:
    """What matters about a character for its neighbours; empty for most."""
    code = ord(char)
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp"):
        return "control"
    if (
        char == _JOINER
        or char in _TIES
        or category in ("Mn", "Me", "Mc")
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0020 <= code <= 0xE007F  # tags, as in the flag of Scotland
    ):
        return "extends"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return "flag"
    return _hangul(code)


def _is_picture(char: str) -> bool:
    code = ord(char)
    return any(first <= code <= last for first, last in _PICTURES)


def _hangul(code: int) -> str:
    if 0x1100 <= code <= 0x115F:
        return "L"
    if 0x1160 <= code <= 0x11A7:
        return "V"
    if 0x11A8 <= code <= 0x11FF:
        return "T"
    if 0xAC00 <= code <= 0xD7A3:
        return "LV" if (code - 0xAC00) % 28 == 0 else "LVT"
    return ""

"""Texts that are spoken: without signs that XML cannot hold, in pieces as long as the provider speaks them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

#: Characters in one Say (www.twilio.com/docs/voice/twiml/say#limitations).
LONGEST_PIECE: Final = 4_096
#: What is no character of XML 1.0 (2.2), half of a pair of surrogates included.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACES: Final = re.compile(r"\s+")
#: Where a text may be parted: after a sentence, after a clause, between words; the first that lies far enough.
_BREAKS: Final = (re.compile(r"[.!?…。！？]\s"), re.compile(r"[;:,]\s"), re.compile(r"\s"))
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")

#: The provider speaks languages of a country: which one where a tag names none.
_COUNTRIES: Final[Mapping[str, str]] = {
    "ar": "AE",
    "ca": "ES",
    "cs": "CZ",
    "cy": "GB",
    "da": "DK",
    "de": "DE",
    "el": "GR",
    "en": "GB",
    "es": "ES",
    "fi": "FI",
    "fr": "FR",
    "he": "IL",
    "hi": "IN",
    "hu": "HU",
    "it": "IT",
    "ja": "JP",
    "ko": "KR",
    "nb": "NO",
    "nl": "NL",
    "pl": "PL",
    "pt": "PT",
    "ro": "RO",
    "ru": "RU",
    "sk": "SK",
    "sv": "SE",
    "tr": "TR",
    "uk": "UA",
    "zh": "CN",
}


def clean(text: str) -> str:
    """The text with one space for any run of spaces and of signs that XML cannot hold."""
    return _SPACES.sub(" ", _NOT_XML.sub(" ", text)).strip()


def part(text: str, longest: int = LONGEST_PIECE) -> Iterator[str]:
    """A clean text in pieces of at most `longest` characters, parted after sentences where there are any."""
    rest = clean(text)
    while len(rest) > longest:
        cut = _find_break(rest, longest)
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    if rest:
        yield rest


def name_language(tag: str) -> str:
    """The provider's name of a language: `fr` and `fr_fr` are `fr-FR`; empty for what is no tag (its default)."""
    tag = tag.strip().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        return ""
    language, _, more = tag.partition("-")
    language = language.lower()
    if not more:
        more = _COUNTRIES.get(language, "")
    elif len(more) == 2:
        more = more.upper()
    return f"{language}-{more}" if more else language


def _find_break(text: str, longest: int) -> int:
    """Where a text is parted: as late as possible, in its second half."""
    window = text[:longest]
    for pattern in _BREAKS:
        ends = [found.end() for found in pattern.finditer(window)]
        if ends and ends[-1] > longest // 2:
            return ends[-1]
    return longest

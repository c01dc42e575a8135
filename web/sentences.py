"""Sentences that other rooms raise in English, said in the reader's language.

A room raises `Conflict(f"A campaign that is {state} cannot …")`. The catalogue holds such a sentence with numbered
places ("A campaign that is {0} cannot …"); here the English sentence is matched against those patterns, and the
translation is filled with what stood in the places.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from babel.messages.pofile import read_po

from domain.errors import ClytieError, InvalidInput
from web.i18n import _, catalogue_path, current_language

_PLACE: Final = re.compile(r"\{(\d+)\}")


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    with catalogue_path(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    found = []
    for message in catalogue:
        if isinstance(message.id, str) and isinstance(message.string, str) and _PLACE.search(message.id):
            parts = _PLACE.split(message.id)
            pattern = "".join(
                re.escape(part) if index % 2 == 0 else f"(?P<p{part}>.*?)" for index, part in enumerate(parts)
            )
            found.append((re.compile(pattern, re.DOTALL), message.string))
    return tuple(sorted(found, key=lambda pair: -len(pair[0].pattern)))


def translate_sentence(sentence: str) -> str:
    """The sentence in the current language; unchanged when the catalogue does not know it."""
    translated = _(sentence)
    if translated != sentence or current_language() == "en":
        return translated
    for pattern, target in _patterns(current_language()):
        match = pattern.fullmatch(sentence)
        if match:
            return _PLACE.sub(lambda place: match.group(f"p{place[1]}"), target)  # noqa: B023 - used at once
    return sentence


def translate_error(error: ClytieError) -> str:
    """What an error tells a person: for wrong input the problem and its remedy, without the field's name."""
    if isinstance(error, InvalidInput):
        parts = (error.problem, error.remedy)
        return " ".join(_capital(translate_sentence(part)) for part in parts if part)
    return _capital(translate_sentence(str(error)))


def _capital(sentence: str) -> str:
    """Rooms write what follows "field: " in lower case; alone it begins like a sentence."""
    return sentence[:1].upper() + sentence[1:]

"""Languages and words of callers: which of a line's languages suits them, which key they mean by what they say. Pure."""

from __future__ import annotations

from domain.folding import fold
from inbox.lines.menus import Line, Menu


def match_language(line: Line, language: str) -> str:
    """The language of a line that suits somebody who speaks `language`; empty when none does."""
    if language in line.languages:
        return language
    plain = language.partition("-")[0]
    return next((one for one in line.languages if plain and one.partition("-")[0] == plain), "")


def find_spoken(menu: Menu, language: str, speech: str) -> str:
    """The key that is meant by what was said; empty when none is."""
    said = f" {fold(speech)} "
    said = "".join(letter if letter.isalnum() else " " for letter in said)
    for key, by_language in menu.words.items():
        for tag in (language, language.partition("-")[0], ""):
            if any(f" {fold(word)} " in said for word in by_language.get(tag, ())):
                return key
    return ""


def list_hints(menu: Menu, language: str) -> tuple[str, ...]:
    """Words that are likely to be said, each once."""
    tags = (language, language.partition("-")[0], "")
    words = (word for by in menu.words.values() for tag in tags for word in by.get(tag, ()))
    return tuple(dict.fromkeys(words))

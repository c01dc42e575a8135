"""Texts in the reader's language. Sources are English; web/locale/<language>/LC_MESSAGES/clytie.po translates them.

Catalogues are compiled in memory when they are first asked for, so a fresh checkout needs no build step and no
gettext tools. Which language is meant is a context variable, set once per request.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: Final = {"en": "English", "fr": "Français"}
LOCALE_FOLDER: Final = Path(__file__).parent / "locale"

_language: ContextVar[str] = ContextVar("language", default="en")


def catalogue_path(language: str) -> Path:
    """Where the catalogue of a language lies."""
    return LOCALE_FOLDER / language / "LC_MESSAGES" / "clytie.po"


@cache
def load_translations(language: str) -> gettext.NullTranslations:
    """The compiled catalogue of a language of LANGUAGES."""
    with catalogue_path(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def current_language() -> str:
    """The language of the request that is being answered."""
    return _language.get()


def use_language(language: str) -> None:
    """Answer in this language from here on (in this task)."""
    _language.set(language if language in LANGUAGES else "en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Use a language inside a `with` block."""
    token = _language.set(language if language in LANGUAGES else "en")
    try:
        yield
    finally:
        _language.reset(token)


def _(text: str) -> str:
    """The text in the current language."""
    return load_translations(_language.get()).gettext(text) if text else ""


def ngettext(one: str, many: str, number: int) -> str:
    """The text for this number in the current language."""
    return load_translations(_language.get()).ngettext(one, many, number)


def N_(text: str) -> str:
    """Mark a text for the catalogue without translating it here."""
    return text


def choose_language(accepted: str) -> str:
    """The best language for an Accept-Language header (RFC 9110, 12.5.4); English when none fits."""
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate(accepted.split(",")[:20]):
        tag, *parameters = part.strip().lower().split(";")
        quality = 1.0
        for parameter in parameters:
            name, _sign, value = parameter.strip().partition("=")
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        ranked.append((-quality, position, tag.partition("-")[0]))
    for negative, _position, tag in sorted(ranked):
        if tag in LANGUAGES and negative < 0:
            return tag
    return "en"

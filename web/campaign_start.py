"""What a new campaign begins with: the newsletter that comes with Clytie, in a language."""

from __future__ import annotations

from typing import Any, Final

from templates.catalogue import load
from web.i18n import LANGUAGES
from web.people import Person

NEWSLETTER: Final = "newsletter"


def first_source(person: Person, language: str) -> dict[str, Any]:
    """The template as plain values, with the person as its sender."""
    known = language if language in LANGUAGES else "en"
    return load(NEWSLETTER, known, person.email, person.name).model_dump()

"""What a new campaign begins with: the newsletter that comes with Clytie, in a language."""

from __future__ import annotations

from typing import Any, Final

from templates.catalogue import load
from web.access.people import Person
from web.i18n import LANGUAGES

NEWSLETTER: Final = "newsletter"


def first_source(person: Person, language: str) -> dict[str, Any]:
    """The template as plain values, with the person as its sender."""
    known = language if language in LANGUAGES else "en"
    return load(NEWSLETTER, known, person.email, person.name).model_dump()

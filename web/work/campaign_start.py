"""What a new campaign begins with: the newsletter or the short message that comes with Clytie, in a language."""

from __future__ import annotations

from typing import Any, Final

from templates.catalogue import load, load_text
from templates.texts import SmsTemplate
from web.access.people import Person
from web.i18n import LANGUAGES

NEWSLETTER: Final = "newsletter"
NEWS: Final = "news"


def first_source(person: Person, language: str) -> dict[str, Any]:
    """The template as plain values, with the person as its sender."""
    known = language if language in LANGUAGES else "en"
    return load(NEWSLETTER, known, person.email, person.name).model_dump()


def first_text(sender: str, language: str) -> dict[str, Any]:
    """A short message as plain values; without a sender it is an incomplete one."""
    known = language if language in LANGUAGES else "en"
    text = SmsTemplate(text=load_text(NEWS, known), sender=sender or "?", stop_hint=True, language=known)
    return {**text.model_dump(), "sender": sender}

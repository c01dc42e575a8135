"""Titles and notes with simple fields: `Call {contact.name}` or `Call {contact.given_name|the contact}`.

Only names of fields, no expressions: a template fills in a microsecond and cannot fail on any facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from domain.errors import InvalidInput
from domain.fields import find_field
from domain.predicates import Facts, compile_getter

MISSING: Final = "…"
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_PART: Final = re.compile(r"\{([a-z_]+\.[A-Za-z0-9_.-]+)(?:\|([^{}]*))?\}")
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f]+")

Fill = Callable[[Facts], str]


def check_template(text: str, *, name: str) -> None:
    """See that every field exists. Raises InvalidInput naming the place (`name`) and the remedy."""
    for part in _FIELD.finditer(text):
        match = _PART.fullmatch(part[0])
        if match is None:
            raise InvalidInput(
                name,
                f"{part[0]} is no field;",
                "write {contact.name}, or {contact.name|words for a missing one}.",
            )
        find_field(match[1], where=name)
    if "{" in _FIELD.sub("", text) or "}" in _FIELD.sub("", text):
        raise InvalidInput(name, "a brace is not closed;", "write {contact.name}.")


def field_names_of(text: str) -> frozenset[str]:
    """Every field that a template shows."""
    return frozenset(match[1] for match in _PART.finditer(text))


def only_field(text: str) -> str | None:
    """The field that a template is nothing but, without words for a missing value; None for any other."""
    match = _PART.fullmatch(text)
    return match[1] if match is not None and match[2] is None else None


def compile_template(text: str, *, longest: int, one_line: bool = True) -> Fill:
    """The function that fills a checked template; a missing field shows as `…` or the words behind its bar."""
    parts: list[str | tuple[Callable[[Facts], Any], str]] = []
    end = 0
    for match in _PART.finditer(text):
        parts.append(text[end : match.start()])
        parts.append((compile_getter(match[1]), MISSING if match[2] is None else match[2]))
        end = match.end()
    parts.append(text[end:])

    def fill(facts: Facts) -> str:
        filled = "".join(part if isinstance(part, str) else _write(part[0](facts), part[1]) for part in parts)
        if one_line:
            return _SPACE.sub(" ", filled).strip()[:longest]
        return filled.replace("\x00", "").strip()[:longest]

    return fill


def _write(value: Any, missing: str) -> str:
    if value is None or value == "":
        return missing
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value)

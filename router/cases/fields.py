"""What people write into the fields of a case: checked against its type, as JSON that is stored. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from domain.errors import InvalidInput
from router.cases.types import CaseField, CaseType, FieldKind

LONGEST: Final = 10_000  #: characters of a text
_YES: Final = {"yes": True, "true": True, "no": False, "false": False}


def check_fields(kind: CaseType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored; None for what is emptied.

    Raises InvalidInput naming the field (`fields.amount`) and what may stand there.
    """
    return {name: _check(kind, name, value) for name, value in given.items()}


def _check(kind: CaseType, name: str, value: Any) -> Any:
    place = f"fields.{name}"
    field = kind.field(name)
    if field is None:
        known = ", ".join(one.name for one in kind.fields) or "none"
        raise InvalidInput(place[:200], "cases of this type have no such field.", f"Known are {known}.")
    if isinstance(value, str):
        value = value.replace("\0", "").strip()
    if value is None or value == "":
        return None
    match field.kind:
        case FieldKind.NUMBER:
            return _number(place, value)
        case FieldKind.DATE:
            return _day(place, value)
        case FieldKind.CHOICE:
            return _choice(place, field, value)
        case FieldKind.YES_NO:
            return _yes_no(place, value)
    if not isinstance(value, str):
        raise InvalidInput(place, "is no text.", "Write it in quotation marks.")
    if len(value) > LONGEST:
        raise InvalidInput(place, "is too long.", f"Write {LONGEST} characters at most.")
    return value


def _number(place: str, value: Any) -> int | float:
    if isinstance(value, str):
        bare = value.replace("\u202f", "").replace("\xa0", "").replace(" ", "").replace(",", ".")
        try:
            value = float(bare) if len(bare) <= 30 else None
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(place, "is no number.", "Write it like 1200 or 12.5.")
    if abs(value) > 1e15:
        raise InvalidInput(place, "is too large a number.", "Write a smaller one.")
    return int(value) if float(value).is_integer() else value


def _day(place: str, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (ValueError, TypeError) as error:
        raise InvalidInput(place, "is no day.", "Write it like 2026-03-31.") from error


def _choice(place: str, field: CaseField, value: Any) -> str:
    names = [choice.name for choice in field.choices]
    if value not in names:
        raise InvalidInput(place, "is not one of the choices.", f"Choose {', '.join(names)}.")
    return str(value)


def _yes_no(place: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _YES.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise InvalidInput(place, "is neither yes nor no.", "Write true or false.")
    return known


def missing_fields(kind: CaseType, fields: Mapping[str, Any]) -> list[CaseField]:
    """The fields without which a case is not closed, and that are empty."""
    return [field for field in kind.fields if field.needed and fields.get(field.name) in (None, "")]

"""Reading the forms that providers post: fields by name, whatever the bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

#: Fields beyond these are not read: a provider sends a few dozen.
_MOST_FIELDS = 1000


def read_form(body: bytes) -> dict[str, list[str]]:
    """The fields of application/x-www-form-urlencoded in UTF-8, empty ones too; nothing when it has too many."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="replace",
        )
    except ValueError:
        return {}
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def first(fields: Mapping[str, Sequence[str]], name: str) -> str:
    """The first value of a field, without the spaces around it; empty when there is none."""
    values = fields.get(name)
    return values[0].strip() if values else ""

"""Fields of the provider's forms about calls, each read on its own: what is odd is left out, nothing raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from channels.http.forms import first, read_form

Fields = Mapping[str, list[str]]

_CALL: Final = re.compile(r"CA[0-9a-fA-F]{32}")
_RECORDING: Final = re.compile(r"RE[0-9a-fA-F]{32}")


def read_fields(body: bytes) -> dict[str, list[str]]:
    """The form's fields, without NUL, which PostgreSQL cannot hold."""
    return {name: [value.replace("\0", "") for value in values] for name, values in read_form(body).items()}


def is_call(text: str) -> bool:
    """Whether a text is the provider's number of a call."""
    return _CALL.fullmatch(text) is not None


def is_recording(text: str) -> bool:
    """Whether a text is the provider's number of a recording."""
    return _RECORDING.fullmatch(text) is not None


def call_number(fields: Fields, name: str) -> str:
    """The number of a call in a field; empty when there is none."""
    value = first(fields, name)
    return value if is_call(value) else ""


def words(fields: Fields, name: str, most: int) -> str:
    """At most so many characters of a field."""
    return first(fields, name)[:most]


def count(text: str) -> int | None:
    """A number of things or seconds; None for what is none, or beyond any measure."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def fraction(text: str) -> float | None:
    """A number from 0 to 1; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def moment(text: str) -> datetime | None:
    """A time of RFC 2822, as the provider writes it, in UTC; None for anything else."""
    try:
        read = parsedate_to_datetime(text)
        return (read.replace(tzinfo=UTC) if read.tzinfo is None else read).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None

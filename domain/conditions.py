"""The condition language of segments and rules: one tree of models, compiled to SQL and to Python elsewhere.

A condition is a mapping with exactly one of the keys `all`, `any`, `not`, `field`, `did`, `consent`:

    all:
      - {field: contact.country, is: FR}
      - {consent: newsletter}
      - not: {did: Clicked, where: {field: event.link_no, is: 3}, within: 30d}

Semantics, the same in SQL and in Python: a comparison with a missing (null) value is false, save `missing: true`;
`not` is plain two-valued negation; text compares case-insensitively.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    model_validator,
)

from domain.consent import Purpose
from domain.events import EventType

_DURATION = re.compile(r"\s*(\d{1,6})\s*(s|min|h|d|w)\s*")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Scalar = bool | int | float | str | datetime | None


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `15min`, `24h`, `30d` or `2w`. Raises ValueError with the remedy."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a length of time; write a number and s, min, h, d or w, such as 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def write_duration(value: timedelta) -> str:
    """The shortest form that `parse_duration` reads back, in whole seconds."""
    seconds = int(value.total_seconds())
    for unit, size in (("w", 604800), ("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(write_duration)]

#: contact.*, event.*, message.*, campaign.* ; `contact.fields.x` reaches a deployment's own field
FieldName = Annotated[
    str,
    Field(pattern=r"^(contact|event|message|campaign)\.[a-z_][a-z0-9_]*(\.[A-Za-z0-9_-]+)?$", max_length=120),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class All(_Model):
    """True when every part is; an empty list is true."""

    all: tuple[Condition, ...]


class Any_(_Model):
    """True when one part is; an empty list is false."""

    any: tuple[Condition, ...]


class Not(_Model):
    """True when its part is not."""

    not_: Condition = Field(alias="not")


class Compare(_Model):
    """One field against one operator."""

    field: FieldName
    is_: Scalar = Field(None, alias="is")
    is_not: Scalar = None
    in_: tuple[Scalar, ...] | None = Field(None, alias="in")
    contains: str | None = None
    starts_with: str | None = None
    less: int | float | datetime | None = None
    at_most: int | float | datetime | None = None
    more: int | float | datetime | None = None
    at_least: int | float | datetime | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _one_operator(self) -> Compare:
        if len(self.model_fields_set - {"field"}) != 1:
            raise ValueError(f"{self.field}: write exactly one of {', '.join(OPERATORS)}")
        return self

    @property
    def operator(self) -> str:
        """The operator's name as it is written in a rule."""
        name = next(iter(self.model_fields_set - {"field"}))
        return name.removesuffix("_")

    @property
    def value(self) -> Any:
        """What the field is compared with."""
        return getattr(self, next(iter(self.model_fields_set - {"field"})))


OPERATORS = (
    "is",
    "is_not",
    "in",
    "contains",
    "starts_with",
    "less",
    "at_most",
    "more",
    "at_least",
    "missing",
)


class Did(_Model):
    """True when the contact has at least (at most) so many events of a type, judged and dated as asked."""

    did: EventType
    where: Condition | None = None
    within: Duration | None = None
    at_least: int = Field(1, ge=1)
    judged: Literal["human", "machine", "unsure", "any"] = "any"


class Consent(_Model):
    """True when the contact's consent for the purpose stands (granted, not withdrawn since)."""

    consent: Purpose


def _kind(value: Any) -> str | None:
    keys: set[str] = (
        set(value)
        if isinstance(value, dict)
        else {name.removesuffix("_") for name in type(value).model_fields}
        if isinstance(value, BaseModel)
        else set()
    )
    for kind in ("all", "any", "not", "field", "did", "consent"):
        if kind in keys:
            return kind
    return None


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[Any_, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Compare, Tag("field")]
    | Annotated[Did, Tag("did")]
    | Annotated[Consent, Tag("consent")],
    Discriminator(
        _kind,
        custom_error_type="condition",
        custom_error_message="a condition has one of the keys all, any, not, field, did, consent",
    ),
]

for _model in (All, Any_, Not, Did):
    _model.model_rebuild()

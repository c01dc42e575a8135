"""The condition language of segments and rules: one tree of models, compiled to SQL and to Python elsewhere.

A condition is a mapping with exactly one of the keys `all`, `any`, `not`, `field`, `did`, `consent`, `working_time`:

    all:
      - {field: contact.country, is: FR}
      - {consent: newsletter}
      - not: {did: Clicked, where: {field: event.link_no, is: 3}, within: 30d}

Semantics, the same in SQL (contacts/segments.py) and in Python (domain/predicates.py):

- A comparison with a missing (null) value is false, `is_not` too; only `missing: true` is true of it. `not` is plain
  two-valued negation, so `not: {field: contact.country, is: FR}` holds for a contact without a country.
- Text compares without regard to case (domain/folding.py); `contains` and `starts_with` take every character as it is.
- A number compares with numbers, and in fields of your own (`contact.fields.x`, `event.data.x`) also with text that is
  a plain decimal number, as an import brings it. `is: "250"` matches the number 250 and the text "250".
- true and false compare with the JSON values, and with the texts "true" and "false".
- A moment compares with moments, and in fields of your own with text in the form of ISO 8601 (`2026-03-01`,
  `2026-03-01T09:30:00Z`); without a zone it means UTC. A date alone is its first instant. Dates given to `is`, `is_not`
  and `in` compare as text in fields of your own.
- Kinds do not mix: any other comparison is false, and `is_not` true of whatever is present.
- `did` counts the contact's events, those of contacts merged into it included, no older than `within`; in its `where`,
  event.*, message.* and campaign.* are those of the event that is counted. `same` (rules only) counts those that share
  the message, campaign, conversation or case of the event at hand.
- A list, such as contact.tags, compares by its elements: it is what one of them is. An empty list counts as missing.
- `mentions` (rules only) looks for words and phrases as domain/wording.py reads them.
- `working_time` (rules only) holds while the team of that name works.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from domain.consent import Purpose
from domain.errors import InvalidInput
from domain.events import EventType
from domain.wording import check_wording

_DURATION = re.compile(r"\s*(\d{1,6})\s*(s|min|h|d|w)\s*")
_LONGEST = timedelta(days=36525)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}

#: numbers beyond this compare differently in floating point and in PostgreSQL's numeric, so they are refused
LARGEST = 10**15
_MOMENT = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{3}|\.[0-9]{6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?"
)


def parse_moment(text: str) -> datetime | None:
    """Read a date or a date and time of ISO 8601, UTC unless it names a zone; None for any other text."""
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _read_number(value: bool | int | float) -> bool | int | float:
    if not isinstance(value, bool) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise ValueError(f"not a number between -{LARGEST} and {LARGEST}")
    return value


def _read_text(value: str) -> str:
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("text must not hold null characters or halves of surrogate pairs")
    return value


def _read_value(value: object) -> bool | int | float | str:
    """What `is` compares with: a moment becomes text, so that a condition survives being stored as JSON."""
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, bool | int | float):
        return _read_number(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if value is None:
        raise ValueError("nothing equals a missing value; write missing: true")
    raise ValueError("write text, a number, true, false or a date")


def _read_bound(value: object) -> int | float | datetime:
    """What `less`, `at_most`, `more` and `at_least` compare with."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_number(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    moment = parse_moment(value.isoformat() if isinstance(value, date) else str(value))
    if moment is None or isinstance(value, bool):
        raise ValueError("write a number, or a date such as 2026-03-01 or 2026-03-01T09:30:00Z")
    return moment


Value = Annotated[bool | int | float | str, BeforeValidator(_read_value)]
Bound = Annotated[int | float | datetime, BeforeValidator(_read_bound)]
Wordings = Annotated[
    tuple[Annotated[str, BeforeValidator(lambda value: _read_wording(value))], ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1, max_length=500),
]
Part = Annotated[str, BeforeValidator(lambda value: _read_text(value) if isinstance(value, str) else value)]


def _read_wording(value: object) -> object:
    if isinstance(value, str):
        check_wording(_read_text(value))
    return value


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `15min`, `24h`, `30d` or `2w`. Raises ValueError with the remedy."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a length of time; write a number and s, min, h, d or w, such as 30d")
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if length > _LONGEST:
        raise ValueError("longer than 100 years; leave it out for events of any age")
    return length


def write_duration(value: timedelta) -> str:
    """The shortest form that `parse_duration` reads back, in whole seconds."""
    seconds = int(value.total_seconds())
    for unit, size in (("w", 604800), ("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(write_duration)]

#: the kinds of thing that fields belong to; `contact.fields.x` reaches a deployment's own field
ROOMS = ("contact", "event", "message", "campaign", "conversation", "content", "case", "task")
FieldName = Annotated[str, BeforeValidator(lambda value: _read_field_name(value)), Field(max_length=120)]
_FIELD_NAME = re.compile(rf"({'|'.join(ROOMS)})\.[a-z_][a-z0-9_]*(\.[A-Za-z0-9_-]+)?")


def _read_field_name(value: object) -> object:
    if isinstance(value, str) and _FIELD_NAME.fullmatch(value) is None:
        raise ValueError(
            f"{value[:60]!r} is no field; write {', '.join(f'{room}.' for room in ROOMS)} and a name,"
            " such as contact.country or contact.fields.size"
        )
    return value


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
    is_: Value | None = Field(None, alias="is")
    is_not: Value | None = None
    in_: tuple[Value, ...] | None = Field(None, alias="in")
    contains: Part | None = None
    starts_with: Part | None = None
    mentions: Wordings | None = None
    less: Bound | None = None
    at_most: Bound | None = None
    more: Bound | None = None
    at_least: Bound | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _one_operator(self) -> Compare:
        if len(self.model_fields_set - {"field"}) != 1:
            raise ValueError(f"{self.field}: write exactly one of {', '.join(OPERATORS)}")
        if self.value is None:
            raise ValueError(f"{self.field}: nothing compares with a missing value; write missing: true")
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
    "mentions",
    "less",
    "at_most",
    "more",
    "at_least",
    "missing",
)


Same = Literal["message", "campaign", "conversation", "case"]


class Did(_Model):
    """True when the contact has at least (at most) so many events of a type, judged and dated as asked."""

    did: EventType
    where: Condition | None = None
    within: Duration | None = None
    at_least: int | None = Field(None, ge=1, le=1_000_000)
    at_most: int | None = Field(None, ge=0, le=1_000_000)
    same: Same | None = None
    judged: Literal["human", "machine", "unsure", "any"] = "any"

    @model_validator(mode="after")
    def _some_number(self) -> Did:
        if self.at_most is not None and self.fewest > self.at_most:
            raise ValueError("at_most is less than at_least; no number is both")
        return self

    @property
    def fewest(self) -> int:
        """How many there must be: 1 unless written, 0 where only a most is."""
        if self.at_least is not None:
            return self.at_least
        return 1 if self.at_most is None else 0


class Consent(_Model):
    """True when the contact's consent for the purpose stands (granted, not withdrawn since)."""

    consent: Purpose


class WorkingTime(_Model):
    """True while the team of this name works: its hours, time zone and public holidays."""

    working_time: str = Field(min_length=1, max_length=200)


#: the key that tells each kind of condition
KEYS = ("all", "any", "not", "field", "did", "consent", "working_time")


def _kind(value: Any) -> str | None:
    keys: set[str] = (
        set(value)
        if isinstance(value, dict)
        else {name.removesuffix("_") for name in type(value).model_fields}
        if isinstance(value, BaseModel)
        else set()
    )
    for kind in KEYS:
        if kind in keys:
            return kind
    return None


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[Any_, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Compare, Tag("field")]
    | Annotated[Did, Tag("did")]
    | Annotated[Consent, Tag("consent")]
    | Annotated[WorkingTime, Tag("working_time")],
    Discriminator(
        _kind,
        custom_error_type="condition",
        custom_error_message=f"a condition has one of the keys {', '.join(KEYS)}",
    ),
]

for _model in (All, Any_, Not, Did):
    _model.model_rebuild()

_ADAPTER: TypeAdapter[Condition] = TypeAdapter(Condition)


def read_condition(data: object, *, name: str = "condition") -> Condition:
    """A condition from what YAML or JSON gave. Raises InvalidInput naming the place (`condition.all[1].is`)."""
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(_place(name, first["loc"]), problem[:1].lower() + problem[1:] + ".") from error
    except RecursionError as error:
        raise InvalidInput(name, "it is nested too deeply.") from error


def write_condition(condition: Condition) -> dict[str, Any]:
    """The mapping that `read_condition` reads back, fit for JSON."""
    return condition.model_dump(mode="json", by_alias=True, exclude_unset=True)


def parts_of(condition: Condition) -> Iterator[tuple[str, Condition]]:
    """The conditions right inside of this one, each with its place (`all[0]`, `not`, `where`)."""
    match condition:
        case All():
            yield from ((f"all[{number}]", part) for number, part in enumerate(condition.all))
        case Any_():
            yield from ((f"any[{number}]", part) for number, part in enumerate(condition.any))
        case Not():
            yield "not", condition.not_
        case Did(where=where) if where is not None:
            yield "where", where


def _place(name: str, location: tuple[int | str, ...]) -> str:
    place, key, at_union = name, "", True
    for step in location:
        if at_union and isinstance(step, str):
            at_union = False  # the tag of the union, not a key that somebody wrote
        elif isinstance(step, int):
            place += f"[{step}]"
            at_union = key in ("all", "any")
        else:
            place += f".{step}"
            key = step
            at_union = key in ("not", "where")
    return place

"""Random contacts, events and conditions for Hypothesis: small pools of awkward values, so that they meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain.fields import FIELDS, FieldKind

NOW = datetime(2026, 5, 4, 9, 0, 0, 250, tzinfo=UTC)
#: text that PostgreSQL can store
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
WORDS = (
    "", "FR", "fr", "Fr", "straße", "STRASSE", "ΟΔΟΣ", "οδος", "οδοσ", "İstanbul", "istanbul", "i̇stanbul", "ı", "ﬀ", "%", "_",
    "50%_off", "\\", "a\\", "'", '"', "$1", "true", "TRUE", "false", "null", "3", "3.0", "+3", "-0", "0", "03", "3 ", "٣",
    "1e3", "1e400", "NaN", "Infinity", "2026-03-01", "2026-03-01T09:30:00Z", "2026-03-01T09:30:00+14:00", "2026-02-31",
    "2026-03-01 09:30", "2026-03-01T24:00:00", "2026-03-01T23:59:60Z", "2026-03-01T09:30:00.123456-00:00", "0001-01-01",
    "2026-03-01T09:30:00", "2026-03-01T09:30:00+02:00", "2026-02-28T19:30:00Z", "infinity", "today", "now", "é", "e\u0301", "Ꟛ", "ꟛ", "𐵐", "𐵰", "K", "ǅ", "\n", "a\nb", "a@b.example", "b.example",
)  # fmt: skip
words = st.sampled_from(WORDS) | st.text(characters, max_size=4)
NUMBERS = (0, 1, 3, -3, 250, 10**15, -(10**15), 0.1, 0.5, 3.0, -0.0, 1e-7, 2.5, 1e14 + 0.5)
numbers = st.sampled_from(NUMBERS) | st.integers(-5, 5) | st.floats(-(10**15), 10**15, allow_subnormal=False)
MOMENTS = (
    NOW,
    NOW - timedelta(days=1),
    NOW - timedelta(days=1, microseconds=1),
    NOW - timedelta(hours=3),
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    datetime(2026, 2, 28, 19, 30, tzinfo=UTC),
    NOW + timedelta(days=2),
)
moments = st.sampled_from(MOMENTS)
#: JSON values that nobody would compare with, and that must not break a comparison
ODD: tuple[Any, ...] = (
    10**400,
    -(10**400),
    10**16,
    2**53 + 1,
    1e300,
    9e300,
    1e-305,
    [],
    ["a"],
    {"a": 1},
    True,
    False,
    None,
)
json_values = words | numbers | st.booleans() | st.none() | st.sampled_from(ODD)
OWN = ("x", "Y", "x-1", "0")
#: what an event's data may hold; names of the catalogue among them
DATA = ("link_no", "asset", "reason", "old", "new", "foo", "Foo")
EVENT_TYPES = ("Opened", "Clicked", "Changed")


def _optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


people = st.fixed_dictionaries(
    {
        "name": words,
        "organisation": _optional(words),
        "country": _optional(st.sampled_from(["FR", "fr", "DE", "ΟΔΟΣ"])),
        "owner_id": _optional(st.sampled_from([1, 3])),
        "created_at": moments,
        "fields": st.dictionaries(st.sampled_from(OWN), json_values, max_size=4),
        "tags": st.lists(words, max_size=3),
        "mails": st.lists(
            st.sampled_from(["a@b.example", "B@B.example", '"q@q"@straße.example', "nobody"]),
            unique=True,
            max_size=2,
        ),
        "consents": st.dictionaries(
            st.sampled_from(["newsletter", "measure"]), st.sampled_from(["granted", "withdrawn"])
        ),
    }
)
happenings = st.fixed_dictionaries(
    {
        "contact": st.sampled_from([0, 0, 1, 1, 2, 2, 3, 4, 5, None]),
        "type": st.sampled_from(EVENT_TYPES),
        "occurred_at": moments,
        "message": _optional(st.integers(0, 2)),
        "campaign": _optional(st.integers(0, 1)),
        "task_id": _optional(st.sampled_from([3, 2**60])),
        "verdict": _optional(st.sampled_from(["human", "machine", "unsure"])),
        "data": _optional(st.dictionaries(st.sampled_from(DATA), json_values, max_size=4)),
    }
)


def _names(room: str) -> list[str]:
    own = {"contact": [f"contact.fields.{key}" for key in OWN], "event": ["event.data.foo", "event.data.Foo"]}
    return own.get(room, []) + [
        name for name in FIELDS if name.startswith(f"{room}.") and not name.endswith("*")
    ]


def _values(kind: FieldKind) -> st.SearchStrategy[Any]:
    return {
        FieldKind.TEXT: words | st.sampled_from(["human", "Opened", "mail", "OUT", "May", "straße.EXAMPLE"]),
        FieldKind.LIST: words,
        FieldKind.NUMBER: numbers,
        FieldKind.MOMENT: moments.map(lambda moment: moment.isoformat()),
        FieldKind.OPEN: words | numbers | st.booleans(),
    }[kind]


def values_in(people: list[Any], events: list[Any]) -> dict[str, list[Any]]:
    """What each field holds in a made-up world, so that conditions can ask for what is there."""
    held: dict[str, list[Any]] = {}
    for person in people:
        for key in ("name", "organisation", "country"):
            held.setdefault(f"contact.{key}", []).append(person[key])
        for key, value in person["fields"].items():
            held.setdefault(f"contact.fields.{key}", []).append(value)
        for tag in person["tags"]:
            held.setdefault("contact.tags", []).append(tag)
        for mail in person["mails"]:
            held.setdefault("contact.email", []).append(mail)
            held.setdefault("contact.email_domain", []).append(mail.rpartition("@")[2])
    for event in events:
        for key, value in (event["data"] or {}).items():
            held.setdefault(f"event.{key}", []).append(value)
            held.setdefault(f"event.data.{key}", []).append(value)
    return {
        name: [value for value in values if _is_operand(value)]
        for name, values in held.items()
        if any(_is_operand(value) for value in values)
    }


def _is_operand(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, bool | int | float) and abs(value) <= 10**15)


_RESPELL = st.sampled_from([str, str.upper, str.lower, str.casefold, str.title, lambda text: text[:2]])


@st.composite
def comparisons(draw: st.DrawFn, rooms: tuple[str, ...], held: dict[str, list[Any]]) -> dict[str, Any]:
    """One field against one operator that suits it, often with a value that is there."""
    room = draw(st.sampled_from(rooms))
    names = _names(room)
    here = [name for name in names if name in held]
    name = draw(st.sampled_from(names + here * 6))
    kind = FIELDS[name].kind if name in FIELDS else FieldKind.OPEN
    operators = ["is", "is_not", "in", "missing"]
    if kind in (FieldKind.TEXT, FieldKind.LIST, FieldKind.OPEN):
        operators += ["contains", "starts_with"]
    if kind not in (FieldKind.TEXT, FieldKind.LIST):
        operators += ["less", "at_most", "more", "at_least"]
    operator = draw(st.sampled_from(operators))
    values, some_words = _values(kind), words
    if name in held:
        known = st.sampled_from(held[name])
        values |= known | known.filter(
            lambda value: isinstance(value, str) or kind not in (FieldKind.TEXT, FieldKind.LIST)
        )
        texts = [value for value in held[name] if isinstance(value, str)]
        if texts:
            spelled = st.builds(lambda text, respell: respell(text), st.sampled_from(texts), _RESPELL)
            some_words |= spelled
            values |= spelled
    if operator == "missing":
        value: Any = draw(st.booleans())
    elif operator in ("contains", "starts_with"):
        value = draw(some_words)
    elif operator == "in":
        value = draw(st.lists(values, max_size=3))
    elif operator in ("is", "is_not"):
        value = draw(values)
    else:
        bounds = {FieldKind.NUMBER: numbers, FieldKind.MOMENT: moments, FieldKind.OPEN: numbers | moments}
        value = draw(bounds[kind])
    return {"field": name, operator: value}


consent_parts = st.sampled_from([{"consent": "newsletter"}, {"consent": "measure"}])


def _trees(leaves: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3))
            | st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=3))
            | st.builds(lambda part: {"not": part}, inner)
        ),
        max_leaves=size,
    )


@st.composite
def _dids(draw: st.DrawFn, held: dict[str, list[Any]]) -> dict[str, Any]:
    did: dict[str, Any] = {"did": draw(st.sampled_from(EVENT_TYPES))}
    if draw(st.booleans()):
        rooms = ("event", "event", "event", "message", "campaign", "contact")
        did["where"] = draw(_trees(comparisons(rooms, held) | consent_parts, size=4))
    if draw(st.booleans()):
        did["within"] = draw(st.sampled_from(["1d", "3h", "8w", "0s"]))
    if draw(st.booleans()):
        did["at_least"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        did["at_most"] = draw(st.integers(did.get("at_least", 0), 3))
    if draw(st.booleans()):
        did["judged"] = draw(st.sampled_from(["human", "machine", "unsure", "any"]))
    return did


def conditions_for(held: dict[str, list[Any]]) -> st.SearchStrategy[Any]:
    """Any condition a segment may have, over a world that holds these values."""
    return _trees(comparisons(("contact",), held) | _dids(held) | _dids(held) | consent_parts, size=5)


@st.composite
def worlds(draw: st.DrawFn, batch: int) -> dict[str, Any]:
    """Contacts, events, merges, and a batch of conditions to ask about them."""
    some_people = draw(st.lists(people, min_size=2, max_size=5))
    events = draw(st.lists(happenings, min_size=draw(st.integers(0, 6)), max_size=10))
    pairs = st.sampled_from([(1, 0), (2, 0), (2, 1), (3, 1), (4, 0)])
    asked = conditions_for(values_in(some_people, events))
    return {
        "people": some_people,
        "events": events,
        "merges": draw(st.lists(pairs, max_size=2)),
        "conditions": draw(st.lists(asked, min_size=batch, max_size=batch)),
    }

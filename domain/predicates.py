"""Compile a condition to a Python predicate: closures over facts that were loaded before, no eval.

The semantics are those of domain/conditions.py; contacts/segments.py gives the same answers in SQL.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from domain.conditions import (
    All,
    Any_,
    Compare,
    Condition,
    Consent,
    Did,
    Not,
    Value,
    WorkingTime,
    parse_moment,
    parts_of,
)
from domain.events import EventType
from domain.fields import Field, FieldKind, Place, check_condition, equality_operand, find_field
from domain.folding import fold
from domain.wording import compile_wordings

_EMPTY: Final[Mapping[str, Any]] = {}
#: text in a field of one's own that counts as a number
NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
#: numbers outside of this compare with nothing, save zero
SMALLEST, GREATEST = 1e-300, 1e300


@dataclass(frozen=True, slots=True)
class Facts:
    """What a predicate looks at.

    `contact` has the keys of domain.contacts.Contact plus email, phone, created_at and updated_at. `event` has id,
    type, occurred_at, the ids, verdict (null when it is no hit), link_no and the keys of its data. `consents` names
    the purposes that stand granted. `history` holds events of the contact, aliases included, each like `event`;
    where a `did` asks for message.* or campaign.*, an event of the history carries them as `message` and
    `campaign`. It needs no order, and only the types that `needs_history` names. `conversation`, `content`, `case`
    and `task` are those of the event, with the keys of domain.fields; null where there is none or nobody asks.
    `works` tells whether the team of a name works now.
    """

    contact: Mapping[str, Any]
    event: Mapping[str, Any] | None
    message: Mapping[str, Any] | None
    campaign: Mapping[str, Any] | None
    consents: frozenset[str]
    history: Sequence[Mapping[str, Any]]
    now: datetime
    conversation: Mapping[str, Any] | None = None
    content: Mapping[str, Any] | None = None
    case: Mapping[str, Any] | None = None
    task: Mapping[str, Any] | None = None
    works: Callable[[str], bool] = lambda team: False


Predicate = Callable[[Facts], bool]
Getter = Callable[[Facts], Any]
Test = Callable[[Any], bool]


def compile_predicate(
    condition: Condition, *, place: Place = Place.RULE, name: str = "condition"
) -> Predicate:
    """The predicate that tells whether `condition` holds for some facts.

    Raises InvalidInput when the condition asks for what does not exist or cannot be compared.
    """
    check_condition(condition, place, name=name)
    return _compile(condition)


def needs_history(condition: Condition) -> frozenset[EventType]:
    """The types of past events that the condition counts; empty when it looks at no history."""
    return frozenset(part.did for part in _every(condition) if isinstance(part, Did))


def longest_within(condition: Condition) -> timedelta | None:
    """How far back the history must reach: zero without any `did`, None for one that knows no limit."""
    spans = [part.within for part in _every(condition) if isinstance(part, Did)]
    known = [span for span in spans if span is not None]
    return max(known, default=timedelta()) if len(known) == len(spans) else None


def teams_asked(condition: Condition) -> frozenset[str]:
    """The teams whose working time the condition asks for."""
    return frozenset(part.working_time for part in _every(condition) if isinstance(part, WorkingTime))


def field_names(condition: Condition) -> frozenset[str]:
    """Every field that the condition compares, as written."""
    return frozenset(part.field for part in _every(condition) if isinstance(part, Compare))


def _every(condition: Condition) -> Iterator[Condition]:
    yield condition
    for _, part in parts_of(condition):
        yield from _every(part)


def _compile(condition: Condition) -> Predicate:
    match condition:
        case All():
            return _compile_all([_compile(part) for part in condition.all])
        case Any_():
            return _compile_any([_compile(part) for part in condition.any])
        case Not():
            inner = _compile(condition.not_)
            return lambda facts: not inner(facts)
        case Consent():
            purpose = condition.consent.value
            return lambda facts: purpose in facts.consents
        case Did():
            return _compile_did(condition)
        case WorkingTime():
            team = condition.working_time
            return lambda facts: facts.works(team)
        case Compare():
            get, test = compile_getter(condition.field), _compile_test(condition)
            return lambda facts: test(get(facts))


def _compile_all(parts: list[Predicate]) -> Predicate:
    def holds(facts: Facts) -> bool:
        for part in parts:  # noqa: SIM110 (a generator costs more than the parts)
            if not part(facts):
                return False
        return True

    return parts[0] if len(parts) == 1 else holds


def _compile_any(parts: list[Predicate]) -> Predicate:
    def holds(facts: Facts) -> bool:
        for part in parts:  # noqa: SIM110 (a generator costs more than the parts)
            if part(facts):
                return True
        return False

    return parts[0] if len(parts) == 1 else holds


def _compile_did(did: Did) -> Predicate:
    wanted, within, fewest, most = did.did.value, did.within, did.fewest, did.at_most
    same = None if did.same is None else f"{did.same}_id"
    verdict = None if did.judged == "any" else did.judged
    where = None if did.where is None else _compile(did.where)

    def holds(facts: Facts) -> bool:
        since = None if within is None else facts.now - within
        shared = None if same is None else (facts.event or _EMPTY).get(same)
        count = 0
        if same is not None and shared is None:
            return fewest == 0
        for event in facts.history:
            if event["type"] != wanted or (since is not None and event["occurred_at"] < since):
                continue
            if verdict is not None and event.get("verdict") != verdict:
                continue
            if same is not None and event.get(same) != shared:
                continue
            if where is not None and not where(
                Facts(
                    facts.contact,
                    event,
                    event.get("message"),
                    event.get("campaign"),
                    facts.consents,
                    (),
                    facts.now,
                )
            ):
                continue
            count += 1
            if most is None and count >= fewest:
                return True
            if most is not None and count > most:
                return False
        return count >= fewest

    return holds


def compile_getter(name: str) -> Getter:
    """The function that reads a field from facts; it gives None for what is missing."""
    room, _, key = name.partition(".")
    first, dot, own = key.partition(".")
    if room == "contact":
        if key == "email_domain":
            return lambda facts: _domain_of(facts.contact.get("email"))
        if dot:
            return lambda facts: (facts.contact.get("fields") or _EMPTY).get(own)
        return lambda facts: facts.contact.get(first)
    if room == "event":
        key = own or first
        return lambda facts: (facts.event or _EMPTY).get(key)
    if dot:
        return lambda facts: ((getattr(facts, room) or _EMPTY).get(first) or _EMPTY).get(own)
    if room == "message":
        return lambda facts: (facts.message or _EMPTY).get(key)
    if room == "campaign":
        return lambda facts: (facts.campaign or _EMPTY).get(key)
    return lambda facts: (getattr(facts, room) or _EMPTY).get(key)


def _domain_of(address: str | None) -> str | None:
    return None if address is None else address.rpartition("@")[2]


def _compile_test(compare: Compare) -> Test:
    catalogued = find_field(compare.field)
    if catalogued.kind is FieldKind.LIST:
        return _compile_list(compare, catalogued)
    return _compile_one(compare, catalogued)


def _compile_list(compare: Compare, catalogued: Field) -> Test:
    """A list is what one of its elements is; it is not what none of them is."""
    if compare.operator == "missing":
        return (lambda got: not got) if compare.value else bool
    if compare.operator == "is_not":
        equal = _compile_equality(compare.value, catalogued)
        return lambda got: bool(got) and not any(map(equal, got))
    test = _compile_one(compare, catalogued)
    return lambda got: bool(got) and any(map(test, got))


def _compile_one(compare: Compare, catalogued: Field) -> Test:
    name, value = compare.operator, compare.value
    match name:
        case "missing":
            return (lambda got: got is None) if value else (lambda got: got is not None)
        case "is":
            return _compile_equality(value, catalogued)
        case "is_not":
            equal = _compile_equality(value, catalogued)
            return lambda got: got is not None and not equal(got)
        case "in":
            return _compile_in(value, catalogued)
        case "contains":
            part = fold(value)
            return lambda got: isinstance(got, str) and part in fold(got)
        case "starts_with":
            part = fold(value)
            return lambda got: isinstance(got, str) and fold(got).startswith(part)
        case "mentions":
            found = compile_wordings(value)
            return lambda got: isinstance(got, str) and found(got)
    return _compile_order(name, value)


def _compile_in(values: tuple[Value, ...], catalogued: Field) -> Test:
    if catalogued.kind in (FieldKind.TEXT, FieldKind.LIST):
        folded = frozenset(fold(value) for value in values if isinstance(value, str))
        return lambda got: isinstance(got, str) and fold(got) in folded
    tests = [_compile_equality(value, catalogued) for value in values]
    return lambda got: any(test(got) for test in tests)


def _compile_equality(value: Value, catalogued: Field) -> Test:
    operand: Any = equality_operand(value, catalogued, catalogued.name)
    if isinstance(operand, datetime):
        return lambda got: isinstance(got, datetime) and got == operand
    if isinstance(operand, bool):
        word = "true" if operand else "false"
        return lambda got: got is operand or (isinstance(got, str) and fold(got) == word)
    if isinstance(operand, int | float):
        return lambda got: as_number(got) == operand
    folded = fold(operand)
    if catalogued.kind in (FieldKind.TEXT, FieldKind.LIST) or NUMBER.fullmatch(operand) is None:
        return lambda got: isinstance(got, str) and fold(got) == folded
    number = float(operand)
    return lambda got: fold(got) == folded if isinstance(got, str) else as_number(got) == number


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "less": operator.lt,
    "at_most": operator.le,
    "more": operator.gt,
    "at_least": operator.ge,
}


def _compile_order(name: str, bound: float | datetime) -> Test:
    compare = _ORDER[name]
    read: Callable[[Any], Any] = as_moment if isinstance(bound, datetime) else as_number

    def test(got: Any) -> bool:
        known = read(got)
        return known is not None and compare(known, bound)

    return test


def as_number(got: Any) -> int | float | None:
    """The number that a value counts as, or None."""
    if isinstance(got, bool):
        return None
    if isinstance(got, int | float):
        return got if got == 0 or SMALLEST <= abs(got) <= GREATEST else None
    if isinstance(got, str) and NUMBER.fullmatch(got) is not None:
        return float(got)
    return None


def as_moment(got: Any) -> datetime | None:
    """The moment that a value counts as, or None."""
    if isinstance(got, datetime):
        return got
    return parse_moment(got) if isinstance(got, str) else None

"""Compile a condition to SQL: the same answers as domain/predicates.py, for all contacts at once.

A comparison with null is null in SQL; all, any and the WHERE clause treat that like false, and `not` is written
IS NOT TRUE, so the logic stays two-valued.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    FromClause,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    collate,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.types import TypeEngine

from domain.cases import CASE_EVENTS
from domain.conditions import All, Any_, Compare, Condition, Consent, Did, Not, Value, WorkingTime
from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.fields import Field, FieldKind, equality_operand, find_field
from domain.folding import COLLATION, fold
from domain.predicates import NUMBER
from storage.schema import (
    campaigns,
    cases,
    consents,
    contact_aliases,
    contacts,
    events,
    hits,
    identities,
    messages,
)

Clause = ColumnElement[bool]

_NUMBER: Final = literal_column("'^[+-]?[0-9]{1,15}(\\.[0-9]{1,15})?$'", Text)
_MOMENT: Final = literal_column(
    "'^[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{3}|\\.[0-9]{6})?)?"
    "(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$'",
    Text,
)
_ZONE: Final = literal_column("'(Z|[+-][0-9]{2}:[0-9]{2})$'", Text)
_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class _Scope:
    """Where field names lead: to the contact of the outer query, or to an event that a `did` counts."""

    now: datetime
    person: ColumnElement[int]  #: the contact's id
    contact: FromClause
    event: FromClause | None = None
    hit: FromClause | None = None
    message: FromClause | None = None
    campaign: FromClause | None = None

    def table(self, room: str) -> FromClause:
        table = {
            "contact": self.contact,
            "event": self.event,
            "message": self.message,
            "campaign": self.campaign,
        }[room]
        assert table is not None, room  # check_condition refuses such a field
        return table


def write_select(condition: Condition, now: datetime) -> Select[tuple[int]]:
    """The statement that gives the ids of the contacts for which a checked condition holds at `now`."""
    people = contacts.alias("person")
    return select(people.c.id).where(_compile(condition, _Scope(now, people.c.id, people)))


def to_text(statement: Select[Any]) -> tuple[str, list[Any]]:
    """The statement as asyncpg takes it: its text with $1, $2, ... and their values."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]


def _compile(condition: Condition, scope: _Scope) -> Clause:
    match condition:
        case All():
            return and_(true(), *(_compile(part, scope) for part in condition.all))
        case Any_():
            return or_(false(), *(_compile(part, scope) for part in condition.any))
        case Not():
            return _compile(condition.not_, scope).is_not(true())
        case Consent():
            return exists().where(
                consents.c.contact_id == scope.person,
                consents.c.purpose == condition.consent.value,
                consents.c.state == "granted",
            )
        case Did():
            return _compile_did(condition, scope)
        case Compare():
            return _compile_compare(condition, scope)
        case WorkingTime():  # refused before (domain.fields.check_condition)
            raise InvalidInput("working_time", "works in rules only;", "leave it out of segments.")


def _compile_did(did: Did, scope: _Scope) -> Clause:
    event, alias = events.alias("event"), contact_aliases.alias("merged")
    person = func.coalesce(alias.c.contact_id, event.c.contact_id)
    source = event.outerjoin(alias, alias.c.old_id == event.c.contact_id)
    wanted = [event.c.type == did.did.value, event.c.contact_id.is_not(None)]
    if did.did in CASE_EVENTS:  # who has a part in a confidential case is not told by a list of contacts
        wanted.append(not_(exists().where(cases.c.id == event.c.case_id, cases.c.confidential)))
    if did.within is not None:
        wanted.append(event.c.occurred_at >= scope.now - did.within)
    hit = hits.alias("hit")
    message, campaign = messages.alias("message"), campaigns.alias("campaign")
    who = contacts.alias("who")
    names = set() if did.where is None else _rooms(did.where)
    if did.judged != "any" or "event.verdict" in names:
        source = source.outerjoin(hit, hit.c.event_id == event.c.id)
    if did.judged != "any":
        wanted.append(hit.c.verdict == did.judged)
    if did.where is not None:
        if "message" in names:
            source = source.outerjoin(message, message.c.id == event.c.message_id)
        if "campaign" in names:
            source = source.outerjoin(campaign, campaign.c.id == event.c.campaign_id)
        if "contact" in names:
            source = source.join(who, who.c.id == person)
        wanted.append(_compile(did.where, _Scope(scope.now, person, who, event, hit, message, campaign)))
    doers = select(person).select_from(source).where(*wanted)
    if did.at_most is not None:
        too_many = doers.group_by(person).having(func.count() > did.at_most)
        if did.fewest == 0:
            return scope.person.not_in(too_many)
    if did.fewest > 1:
        doers = doers.group_by(person).having(func.count() >= did.fewest)
    if did.at_most is not None:
        return and_(scope.person.in_(doers), scope.person.not_in(too_many))
    return scope.person.in_(doers)


def _rooms(condition: Condition) -> set[str]:
    """The tables that the fields of a `where` need; the verdict stands in a table of its own."""
    match condition:
        case All():
            return {room for part in condition.all for room in _rooms(part)}
        case Any_():
            return {room for part in condition.any for room in _rooms(part)}
        case Not():
            return _rooms(condition.not_)
        case Compare():
            return {
                condition.field if condition.field == "event.verdict" else condition.field.partition(".")[0]
            }
    return set()


def _compile_compare(compare: Compare, scope: _Scope) -> Clause:
    field = find_field(compare.field)
    if field.kind is FieldKind.LIST:
        return _compile_list(compare, scope)
    reader = _Open(compare, scope, field) if field.kind is FieldKind.OPEN else _Fixed(compare, scope, field)
    value = compare.value
    match compare.operator:
        case "missing":
            return reader.present().is_not(true()) if value else reader.present()
        case "is":
            return reader.equals(value)
        case "is_not":
            return and_(reader.present(), reader.equals(value).is_not(true()))
        case "in":
            return reader.is_among(value)
        case "contains":
            return func.strpos(_lower(reader.text()), _bind(fold(value))) > 0
        case "starts_with":
            return func.starts_with(_lower(reader.text()), _bind(fold(value)))
    column = reader.moment() if isinstance(value, datetime) else reader.number(value)
    bound = _bind(value)
    match compare.operator:
        case "less":
            return column < bound
        case "at_most":
            return column <= bound
        case "more":
            return column > bound
    return column >= bound


def _compile_list(compare: Compare, scope: _Scope) -> Clause:
    """A list is what one of its elements is; it is not what none of them is. An empty one is missing."""
    column = _column(compare.field, scope)
    present = func.cardinality(column) > 0
    element = func.unnest(column).column_valued("element")
    word = _lower(element)

    def some(clause: Clause) -> Clause:
        return select(element).where(clause).exists()

    value = compare.value
    match compare.operator:
        case "missing":
            return present.is_not(true()) if value else present
        case "is":
            return some(word == _bind(fold(value)))
        case "is_not":
            return and_(present, some(word == _bind(fold(value))).is_not(true()))
        case "in":
            return some(word == any_(cast([fold(one) for one in value], ARRAY(Text))))
        case "contains":
            return some(func.strpos(word, _bind(fold(value))) > 0)
    return some(func.starts_with(word, _bind(fold(value))))


class _Fixed:
    """A field whose column has one kind."""

    def __init__(self, compare: Compare, scope: _Scope, field: Field) -> None:
        self._field, self._place = field, compare.field
        self._column = _column(compare.field, scope)

    def present(self) -> Clause:
        return self._column.is_not(None)

    def equals(self, value: Value) -> Clause:
        operand = equality_operand(value, self._field, self._place)
        if isinstance(operand, str):
            return _lower(self.text()) == _bind(fold(operand))
        if isinstance(operand, datetime):
            return self._column == _bind(operand)
        assert isinstance(operand, int | float)
        return self.number(operand) == _bind(operand)

    def is_among(self, values: tuple[Value, ...]) -> Clause:
        if self._field.kind is FieldKind.TEXT:
            words = [fold(value) for value in values if isinstance(value, str)]
            return _lower(self.text()) == any_(cast(words, ARRAY(Text)))
        return or_(false(), *(self.equals(value) for value in values))

    def text(self) -> ColumnElement[str]:
        return self._column

    def number(self, operand: int | float) -> ColumnElement[Any]:
        return self._column if isinstance(operand, int) else cast(self._column, Double)

    def moment(self) -> ColumnElement[Any]:
        return self._column


class _Open:
    """A field that holds whatever JSON value was recorded."""

    def __init__(self, compare: Compare, scope: _Scope, field: Field) -> None:
        room, _, key = compare.field.partition(".")
        first, _, own = key.partition(".")
        table = scope.table(room)
        column = table.c.fields if room == "contact" else table.c.data
        self._json = column.op("->", return_type=JSONB())(_bind(own or first))
        self._kind = func.jsonb_typeof(self._json)
        self._text: ColumnElement[str] = self._json.op("#>>", return_type=Text())(
            literal_column("'{}'::text[]")
        )

    def present(self) -> Clause:
        return func.coalesce(self._kind, "null") != "null"

    def equals(self, value: Value) -> Clause:
        if isinstance(value, bool):
            word = "true" if value else "false"
            return and_(or_(self._kind == "boolean", self._kind == "string"), _lower(self._text) == word)
        if isinstance(value, int | float):
            return self.number(value) == _bind(float(value))
        same = _lower(self.text()) == _bind(fold(value))
        if NUMBER.fullmatch(value) is None:
            return same
        return or_(same, self._pure_number() == _bind(float(value)))

    def is_among(self, values: tuple[Value, ...]) -> Clause:
        return or_(false(), *(self.equals(value) for value in values))

    def text(self) -> ColumnElement[str]:
        return case((self._kind == "string", self._text))

    def number(self, operand: int | float) -> ColumnElement[Any]:
        plain = and_(self._kind == "string", self._text.op("~")(_NUMBER))
        return case(
            (self._kind == "number", self._pure_number()),
            (self._kind == "string", case((plain, cast(self._text, Double)))),
        )

    def _pure_number(self) -> ColumnElement[Any]:
        number = case((self._kind == "number", cast(self._json, Numeric)))
        sane = or_(number == 0, func.abs(number).between(literal_column("1e-300"), literal_column("1e300")))
        return case((sane, cast(number, Double)))

    def moment(self) -> ColumnElement[Any]:
        text = case(
            (func.length(self._text) == 10, self._text.concat(" 00:00Z")),
            (self._text.op("~")(_ZONE), self._text),
            else_=self._text.concat("Z"),
        )
        moment = case(
            (
                func.pg_input_is_valid(text, literal_column("'timestamptz'")),
                cast(text, DateTime(timezone=True)),
            )
        )
        return case((self._kind == "string", case((self._text.op("~")(_MOMENT), moment))))


def _column(name: str, scope: _Scope) -> ColumnElement[Any]:
    room, _, key = name.partition(".")
    if name in ("contact.email", "contact.phone"):
        return _first_address(scope, IdentityKind.MAIL if key == "email" else IdentityKind.PHONE)
    if name == "contact.email_domain":
        return func.substring(_first_address(scope, IdentityKind.MAIL), literal_column("'[^@]*$'"))
    if name == "event.verdict":
        assert scope.hit is not None
        return scope.hit.c.verdict
    return scope.table(room).c[key]


def _first_address(scope: _Scope, kind: IdentityKind) -> ColumnElement[str]:
    address = identities.alias("address")
    return (
        select(address.c.address)
        .where(address.c.contact_id == scope.person, address.c.kind == kind.value)
        .order_by(address.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _lower(text: ColumnElement[Any]) -> ColumnElement[str]:
    return func.lower(collate(text, COLLATION))


def _bind(value: Any) -> ColumnElement[Any]:
    kinds: dict[type, TypeEngine[Any]] = {
        str: Text(),
        int: BigInteger(),
        float: Double(),
        datetime: DateTime(timezone=True),
    }
    return bindparam(None, value, type_=kinds[type(value)])

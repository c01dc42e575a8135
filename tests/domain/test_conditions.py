"""The condition language: what it reads, what it refuses, and what its predicates say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.conditions import parse_duration, parse_moment, read_condition, write_condition, write_duration
from domain.errors import InvalidInput
from domain.events import EventType
from domain.fields import FIELDS, Place, check_condition, describe_fields
from domain.folding import fold
from domain.predicates import Facts, compile_predicate, field_names, longest_within, needs_history

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def facts(*history: dict[str, Any], event: dict[str, Any] | None = None, **contact: Any) -> Facts:
    return Facts(contact, event, None, None, frozenset({"newsletter"}), history, NOW)


def holds(condition: dict[str, Any], given: Facts) -> bool:
    return compile_predicate(read_condition(condition))(given)


def click(days_ago: float, **more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "type": "Clicked",
        "occurred_at": NOW - timedelta(days=days_ago),
        "verdict": "human",
        **more,
    }


def test_the_example_of_the_documentation_reads_and_holds() -> None:
    condition = {
        "all": [
            {"field": "contact.country", "is": "FR"},
            {"consent": "newsletter"},
            {"not": {"did": "Clicked", "where": {"field": "event.link_no", "is": 3}, "within": "30d"}},
        ]
    }
    assert holds(condition, facts(click(2, link_no=1), country="fr"))
    assert not holds(condition, facts(click(2, link_no=3), country="FR"))
    assert holds(condition, facts(click(31, link_no=3), country="FR"))


def test_a_condition_survives_being_stored_as_json() -> None:
    condition = read_condition(
        {
            "any": [
                {"field": "contact.created_at", "less": date(2026, 1, 1)},
                {"field": "contact.fields.renewal", "is": date(2026, 1, 1)},
                {"field": "contact.fields.size", "in": [True, 1, 1.5, "x"]},
                {"did": "Opened", "within": "90min", "at_least": 3, "judged": "human"},
            ]
        }
    )
    assert read_condition(write_condition(condition)) == condition


def test_a_missing_value_compares_with_nothing_but_missing() -> None:
    for operator in ({"is": "FR"}, {"is_not": "FR"}, {"in": ["FR"]}, {"contains": ""}, {"starts_with": ""}):
        assert not holds({"field": "contact.country", **operator}, facts(country=None))
    assert holds({"field": "contact.country", "missing": True}, facts())
    assert holds({"not": {"field": "contact.country", "is": "FR"}}, facts())
    assert not holds({"field": "contact.country", "missing": False}, facts())


@pytest.mark.parametrize(
    ("stored", "operator", "expected"),
    [
        (250, {"is": 250}, True),
        ("250", {"is": 250}, True),
        (250, {"is": "250"}, True),
        (250.0, {"is": "250"}, True),
        ("0250", {"is": "250"}, False),
        (True, {"is": 1}, False),
        (1, {"is": True}, False),
        (True, {"is": True}, True),
        ("True", {"is": True}, True),
        ("9", {"less": 10}, True),
        ("nine", {"less": 10}, False),
        ("2026-03-01", {"less": date(2026, 3, 2)}, True),
        ("2026-03-01T23:30:00-02:00", {"more": "2026-03-02"}, True),
        ("2026-02-31", {"less": "2027-01-01"}, False),
        (20260301, {"less": "2027-01-01"}, False),
        (["a"], {"is_not": "a"}, True),
        (["a"], {"contains": "a"}, False),
        ("50%_off", {"contains": "%_O"}, True),
        ("50 off", {"contains": "%"}, False),
        ("", {"starts_with": ""}, True),
    ],
)
def test_a_field_of_ones_own_is_compared_by_what_it_holds(stored: Any, operator: Any, expected: bool) -> None:
    assert holds({"field": "contact.fields.x", **operator}, facts(fields={"x": stored})) is expected


def test_case_is_ignored_as_the_database_ignores_it() -> None:
    assert fold("ΟΔΟΣ") == "οδοσ"
    assert fold("İstanbul") == "istanbul"
    assert fold("STRAẞE") == "straße"


def test_did_counts_what_is_recent_and_judged() -> None:
    past = (click(1), click(2), click(40), click(3, verdict="machine"))
    assert holds({"did": "Clicked", "at_least": 4}, facts(*past))
    assert not holds({"did": "Clicked", "at_least": 4, "within": "30d"}, facts(*past))
    assert not holds({"did": "Clicked", "at_least": 3, "within": "30d", "judged": "human"}, facts(*past))
    assert holds({"did": "Clicked", "within": "1d"}, facts(click(1)))
    assert not holds({"did": "Opened"}, facts(*past))


def test_a_domain_is_what_follows_the_last_at() -> None:
    given = facts(email='"a@b"@example.org')
    assert holds({"field": "contact.email_domain", "is": "Example.org"}, given)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"foo": 1}, "condition: a condition has one of the keys"),
        ({"all": [{"any": [{"field": "contact.name"}]}]}, "condition.all[0].any[0]: contact.name: write exactly one of"),
        ({"field": "contact.name", "is": None}, "missing: true"),
        ({"field": "name", "is": "x"}, "condition.field: 'name' is no field"),
        ({"not": {"field": "contact.fields.x", "less": "ten"}}, "condition.not.less: write a number, or a date"),
        ({"field": "contact.fields.x", "is": float("nan")}, "condition.is: not a number between"),
        ({"field": "contact.name", "contains": "\0"}, "null characters"),
        ({"did": "Opened", "within": "soon"}, "condition.within: not a length of time"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(condition: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_condition(condition)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("condition", "place", "words"),
    [
        ({"field": "contact.contry", "is": "FR"}, "segment", "Did you mean contact.country"),
        ({"any": [{"field": "event.link_no", "is": 3}]}, "segment", "condition.any[0].field: event.link_no says nothing"),
        ({"did": "Opened", "where": {"did": "Clicked"}}, "rule", "condition.where: a did stands inside another one"),
        ({"field": "contact.name", "less": 3}, "rule", "condition.less: contact.name holds text"),
        ({"field": "contact.name", "is": 3}, "rule", 'write "3" in quotes'),
        ({"field": "contact.owner_id", "is": "3"}, "rule", "holds a number"),
        ({"field": "contact.created_at", "is": "yesterday"}, "rule", "holds a moment"),
        ({"field": "contact.created_at", "more": 3}, "rule", "compare it with a moment"),
        ({"field": "event.data.link_no", "is": 3}, "rule", "write event.link_no"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_remedy(condition: Any, place: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_condition(read_condition(condition), Place(place))
    assert words in str(refusal.value)


def test_a_tree_that_grows_without_end_is_refused() -> None:
    deep: dict[str, Any] = {"consent": "newsletter"}
    for _ in range(60):
        deep = {"not": deep}
    with pytest.raises(InvalidInput):
        check_condition(read_condition(deep), Place.SEGMENT)
    for _ in range(5000):
        deep = {"not": deep}
    with pytest.raises(InvalidInput):
        read_condition(deep)


def test_a_condition_tells_what_it_needs() -> None:
    condition = read_condition(
        {
            "all": [
                {"did": "Opened", "within": "2w", "where": {"field": "campaign.name", "is": "May"}},
                {"not": {"did": "Clicked", "within": "1d"}},
            ]
        }
    )
    assert needs_history(condition) == {EventType.OPENED, EventType.CLICKED}
    assert longest_within(condition) == timedelta(weeks=2)
    assert field_names(condition) == {"campaign.name"}
    assert longest_within(read_condition({"any": [condition, {"did": "Sent"}]})) is None
    assert longest_within(read_condition({"consent": "calls"})) == timedelta()


def test_durations_and_moments_read_back_as_written() -> None:
    for text in ("90s", "15min", "25h", "30d", "2w"):
        assert write_duration(parse_duration(text)) == text
    assert parse_moment("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert parse_moment("2026-03-01T24:00:00") is None


def test_every_field_is_documented() -> None:
    assert describe_fields() == list(FIELDS.values())
    for field in describe_fields():
        assert field.doc
        assert not field.doc.endswith(".")

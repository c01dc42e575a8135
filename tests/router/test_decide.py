"""Deciding is pure: the same rule, event and time give the same decision, and repeats are found by key and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.predicates import Facts
from router.decide import Decision, Episode, Question, Result, decide, sort_out_repeats
from router.rulebook import CompiledRule, compile_rule
from router.rules import Rule
from router.settings import RouterSettings
from router.sightings import Sighting
from router.templates import check_template, compile_template

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SETTINGS = RouterSettings()


def rule(**keys: Any) -> CompiledRule:
    base: dict[str, Any] = {"name": "some-rule", "when": ["Opened"], "then": [{"note": "seen"}]}
    return compile_rule(Rule.model_validate(base | keys))


def sighting(id: int = 1, **facts: Any) -> Sighting:
    event = {"id": id, "type": "Opened", "verdict": "human", "case_id": None} | facts.pop("event", {})
    values: dict[str, Any] = {
        "recorded_at": NOW,
        "type": "Opened",
        "occurred_at": NOW,
        "contact_id": 7,
        "campaign_id": 3,
        "conversation_id": None,
        "message_id": 9,
        "depth": 0,
        "judged": True,
        "settles_in": timedelta(),
        "contact": {"id": 7, "country": "FR"},
        "consents": frozenset({"measure"}),
    }
    return Sighting(id=id, event=event, **(values | facts))


def decided(rule: CompiledRule, seen: Sighting, *, held: bool = False, now: datetime = NOW) -> Decision:
    (decision,) = decide(Question(seen, [rule], held), now, SETTINGS)
    return decision


def test_a_rule_whose_condition_does_not_hold_decides_nothing() -> None:
    french = rule(where={"field": "contact.country", "is": "fr"})
    assert decide(Question(sighting(contact={"country": "DE"}), [french]), NOW, SETTINGS) == []
    assert decided(french, sighting()).matched == {"contact.country": "FR", "event.verdict": "human"}


def test_a_hit_of_a_person_who_withdrew_measuring_is_refused() -> None:
    refused = decided(rule(), sighting(consents=frozenset({"newsletter"})))
    assert (refused.result, refused.matched["reason"]) == (Result.REFUSED, "measure was withdrawn")
    work = rule(when=["TaskDone"])
    done = sighting(type="TaskDone", event={"verdict": None}, consents=frozenset())
    assert decided(work, done).result is Result.ACTED  # a task is not measured


def test_a_hold_runs_from_the_event_and_not_from_now() -> None:
    decision = decided(rule(hold="2h"), sighting(occurred_at=NOW - timedelta(hours=1)))
    assert (decision.result, decision.until) == (Result.HELD, NOW + timedelta(hours=1))
    late = decided(rule(hold="2h"), sighting(occurred_at=NOW - timedelta(hours=3)))
    assert late.result is Result.ACTED


def test_of_two_waits_the_longer_one_counts() -> None:
    seen = sighting(judged=False, settles_in=timedelta(minutes=10))
    assert decided(rule(hold="1min"), seen).until == NOW + timedelta(minutes=10) + SETTINGS.hold_margin
    assert decided(rule(hold="1h"), seen).until == NOW + timedelta(hours=1)


def test_unless_is_asked_only_when_the_wait_is_over() -> None:
    waiting = rule(hold="2h", unless={"field": "contact.country", "is": "FR"})
    assert decided(waiting, sighting()).result is Result.HELD
    over = decided(waiting, sighting(), held=True, now=NOW + timedelta(hours=2))
    assert (over.result, over.matched["reason"]) == (Result.REFUSED, "unless holds")


def test_a_chain_ends_at_its_longest() -> None:
    assert decided(rule(), sighting(depth=SETTINGS.longest_chain - 1)).result is Result.ACTED
    assert decided(rule(), sighting(depth=SETTINGS.longest_chain)).result is Result.REFUSED


@pytest.mark.parametrize(
    ("once", "key"),
    [
        (None, "some-rule:event=1"),
        ("contact", "some-rule:contact=7"),
        ({"per": ["contact", "campaign"]}, "some-rule:contact=7,campaign=3"),
        ({"key": "{contact.country}"}, "some-rule:key=FR"),
    ],
)
def test_an_episode_is_named_by_what_the_rule_is_once_for(once: Any, key: str) -> None:
    assert decided(rule(once=once), sighting()).key == key


def test_once_for_what_an_event_does_not_have_is_refused_and_said() -> None:
    decision = decided(rule(once="conversation"), sighting())
    assert decision.result is Result.REFUSED
    assert "once per conversation, and the event has none" in decision.matched["reason"]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 100)), max_size=30),
    st.dictionaries(st.integers(0, 2), st.integers(0, 100)),
    st.one_of(st.none(), st.integers(1, 40)),
)
def test_acts_for_the_same_thing_are_never_closer_than_the_time_between(
    events: list[tuple[int, int]], stored: dict[int, int], within: int | None
) -> None:
    hour = timedelta(hours=1)
    span = None if within is None else within * hour
    decisions = [
        Decision(
            rule(),
            sighting(id=number + 1, occurred_at=NOW + at * hour),
            Result.ACTED,
            key=f"k{thing}",
            within=span,
        )
        for number, (thing, at) in enumerate(events)
    ]
    known = {f"k{thing}": Episode(0, NOW + at * hour) for thing, at in stored.items()}
    begun = sort_out_repeats(decisions, known)
    for key in {decision.key for decision in decisions}:
        starts = [known[key].started_at] if key in known else []
        starts += [d.sighting.occurred_at for d in decisions if d.key == key and d.result is Result.ACTED]
        assert len(starts) <= 1 or span is not None
        for before, after in pairwise(starts):
            assert span is not None
            assert after - before >= span
        assert starts  # the first one always acts, unless an episode was going on
        if key in begun:
            assert begun[key].started_at == starts[-1]


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Call {contact.name}", "Call Zoë"),
        ("Call {contact.given_name|the contact}", "Call the contact"),
        ("Call {contact.given_name}!", "Call …!"),
        ("{contact.fields.size} people", "12 people"),
        ("a\n b\t{contact.name}\x00", "a b Zoë"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_template_fills_on_any_facts(template: str, filled: str) -> None:
    facts = Facts({"name": "Zoë", "fields": {"size": 12}}, None, None, None, frozenset(), (), NOW)
    assert compile_template(template, longest=200)(facts) == filled


@pytest.mark.parametrize(
    "template", ["{contact.nam}", "{name}", "{contact.name", "name}", "{contact.name!r}", "{}"]
)
def test_a_template_with_what_is_no_field_is_refused(template: str) -> None:
    with pytest.raises(InvalidInput):
        check_template(template, name="title")

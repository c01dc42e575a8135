"""Check what rules refer to: fields and their values, campaigns, teams, and chains that would run in circles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel

from domain.cases import CaseState
from domain.conditions import All, Compare, Condition, WorkingTime, parts_of
from domain.contacts import ContactKind, Relation
from domain.conversations import ConversationState
from domain.errors import InvalidInput
from domain.events import EventType, Verdict
from domain.fields import Place, check_condition
from domain.folding import fold
from domain.messages import ChannelKind, Direction, TrackingLevel
from domain.tasks import Priority, TaskKind, TaskState
from router.cases.type_store import load_types
from router.cases.types import CaseType
from router.rule_files import InvalidRules, RuleProblem, Source, WrittenRule
from router.rules import Rule
from router.templates import check_template
from router.then import Action, key_of, order_of
from router.then.base import Named
from router.then.cases import CloseCaseAction, MoveCaseAction, OpenCaseAction
from router.then.notes import NoteAction
from router.then.people import AssignAction
from router.then.queues import RouteAction
from router.then.tasks import OpenTaskAction
from storage.pool import Pool
from storage.yaml_text import read_place

#: fields that hold one word of a fixed list
WORDS: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(word.value for word in words)
    for name, words in {
        "contact.kind": ContactKind,
        "contact.relation": Relation,
        "event.type": EventType,
        "event.verdict": Verdict,
        "message.direction": Direction,
        "message.channel": ChannelKind,
        "message.tracking_level": TrackingLevel,
        "campaign.channel": ChannelKind,
        "conversation.state": ConversationState,
        "conversation.channel": ChannelKind,
        "conversation.priority": Priority,
        "case.state": CaseState,
        "task.kind": TaskKind,
        "task.state": TaskState,
        "task.priority": Priority,
    }.items()
} | dict.fromkeys(
    ("event.spf", "event.dkim", "event.dmarc"),
    ("pass", "fail", "softfail", "neutral", "policy", "none", "temperror", "permerror"),  # RFC 8601, 2.7
)


_NAMES: Final[Mapping[Named, str]] = {
    "team": "SELECT name FROM teams",
    "queue": "SELECT name FROM queues",
    "person": "SELECT email AS name FROM users WHERE active",
    "message_template": "SELECT DISTINCT name FROM message_templates",
}


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What rules may name: campaigns by name or number, the rest by its exact name."""

    campaigns: frozenset[str]
    campaign_ids: frozenset[int]
    named: Mapping[Named, frozenset[str]] = field(default_factory=dict)


async def load_names(pool: Pool) -> KnownNames:
    """The names in the database now."""
    campaigns = await pool.fetch("SELECT id, name FROM campaigns")
    named = {
        what: frozenset(row["name"] for row in await pool.fetch(statement))
        for what, statement in _NAMES.items()
    } | case_names(await load_types(pool))
    return KnownNames(
        frozenset(row["name"] for row in campaigns), frozenset(row["id"] for row in campaigns), named
    )


def case_names(types: Mapping[str, CaseType]) -> dict[Named, frozenset[str]]:
    """The types of cases, and what they consist of: `sale: won`, and the bare names of stages."""
    parts = {
        f"{kind.name}: {one.name}"
        for kind in types.values()
        for one in (*kind.stages, *kind.fields, *kind.roles)
    }
    stages = {stage.name for kind in types.values() for stage in kind.stages}
    return {"case_type": frozenset(types), "case_part": frozenset(parts | stages)}


async def check_rules(pool: Pool | None, rules: Sequence[WrittenRule]) -> list[RuleProblem]:
    """Every problem of the rules; empty when they can be applied.

    Without a pool only what needs no database is checked: fields, values, templates, circles.
    """
    names = None if pool is None else await load_names(pool)
    problems = [problem for written in rules for problem in check_rule(written, names)]
    problems += _circles([written for written in rules if written.rule.active])
    return problems


async def require_sound(pool: Pool | None, rules: Sequence[WrittenRule]) -> None:
    """Raise InvalidRules with every problem when there is one."""
    problems = await check_rules(pool, rules)
    if problems:
        raise InvalidRules(problems)


def check_rule(written: WrittenRule, names: KnownNames | None = None) -> list[RuleProblem]:
    """What is wrong with one rule. Without `names`, campaigns and teams are taken for granted."""
    rule, source = written.rule, written.source
    problems: list[RuleProblem] = []
    for key, condition in (("where", rule.where), ("unless", rule.unless)):
        if condition is None:
            continue
        try:
            check_condition(condition, Place.RULE, name=key)
        except InvalidInput as error:
            problems.append(_place(source, rule, error))
            continue
        for place, compare in _compares(condition, key):
            problems += _check_words(source, rule, place, compare)
            if names is not None:
                problems += _check_campaign(source, rule, place, compare, names)
    for place, template in _templates(rule):
        try:
            check_template(template, name=place)
        except InvalidInput as error:
            problems.append(_place(source, rule, error))
    problems += _check_named(source, rule, names)
    return problems


#: how a thing is called in an error
_CALLED: Final[Mapping[Named, str]] = {
    "team": "team",
    "queue": "queue",
    "person": "person",
    "case_type": "type of case",
    "case_part": "stage, role or field",
    "message_template": "message template",
    "journey": "automation",
    "task_template": "task template",
}


def _check_named(source: Source, rule: Rule, names: KnownNames | None) -> Iterator[RuleProblem]:
    if names is None:
        return
    for number, action in enumerate(rule.then):
        for what, name, place in order_of(action).mentions():
            known = names.named.get(what, frozenset())
            if name not in known:
                steps = ("then", number, key_of(action), *place)
                yield source.problem(
                    rule.name, steps, f"there is no {_CALLED[what]} {name!r}.", _offer(name, known)
                )
    for key, condition in (("where", rule.where), ("unless", rule.unless)):
        for where, team in [] if condition is None else _teams(condition, key):
            known = names.named.get("team", frozenset())
            if team not in known:
                yield source.problem(
                    rule.name, read_place(where), f"there is no team {team!r}.", _offer(team, known)
                )


def _teams(condition: Condition, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(condition, WorkingTime):
        yield f"{place}.working_time", condition.working_time
    for step, part in parts_of(condition):
        yield from _teams(part, f"{place}.{step}")


def _place(source: Source, rule: Rule, error: InvalidInput) -> RuleProblem:
    return source.problem(rule.name, read_place(error.field), error.problem, error.remedy)


def _offer(written: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    near = get_close_matches(written, choices, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known are {', '.join(choices[:20])}." if choices else "There is none yet; create it first."


def _compares(condition: Condition, place: str) -> Iterator[tuple[str, Compare]]:
    if isinstance(condition, Compare):
        yield place, condition
    for step, part in parts_of(condition):
        yield from _compares(part, f"{place}.{step}")


def _values(compare: Compare) -> tuple[Any, ...]:
    if compare.operator in ("is", "is_not"):
        return (compare.value,)
    return tuple(compare.value) if compare.operator == "in" else ()


def _check_words(source: Source, rule: Rule, place: str, compare: Compare) -> Iterator[RuleProblem]:
    words = WORDS.get(compare.field)
    if words is None:
        return
    folded = {fold(word) for word in words}
    for value in _values(compare):
        if fold(str(value)) not in folded:
            yield source.problem(
                rule.name,
                read_place(f"{place}.{compare.operator}"),
                f"{compare.field} is never {str(value)!r}.",
                _offer(str(value), words),
            )


def _check_campaign(
    source: Source, rule: Rule, place: str, compare: Compare, names: KnownNames
) -> Iterator[RuleProblem]:
    steps = read_place(f"{place}.{compare.operator}")
    if compare.field == "campaign.name":
        known = {fold(name) for name in names.campaigns}
        for value in _values(compare):
            if fold(str(value)) not in known:
                yield source.problem(
                    rule.name,
                    steps,
                    f"there is no campaign {str(value)!r}.",
                    _offer(str(value), names.campaigns),
                )
    elif compare.field in ("campaign.id", "event.campaign_id"):
        for value in _values(compare):
            if value not in names.campaign_ids:
                yield source.problem(
                    rule.name, steps, f"there is no campaign number {value}.", "Write campaign.name instead."
                )


def _templates(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.once is not None and rule.once.key is not None:
        yield "once.key", rule.once.key
    for number, action in enumerate(rule.then):
        for place, template in order_of(action).templates().items():
            if template.text:
                yield f"then[{number}].{key_of(action)}.{place}", template.text


#: the events that an action causes by itself, at once
CAUSED: Final[Mapping[type[BaseModel], frozenset[EventType]]] = {
    OpenTaskAction: frozenset({EventType.TASK_OPENED}),
    NoteAction: frozenset({EventType.NOTED}),
    RouteAction: frozenset({EventType.CONVERSATION_MOVED}),
    AssignAction: frozenset({EventType.CONVERSATION_ASSIGNED}),
    OpenCaseAction: frozenset({EventType.CASE_OPENED, EventType.CASE_JOINED}),
    MoveCaseAction: frozenset({EventType.CASE_MOVED, EventType.CASE_CLOSED}),
    CloseCaseAction: frozenset({EventType.CASE_MOVED, EventType.CASE_CLOSED}),
}


def _caused_by(action: Action) -> frozenset[EventType]:
    own = order_of(action).causes()
    return CAUSED.get(type(action), frozenset()) if own is None else own


def _follows(first: Rule, second: Rule) -> bool:
    """Whether the actions of one rule may set off another. A rule that asks for the field that Changed, at the top of
    its `where`, is set off by changes of that field only."""
    for action in first.then:
        shared = _caused_by(action) & set(second.types)
        if shared == {EventType.CHANGED} and (fields := _fields_asked(second.where)) is not None:
            if fields & order_of(action).changes():
                return True
        elif shared:
            return True
    return False


def _fields_asked(condition: Condition | None) -> frozenset[str] | None:
    """The fields one of which must have changed for the condition to hold; None when any may."""
    if isinstance(condition, All):
        found = [fields for fields in map(_fields_asked, condition.all) if fields is not None]
        return min(found, key=len, default=None)
    if (
        isinstance(condition, Compare)
        and condition.field == "event.field"
        and condition.operator in ("is", "in")
    ):
        return frozenset(str(value) for value in _values(condition))
    return None


def _circles(rules: Sequence[WrittenRule]) -> Iterator[RuleProblem]:
    """Rules that would set each other off for ever: each is told, with the way round.

    A rule whose `once` counts for ever ends a circle by itself, and so does not belong to one.
    """
    open_rules = [
        written for written in rules if written.rule.once is None or written.rule.once.within is not None
    ]
    follows = {
        written.rule.name: [other.rule.name for other in open_rules if _follows(written.rule, other.rule)]
        for written in open_rules
    }
    for written in open_rules:
        way = _way_back(written.rule.name, follows)
        if way is not None:
            yield written.source.problem(
                written.rule.name,
                ("when",),
                f"the rule sets itself off again: {' → '.join(way)}.",
                "Look at another type of event, or write once: contact.",
            )


def _way_back(start: str, follows: dict[str, list[str]]) -> list[str] | None:
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for after in follows[way[-1]]:
            if after == start:
                return [*way, start]
            if after not in seen:
                seen.add(after)
                ways.append([*way, after])
    return None

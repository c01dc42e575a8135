"""The active rules, compiled once and indexed, so that an event meets only the rules that may match it.

Rules are found by event type, and those that ask for a campaign at the top of their `where` by that campaign too: the
work for an event grows with the rules for its type and campaign, not with all rules.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from domain.conditions import All, Compare, Condition, Consent, parts_of
from domain.errors import InvalidInput
from domain.events import EventType
from domain.folding import fold
from domain.predicates import (
    Facts,
    Predicate,
    compile_getter,
    compile_predicate,
    field_names,
    longest_within,
    needs_history,
    teams_asked,
)
from router.rules import Absence, Moment, Rule
from router.templates import Fill, compile_template, field_names_of
from router.then import Action, order_of
from storage.pool import Connection

log = logging.getLogger("clytie.router")

#: fields whose comparison at the top of a `where` finds the rule by campaign
_PINS: Final = ("campaign.id", "event.campaign_id", "campaign.name")
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """An action with its templates ready to fill."""

    action: Action
    texts: Mapping[str, Fill]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule of the book: its stored id and version, predicates, and what has to be loaded to ask them."""

    id: int
    version: int
    rule: Rule
    where: Predicate
    unless: Predicate | None
    actions: tuple[CompiledAction, ...]
    once_key: Fill | None
    compared: tuple[tuple[str, Callable[[Facts], Any]], ...]
    asks: frozenset[str]  # the kinds of thing whose fields are asked for: message, conversation, content...
    teams: frozenset[str]  # whose working time it asks for
    asks_consent: bool
    history: frozenset[EventType]
    history_reach: timedelta | None  # how far back; None: without limit
    definition: str  # tells rules that say the same
    followed: Predicate | None  # whether what the rule waits in vain for has come

    @property
    def name(self) -> str:
        """The rule's name, which is its identity over all versions."""
        return self.rule.name


def compile_rule(rule: Rule, *, id: int = 0, version: int = 0) -> CompiledRule:
    """Compile a rule. Raises InvalidInput when it asks for what does not exist."""
    conditions = [part for part in (rule.where, rule.unless) if part is not None]
    texts = [rule.once.key] if rule.once is not None and rule.once.key is not None else []
    texts += [template.text for action in rule.then for template in order_of(action).templates().values()]
    absence = rule.when if isinstance(rule.when, Absence) else None
    compared = frozenset[str]().union(*(field_names(part) for part in conditions))
    asked = compared.union(*(field_names_of(text) for text in texts))
    reaches = [longest_within(part) for part in conditions]
    return CompiledRule(
        id=id,
        version=version,
        rule=rule,
        where=_compile_where(rule),
        unless=None if rule.unless is None else compile_predicate(rule.unless, name="unless"),
        actions=tuple(_compile_action(action) for action in rule.then),
        once_key=(
            compile_template(rule.once.key, longest=500)
            if rule.once is not None and rule.once.key is not None
            else None
        ),
        compared=tuple((name, compile_getter(name)) for name in sorted(compared)),
        asks=frozenset(name.partition(".")[0] for name in asked) | _asked_by_templates(rule),
        teams=frozenset[str]().union(*(teams_asked(part) for part in conditions)),
        asks_consent=any(isinstance(part, Consent) for condition in conditions for part in _every(condition)),
        history=frozenset(absence.without if absence is not None else ()).union(
            *(needs_history(part) for part in conditions)
        ),
        history_reach=None
        if None in reaches
        else max((r for r in reaches if r is not None), default=timedelta()),
        definition=rule.model_dump_json(by_alias=True, exclude_unset=True),
        followed=None if absence is None else _compile_absence(absence),
    )


def _asked_by_templates(rule: Rule) -> frozenset[str]:
    """What message templates may show is known when they are filled: all of it is loaded."""
    named = any(
        mention.what == "message_template" for action in rule.then for mention in order_of(action).mentions()
    )
    return frozenset({"message", "conversation", "content", "case", "task"} if named else ())


def _compile_where(rule: Rule) -> Predicate:
    """`where`; a moment is asked about only by the rule that waited for it."""
    where = (lambda facts: True) if rule.where is None else compile_predicate(rule.where, name="where")
    if not isinstance(rule.when, Moment):
        return where
    return lambda facts: (facts.event or {}).get("rule") == rule.name and where(facts)


def _compile_absence(absence: Absence) -> Predicate:
    """Whether what was not to follow did follow, within its time of the event."""
    types = {kind.value for kind in absence.without}
    same = None if absence.same == "contact" else f"{absence.same}_id"

    def followed(facts: Facts) -> bool:
        event = facts.event or {}
        begun = event["occurred_at"]
        for later in facts.history:
            if later["type"] not in types or later["id"] == event["id"]:
                continue
            if not begun <= later["occurred_at"] <= begun + absence.within:
                continue
            if same is not None and later.get(same) != event.get(same):
                continue
            if later.get("verdict") is None or absence.judged in ("any", later["verdict"]):
                return True
        return False

    return followed


def _compile_action(action: Action) -> CompiledAction:
    return CompiledAction(
        action,
        {
            place: compile_template(template.text, longest=template.longest, one_line=template.one_line)
            for place, template in order_of(action).templates().items()
        },
    )


def _every(condition: Condition) -> Iterator[Condition]:
    yield condition
    for _, part in parts_of(condition):
        yield from _every(part)


def _pin(condition: Condition | None) -> tuple[str, tuple[Any, ...]] | None:
    """The campaign field that must have one of these values for the condition to hold, if there is one."""
    if isinstance(condition, All):
        found = [pin for pin in map(_pin, condition.all) if pin is not None]
        return min(found, key=lambda pin: len(pin[1]), default=None)
    if isinstance(condition, Compare) and condition.field in _PINS and condition.operator in ("is", "in"):
        values = condition.value if condition.operator == "in" else (condition.value,)
        return condition.field, tuple(fold(value) if isinstance(value, str) else value for value in values)
    return None


@dataclass(slots=True)
class _Shelf:
    """The rules for one type of event: by campaign, and those that look at all."""

    free: list[tuple[int, CompiledRule]] = field(default_factory=list)
    by_id: dict[Any, list[tuple[int, CompiledRule]]] = field(default_factory=dict)
    by_name: dict[Any, list[tuple[int, CompiledRule]]] = field(default_factory=dict)


class RuleBook:
    """Compiled rules in their order: by priority, then by name; `version` is the number that changes whenever rules are applied."""

    def __init__(self, rules: Sequence[CompiledRule], version: int = 0) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: (-rule.rule.priority, rule.name)))
        self.version = version
        self.by_name = {rule.name: rule for rule in self.rules}
        self.interests = frozenset(kind.value for rule in self.rules for kind in rule.rule.types)
        self._shelves: dict[str, _Shelf] = {}
        self._found: dict[tuple[str, int | None, str | None], tuple[CompiledRule, ...]] = {}
        for entry in enumerate(self.rules):
            pin = _pin(entry[1].rule.where)
            for kind in entry[1].rule.types:
                shelf = self._shelves.setdefault(kind.value, _Shelf())
                if pin is None:
                    shelf.free.append(entry)
                    continue
                index = shelf.by_name if pin[0] == "campaign.name" else shelf.by_id
                for value in dict.fromkeys(pin[1]):
                    index.setdefault(value, []).append(entry)

    def candidates(self, kind: str, campaign: Mapping[str, Any] | None) -> tuple[CompiledRule, ...]:
        """The rules that may match an event of this type and campaign, in the book's order."""
        asked = (kind, None, None) if campaign is None else (kind, campaign["id"], campaign["name"])
        found = self._found.get(asked)
        if found is None:
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            found = self._found[asked] = self._find(*asked)
        return found

    def _find(self, kind: str, campaign_id: int | None, name: str | None) -> tuple[CompiledRule, ...]:
        shelf = self._shelves.get(kind)
        if shelf is None:
            return ()
        entries = list(shelf.free)
        if campaign_id is not None:
            entries += shelf.by_id.get(campaign_id, ())
        if name is not None:
            entries += shelf.by_name.get(fold(name), ())
        return tuple(rule for _, rule in sorted(dict(entries).items()))


_RULES: Final = "SELECT id, name, version, definition FROM rules WHERE active ORDER BY name"
RULES_VERSION: Final = "rules_version"
_VERSION: Final = "SELECT value FROM house WHERE key = $1"


async def load_rule_book(connection: Connection) -> RuleBook:
    """The book of the rules that are active now. A stored rule that cannot be read is left out and logged."""
    version = await connection.fetchval(_VERSION, RULES_VERSION) or 0
    return RuleBook(list(_readable(await connection.fetch(_RULES))), version)


def _readable(rows: Iterable[Any]) -> Iterator[CompiledRule]:
    for row in rows:
        try:
            rule = Rule.model_validate(row["definition"])
            yield compile_rule(rule, id=row["id"], version=row["version"])
        except (ValidationError, InvalidInput):
            log.exception("rule %s version %s cannot be used and is left out", row["name"], row["version"])

"""Which rules may look at what a confidential queue holds: those that name this queue, and no other (promise 8).

A rule that was written for all mail would carry what it finds elsewhere: into a task of another team, a notification, a
webhook, a note. So an event of a conversation in a confidential queue is shown to a rule only when the rule routes to that
queue, or asks for it by `conversation.queue`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from domain.conditions import Compare, Condition, parts_of
from domain.folding import fold
from router.decide import Decision, Question, Result
from router.rulebook import CompiledRule
from router.rules import Rule
from router.then.queues import RouteAction
from storage.pool import Connection

_FIELDS: Final = ("conversation.queue", "event.queue")

_CONFIDENTIAL: Final = """
SELECT v.id, q.name FROM conversations v JOIN queues q ON q.id = v.queue_id
WHERE v.id = ANY ($1::bigint[]) AND q.confidential
"""
_NAMED: Final = "SELECT name FROM queues WHERE confidential AND name = ANY ($1::text[])"
_DEFINITION: Final = "SELECT definition FROM rules WHERE id = $1"
_ACTED: Final = """
SELECT event_id, rule_id FROM rule_runs WHERE event_id = ANY ($1::bigint[]) AND result = 'acted'
"""


async def confidential_queues(connection: Connection, conversations: Collection[int]) -> dict[int, str]:
    """The names of the confidential queues that some of these conversations are in now."""
    if not conversations:
        return {}
    rows = await connection.fetch(_CONFIDENTIAL, list(conversations))
    return {row["id"]: row["name"] for row in rows}


async def leave_out_uncleared(connection: Connection, questions: Sequence[Question]) -> list[Question]:
    """The questions, each without the rules that may not look at its event; those without any rule are left out.

    Left out, too, are rules that acted on the event while it was being stored (router/confiding.py), with all that stand
    behind one that stops.
    """
    asked = {one.sighting.conversation_id for one in questions} - {None}
    names = await confidential_queues(connection, [id for id in asked if id is not None])
    if not names:
        return list(questions)
    sealed = [one.sighting.id for one in questions if one.sighting.conversation_id in names]
    rows = await connection.fetch(_ACTED, sealed)
    acted = {(row["event_id"], row["rule_id"]) for row in rows}
    left = []
    for question in questions:
        name = names.get(question.sighting.conversation_id or 0)
        if name is not None:
            done = frozenset(rule for event, rule in acted if event == question.sighting.id)
            rules = _behind_what_stopped(question.rules, done)
            question = replace(question, rules=[rule for rule in rules if is_cleared(rule, name)])
        if question.rules:
            left.append(question)
    return left


async def keep_confidential(connection: Connection, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions without those of rules that must not look any more, because another one is about to make their
    conversation confidential: its rule comes first, whatever their order."""
    routed: dict[int, set[str]] = {}
    for decision in decisions:
        conversation = decision.sighting.conversation_id
        if decision.result is Result.ACTED and conversation is not None:
            routed.setdefault(conversation, set()).update(_routed_to(decision.rule.rule))
    wanted = set[str]().union(*routed.values())
    if not wanted:
        return list(decisions)
    names = {row["name"] for row in await connection.fetch(_NAMED, list(wanted))}
    sealing = {conversation: queues & names for conversation, queues in routed.items() if queues & names}
    return [
        decision
        for decision in decisions
        if (queues := sealing.get(decision.sighting.conversation_id or 0)) is None
        or any(is_cleared(decision.rule, queue) for queue in queues)
    ]


def _routed_to(rule: Rule) -> set[str]:
    return {action.route.queue for action in rule.then if isinstance(action, RouteAction)}


def _behind_what_stopped(rules: Sequence[CompiledRule], done: frozenset[int]) -> Iterator[CompiledRule]:
    for rule in rules:
        if rule.id not in done:
            yield rule
        elif rule.rule.stop:
            return


def is_cleared(rule: CompiledRule, queue: str) -> bool:
    """Whether a rule may look at what this confidential queue holds."""
    return fold(queue) in _named(rule.rule)


async def is_sealed_from(connection: Connection, rule_id: int, conversation_id: int | None) -> bool:
    """Whether a conversation became confidential since this rule acted on it, so that what it put down is not done."""
    if conversation_id is None:
        return False
    names = await confidential_queues(connection, [conversation_id])
    if not names:
        return False
    definition = await connection.fetchval(_DEFINITION, rule_id)
    return definition is None or fold(names[conversation_id]) not in _named(Rule.model_validate(definition))


def _named(rule: Rule) -> frozenset[str]:
    """The queues that a rule routes to or asks for, folded."""
    names = set(map(fold, _routed_to(rule)))
    if rule.where is not None:
        names |= {fold(name) for name in _asked_for(rule.where)}
    return frozenset(names)


def _asked_for(condition: Condition) -> Iterator[str]:
    if isinstance(condition, Compare):
        if condition.field in _FIELDS and condition.operator in ("is", "in"):
            values = condition.value if isinstance(condition.value, list | tuple) else (condition.value,)
            yield from (value for value in values if isinstance(value, str))
        return
    for _, part in parts_of(condition):
        yield from _asked_for(part)

"""What a rule makes of an event: act, wait, refuse, or nothing. Pure functions on values; nothing is loaded or done."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from domain.consent import Purpose
from domain.events import ENGAGEMENT, Verdict
from domain.predicates import Facts
from router.rulebook import CompiledRule
from router.settings import RouterSettings
from router.sightings import TYPES, Sighting

log = logging.getLogger("clytie.router")

#: why a rule does nothing about a hit of a person who allowed it to be recorded, and took that back since
WITHDRAWN: Final = "measure was withdrawn"
#: how the reason begins when a rule does nothing about a hit because of its verdict: a later verdict asks it again
JUDGED: Final = "judged "


class Result(StrEnum):
    """What became of a rule that looked at an event and matched it."""

    ACTED = "acted"  #: its actions were done
    HELD = "held"  #: waits, for the judgement of a hit or for its own time to pass
    REPEATED = "repeated"  #: it acted on the same thing before (`once`, or the same event again)
    REFUSED = "refused"  #: a machine's hit, consent withdrawn, an `unless` that holds, a chain that goes on too long
    FAILED = "failed"  #: an error; tried again later, and listed


@dataclass(slots=True)
class Decision:
    """One rule and one event. `matched` holds the values that were compared, and the reason in words.

    For ACTED, `key` names the episode and `within` how long it lasts (None: for ever). For HELD, `until` is when to
    ask again and `told` whether the wait is in the log already. `deeds` tells what became of actions, by their number,
    where it is another thing than done.
    """

    rule: CompiledRule
    sighting: Sighting
    result: Result
    matched: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    within: timedelta | None = None
    until: datetime | None = None
    told: bool = False
    task_id: int | None = None
    case_id: int | None = None  #: that it opened or found: what follows belongs to it
    attempt: int = 1
    deeds: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """An event and the rules to ask about it. `held` when a wait brought it back; `attempt` counts from 1."""

    sighting: Sighting
    rules: Sequence[CompiledRule]
    held: bool = False
    attempt: int = 1


def decide(question: Question, now: datetime, settings: RouterSettings) -> list[Decision]:
    """One decision for each rule that matched. An error in one rule is its own FAILED decision.

    A rule with `stop` that acts, or acted on the same thing before, is the last one that is asked.
    """
    facts = question.sighting.facts(now)
    decisions: list[Decision] = []
    for rule in question.rules:
        try:
            decision = _decide_one(rule, question, facts, now, settings)
        except Exception as error:
            log.exception("rule %s failed on event %s", rule.name, question.sighting.id)
            decision = fail(rule, question.sighting, error)
        if decision is not None:
            decision.told = question.held
            decision.attempt = question.attempt
            decisions.append(decision)
            if decision.result is Result.ACTED and rule.rule.stop:
                break
    return decisions


def fail(rule: CompiledRule, sighting: Sighting, error: BaseException) -> Decision:
    """The decision for a rule that broke on an event."""
    return Decision(
        rule,
        sighting,
        Result.FAILED,
        {"reason": f"{type(error).__name__}: {error}"[:500].replace("\x00", "")},
    )


def _decide_one(
    rule: CompiledRule, question: Question, facts: Facts, now: datetime, settings: RouterSettings
) -> Decision | None:
    sighting = question.sighting
    kind = TYPES[sighting.type]
    valid = rule.rule.valid
    if valid is not None and not valid.covers(sighting.occurred_at):
        return None
    if not rule.where(facts):
        return None
    matched: dict[str, Any] = {name: get(facts) for name, get in rule.compared}
    decision = Decision(rule, sighting, Result.REFUSED, matched)
    if sighting.depth >= settings.longest_chain:
        matched["reason"] = f"{sighting.depth} rules set each other off in a row; the chain ends here"
        return decision
    if kind in ENGAGEMENT and sighting.contact_id is not None and Purpose.MEASURE not in sighting.consents:
        matched["reason"] = WITHDRAWN
        return decision
    if valid is not None and not valid.covers(now):
        matched["reason"] = "the time of the rule is over"
        return decision
    wanted = rule.rule.judgement(kind)
    waits: list[tuple[datetime, str]] = []
    if wanted != "any":
        if not sighting.judged:
            wait = max(sighting.settles_in, timedelta()) + settings.hold_margin
            if question.held and sighting.settles_in <= timedelta():
                wait = settings.hold_patience
            waits.append((now + wait, "the hit is not judged yet"))
        else:
            matched["event.verdict"] = sighting.verdict
            verdict = sighting.verdict or Verdict.UNSURE.value
            if verdict != wanted:
                matched["reason"] = f"{JUDGED}{verdict}"
                return decision
    if rule.rule.waits is not None and sighting.occurred_at + rule.rule.waits > now:
        waits.append((sighting.occurred_at + rule.rule.waits, "the rule waits"))
    if waits:
        decision.result = Result.HELD
        decision.until, matched["reason"] = max(waits, key=lambda wait: wait[0])
        return decision
    if rule.followed is not None and rule.followed(facts):
        matched["reason"] = "what it waited for in vain came after all"
        return decision
    if rule.unless is not None and rule.unless(facts):
        matched["reason"] = "unless holds"
        return decision
    decision.key, missing = episode_key(rule, facts, sighting)
    if missing is not None:
        matched["reason"] = f"the rule is once per {missing}, and the event has none"
        return decision
    decision.result = Result.ACTED
    decision.within = rule.rule.once.within if rule.rule.once is not None else None
    return decision


def episode_key(rule: CompiledRule, facts: Facts, sighting: Sighting) -> tuple[str, str | None]:
    """The name of what the rule acts once for, and what is missing to name it, if something is."""
    once = rule.rule.once
    if once is None:
        return f"{rule.name}:event={sighting.id}", None
    if rule.once_key is not None:
        return f"{rule.name}:key={rule.once_key(facts)}", None
    parts = []
    for thing in once.per:
        value = getattr(sighting, f"{thing}_id")
        if value is None:
            return "", thing
        parts.append(f"{thing}={value}")
    return f"{rule.name}:{','.join(parts)}", None


@dataclass(frozen=True, slots=True)
class Episode:
    """When a rule acted on something, and on which event."""

    event_id: int
    started_at: datetime


def sort_out_repeats(decisions: Sequence[Decision], known: Mapping[str, Episode]) -> dict[str, Episode]:
    """Turn ACTED into REPEATED where an episode is still going on; gives the episodes that begin now.

    Decisions come in the order of their events; `known` holds the stored episodes of their keys. Pure but for the
    results that it sets.
    """
    begun: dict[str, Episode] = {}
    for decision in decisions:
        if decision.result is not Result.ACTED:
            continue
        sighting = decision.sighting
        episode = begun.get(decision.key) or known.get(decision.key)
        if episode is None or begins_anew(episode, sighting, decision.within):
            begun[decision.key] = Episode(sighting.id, sighting.occurred_at)
        else:
            repeat(decision, episode.event_id)
    return begun


def begins_anew(episode: Episode, sighting: Sighting, within: timedelta | None) -> bool:
    """Tell whether an event lies outside of an episode."""
    if within is None or episode.event_id == sighting.id:
        return False
    return sighting.occurred_at >= episode.started_at + within


def repeat(decision: Decision, event_id: int) -> None:
    """Make a decision REPEATED: the rule acted on event `event_id` before."""
    decision.result = Result.REPEATED
    same = event_id == decision.sighting.id
    decision.matched["reason"] = "it acted on this event before" if same else f"it acted on event {event_id}"


#: results that end a rule's interest in an event
FINAL: Final = frozenset({Result.ACTED, Result.REPEATED, Result.REFUSED})

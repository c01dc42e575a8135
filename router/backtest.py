"""A test on the past: which tasks and messages rules would have made of the events that were, beside those in force.

Events are read once, in their order, in a transaction that cannot write. Rules are asked with the facts of that time
(router/past.py), waits pass at once, `once` is kept to as in life. Not tried: what rules would have set off in each
other, for the events that their actions cause never came. Events of confidential conversations and cases are left out,
unless whoever asks may see them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from domain.errors import ClytieError
from domain.events import EventType
from domain.predicates import Facts
from router.actions import EXECUTORS
from router.actions.work import Work
from router.call_rights import load_call_rights, opens_callbacks, refuse_whole
from router.decide import Decision, Episode, Question, Result, decide, sort_out_repeats
from router.facts import Histories, load_facts
from router.moments import past_moments
from router.past import Past, load_past
from router.rulebook import CompiledRule, RuleBook, compile_rule, load_rule_book
from router.rules import Moment, Rule
from router.settings import RouterSettings
from router.sightings import EVENT_COLUMNS, Sighting, load_campaigns, read_sighting
from router.staff import Staff, load_staff, load_staff_for
from router.then.tasks import OpenTaskAction
from storage.pool import Connection, Pool

log = logging.getLogger("clytie.router")

_BATCH: Final = 10_000
#: what is listed one by one; the rest is counted
SHOWN: Final = 500
_HIDDEN: Final = """
  AND NOT EXISTS (SELECT FROM conversations v JOIN cases k ON k.id = v.case_id
                  WHERE v.id = e.conversation_id AND k.confidential)
  AND NOT EXISTS (SELECT FROM tasks t JOIN cases k ON k.id = t.case_id WHERE t.id = e.task_id AND k.confidential)
  AND NOT EXISTS (SELECT FROM messages m JOIN cases k ON k.id = m.case_id WHERE m.id = e.message_id AND k.confidential)
  AND NOT EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id
                  WHERE v.id = e.conversation_id AND q.confidential AND NOT q.id = ANY ($4::bigint[]))
  AND NOT EXISTS (SELECT FROM cases k WHERE k.id = e.case_id AND k.confidential)
"""
_COUNT: Final = "SELECT count(*) FROM events e WHERE e.type = ANY ($1::text[]) AND e.occurred_at >= $2 AND e.occurred_at < $3"
_EVENTS: Final = f"""
SELECT {EVENT_COLUMNS} FROM events e LEFT JOIN hits h ON h.event_id = e.id AND h.recorded_at = e.recorded_at
WHERE e.type = ANY ($1::text[]) AND e.occurred_at >= $2 AND e.occurred_at < $3 {_HIDDEN}
ORDER BY e.id
"""

Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Would:
    """One thing that a rule would have done. `person_id` and `team`: who would have got it, for a task."""

    rule: str
    action: str
    at: datetime
    event_id: int
    contact_id: int | None
    contact: str
    words: str
    person_id: int | None = None
    team: str | None = None


@dataclass(slots=True)
class Side:
    """What one set of rules would have done. `per_day` counts tasks by day and by who would have got them."""

    results: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    per_day: Counter[tuple[date, int | None, str | None]] = field(default_factory=Counter)
    shown: list[Would] = field(default_factory=list)

    def busiest(self) -> list[tuple[int | None, str | None, float, int]]:
        """Person, team, tasks on an average day with any, and on the worst one; the busiest first."""
        days: dict[tuple[int | None, str | None], list[int]] = {}
        for (_, person, team), count in self.per_day.items():
            days.setdefault((person, None if person is not None else team), []).append(count)
        rows = [(person, team, sum(n) / len(n), max(n)) for (person, team), n in days.items()]
        return sorted(rows, key=lambda row: (-row[3], -row[2], str(row[:2])))


@dataclass(slots=True)
class Trial:
    """The draft beside the active versions of the rules of the same names. `names`: people by id."""

    since: datetime
    until: datetime
    events: int = 0
    draft: Side = field(default_factory=Side)
    active: Side = field(default_factory=Side)
    names: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Player:
    """One set of rules on its way through the past."""

    book: RuleBook
    side: Side
    episodes: dict[str, Episode] = field(default_factory=dict)


async def backtest(
    pool: Pool,
    rules: Sequence[Rule],
    since: datetime,
    until: datetime,
    settings: RouterSettings,
    *,
    may_see: Collection[int] = (),
    progress: Progress | None = None,
) -> Trial:
    """Play the events from `since` to `until` (when they happened) through `rules`; nothing is changed.

    `may_see` names the confidential queues whose messages may be looked at. Raises InvalidInput for rules that cannot be
    compiled.
    """
    draft = RuleBook([compile_rule(rule) for rule in rules])
    trial = Trial(since, until)
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        named = {rule.name for rule in rules}
        present = await load_rule_book(connection)
        active = RuleBook([rule for rule in present.rules if rule.name in named])
        players = [_Player(draft, trial.draft), _Player(active, trial.active)]
        types = sorted(draft.interests | active.interests)
        total = await connection.fetchval(_COUNT, types, since, until) or 0
        every = [*draft.rules, *active.rules]
        histories = Histories(
            frozenset[EventType]().union(*(rule.history for rule in every)),
            any(rule.asks & {"message", "campaign"} for rule in every if rule.history),
        )
        staff = await _everybody(connection, settings, every, until)
        batch: list[Sighting] = [
            sighting
            for rule in {rule.name: rule for rule in (*active.rules, *draft.rules)}.values()
            if isinstance(rule.rule.when, Moment)
            for sighting in await past_moments(connection, rule, since, until, settings)
        ]
        cursor = connection.cursor(_EVENTS, types, since, until, list(may_see), prefetch=_BATCH)
        async for row in cursor:
            if row["type"] == "Reached":
                continue  # made anew above, for drafts were not waited for
            batch.append(read_sighting(row))
            if len(batch) >= _BATCH:
                await _play(connection, players, batch, staff, settings, trial, histories)
                batch = []
                if progress is not None:
                    await progress(trial.events, total)
        await _play(connection, players, batch, staff, settings, trial, histories)
        if progress is not None:
            await progress(trial.events, total)
        trial.names = await _names(connection, trial)
    return trial


async def _play(
    connection: Connection,
    players: Sequence[_Player],
    batch: Sequence[Sighting],
    staff: Staff,
    settings: RouterSettings,
    trial: Trial,
    histories: Histories,
) -> None:
    """Ask both sets of rules about a batch of events."""
    trial.events += len(batch)
    await load_campaigns(connection, batch)
    asked: list[tuple[Sighting, list[tuple[CompiledRule, ...]]]] = []
    for sighting in batch:
        sighting.judged = True  # by now everything is
        rules = [player.book.candidates(sighting.type, sighting.campaign) for player in players]
        if any(rules):
            asked.append((sighting, rules))
    if not asked:
        return
    now = max(sighting.occurred_at for sighting, _ in asked)
    together: dict[tuple[int, ...], list[CompiledRule]] = {}  # books give the same tuples again and again
    everything = [
        (
            sighting,
            together.setdefault(tuple(map(id, rules)), [rule for some in rules for rule in some]),
        )
        for sighting, rules in asked
    ]
    await load_facts(connection, everything, now, settings, histories=histories)
    callers = {
        sighting.contact_id
        for sighting, some in everything
        if sighting.contact_id is not None and any(map(opens_callbacks, some))
    }
    await load_call_rights(connection, staff, callers, None, settings)
    past = await load_past(connection, [sighting for sighting, _ in asked])
    for sighting, rules in asked:
        then = _Then(sighting, past, staff, settings)
        for player, some in zip(players, rules, strict=True):
            for rule in some:
                decision = then.ask(rule)
                if decision is None:
                    continue
                _count(connection, player, decision, decision.until or sighting.occurred_at, staff)
                if rule.rule.stop and decision.result in (Result.ACTED, Result.REPEATED):
                    break


class _Then:
    """One event with what was known when it came, and when a wait for it was over."""

    def __init__(self, sighting: Sighting, past: Past, staff: Staff, settings: RouterSettings) -> None:
        self._sighting, self._past, self._staff, self._settings = sighting, past, staff, settings
        self._today = (sighting.contact, sighting.conversation, sighting.history)
        self._answers: dict[str, Decision | None] = {}
        self._facts = self._go_to(sighting.occurred_at)

    def ask(self, rule: CompiledRule) -> Decision | None:
        """What the rule made of the event, `until` being when; None when it did not match. The same for twins."""
        if rule.definition not in self._answers:
            self._answers[rule.definition] = self._decide(rule) if rule.where(self._facts) else None
        found = self._answers[rule.definition]
        return None if found is None else replace(found, rule=rule, matched=dict(found.matched))

    def _decide(self, rule: CompiledRule) -> Decision | None:
        decisions: list[Decision] = []
        at = self._sighting.occurred_at
        for at in _asked_at(self._sighting, rule):  # a rule that waits has to match twice
            self._go_to(at)
            decisions = decide(Question(self._sighting, [rule], held=True), at, self._settings)
            if not decisions or decisions[0].result is not Result.HELD:
                break
        self._go_to(self._sighting.occurred_at)
        return replace(decisions[0], until=at) if decisions else None

    def _go_to(self, at: datetime) -> Facts:
        sighting = self._sighting
        sighting.contact, sighting.conversation, sighting.history = self._today
        if sighting.history:
            sighting.history = _known_then(sighting, at)
        self._past.take_back(sighting, at)
        sighting.works = partial(_works, self._staff, at)
        return sighting.facts(at)


def _asked_at(sighting: Sighting, rule: CompiledRule) -> list[datetime]:
    """When a rule is asked about an event: at once, and again when its wait is over."""
    waits = rule.rule.waits
    return [sighting.occurred_at] if waits is None else [sighting.occurred_at, sighting.occurred_at + waits]


def _known_then(sighting: Sighting, at: datetime) -> Sequence[Mapping[str, Any]]:
    """The events that were recorded when the rule was asked."""
    if at == sighting.occurred_at and sighting.id > 0:
        return [event for event in sighting.history if event["id"] <= sighting.id]
    return [event for event in sighting.history if event["occurred_at"] <= at]


def _works(staff: Staff, at: datetime, name: str) -> bool:
    team = staff.teams.get(name)
    return team is not None and team.works(at)


def _count(connection: Connection, player: _Player, decision: Decision, at: datetime, staff: Staff) -> None:
    """Sort out repeats, and write down what would have been done."""
    side = player.side
    if decision.result is Result.ACTED and not refuse_whole(decision, staff, at):
        player.episodes |= sort_out_repeats([decision], player.episodes)
    side.results[decision.result.value] += 1
    if decision.result is not Result.ACTED:
        return
    side.by_rule[decision.rule.name] += 1
    work = Work(connection, at, staff)
    contact = decision.sighting.contact
    for number, action in enumerate(decision.rule.rule.then):
        executor = EXECUTORS[type(action)]
        try:
            shown = executor.show(executor.plan(decision, number, work), work)
        except ClytieError as error:
            log.debug("an action cannot be tried: %s", error)
            side.actions["failed"] += 1
            continue
        side.actions[shown.action] += 1
        if shown.action == "open_task":
            side.per_day[at.date(), shown.person_id, shown.team] += 1
        if len(side.shown) < SHOWN:
            side.shown.append(
                Would(
                    decision.rule.name,
                    shown.action,
                    at,
                    decision.sighting.id,
                    decision.sighting.contact_id,
                    str(contact.get("name") or ""),
                    shown.words,
                    shown.person_id,
                    shown.team,
                )
            )


async def _everybody(
    connection: Connection, settings: RouterSettings, rules: Sequence[CompiledRule], now: datetime
) -> Staff:
    """All teams, and everybody. Nothing was ever finished in a test, so nobody is ever full."""
    orders = [
        action.open_task.assign
        for rule in rules
        for action in rule.rule.then
        if isinstance(action, OpenTaskAction)
    ]
    owners = [row["id"] for row in await connection.fetch("SELECT id FROM users WHERE active")]
    wanted = [(order, owner) for order in orders for owner in owners]
    staff = await load_staff_for(connection, settings, wanted, now, lock=False)
    names = [row["name"] for row in await connection.fetch("SELECT name FROM teams")]
    staff.teams = (await load_staff(connection, settings, names=names)).teams
    for person in staff.rota.people.values():
        person.capacity, person.load, person.present = {}, {}, True
    return staff


async def _names(connection: Connection, trial: Trial) -> dict[int, str]:
    ids = {would.person_id for side in (trial.draft, trial.active) for would in side.shown}
    ids |= {person for side in (trial.draft, trial.active) for _, person, _ in side.per_day}
    rows = await connection.fetch(
        "SELECT id, name FROM users WHERE id = ANY ($1::bigint[])", [*(ids - {None})]
    )
    return {row["id"]: row["name"] for row in rows}

"""From questions to deeds, inside the caller's transaction: ask the rules, sort out repeats, act, log, set timers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.errors import ClytieError
from router.actions import EXECUTORS
from router.actions.work import Planned, Trouble, Work
from router.call_rights import load_call_rights, opens_callbacks, refuse_whole
from router.confidence import keep_confidential, leave_out_uncleared
from router.decide import (
    Decision,
    Episode,
    Question,
    Result,
    decide,
    fail,
    repeat,
    sort_out_repeats,
)
from router.deeds import put_down, put_errands
from router.facts import load_facts
from router.passing import PASSING
from router.settings import RouterSettings
from router.staff import Staff, load_staff_for
from router.then import key_of
from router.then.cases import OpenCaseAction
from router.then.tasks import OpenTaskAction
from storage.event_store import record
from storage.pool import Connection

log = logging.getLogger("clytie.router")

_EPISODES: Final = "SELECT key, event_id, started_at FROM rule_episodes WHERE key = ANY ($1::text[])"
_BEGIN: Final = """
INSERT INTO rule_episodes AS e (key, event_id, started_at)
SELECT key, event_id, started_at
FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) AS given (key, event_id, started_at)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET event_id = excluded.event_id, started_at = excluded.started_at
  WHERE e.key || '@' || e.event_id = ANY ($4::text[])
RETURNING key
"""
_TEXTS: Final = "INSERT INTO event_texts (event_id, body) SELECT * FROM unnest($1::bigint[], $2::text[])"
_RUNS: Final = """
INSERT INTO rule_runs (rule_id, event_id, contact_id, result, task_id, matched, deeds)
SELECT rule_id, event_id, contact_id, result, task_id, matched::jsonb, deeds::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[])
  AS given (rule_id, event_id, contact_id, result, task_id, matched, deeds)
"""
_TIMERS: Final = """
INSERT INTO timers (kind, key, due_at, payload)
SELECT kind, key, due_at, payload::jsonb
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS given (kind, key, due_at, payload)
ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload
"""


async def answer(
    connection: Connection,
    questions: Sequence[Question],
    now: datetime,
    settings: RouterSettings,
    *,
    carefully: bool = False,
) -> bool:
    """Ask, act and log; tells whether anything was done that people can see.

    Everything happens in the caller's transaction, so that a crash anywhere undoes it all and the next one begins
    again; episodes and idempotency keys keep a second run from acting twice. An action that cannot be done is tried
    again by itself, the others of its rule go on; `carefully` gives each action a savepoint of its own for that.
    """
    asked = [question for question in questions if question.rules]
    if not asked:
        return False
    asked = await leave_out_uncleared(connection, asked)
    if not asked:
        return False
    await load_facts(connection, [(question.sighting, question.rules) for question in asked], now, settings)
    decisions = [decision for question in asked for decision in decide(question, now, settings)]
    decisions = await keep_confidential(connection, decisions)
    if not decisions:
        return False
    known = await _load_episodes(connection, decisions)
    begun = sort_out_repeats(decisions, known)
    work = Work(connection, now, await load_people(connection, decisions, now, settings))
    planned = _plan(work, decisions)
    await _begin(connection, decisions, begun, known)
    acting = [item for item in planned if item.decision.result is Result.ACTED]
    await (act_carefully if carefully else _act)(work, acting)
    await finish(work, settings)
    await _set_timers(connection, decisions, now, settings)
    await log_runs(connection, decisions)
    return work.acted


async def finish(work: Work, settings: RouterSettings) -> None:
    """Record what was told, and put down what has to be tried again."""
    ids = await record(work.connection, work.events)
    if work.texts:
        told = [(ids[place], text) for place, text in work.texts.items() if ids[place] is not None]
        await work.connection.execute(_TEXTS, [id for id, _ in told], [text for _, text in told])
    await put_down(work.connection, work.troubles, settings)
    await put_errands(work.connection, work.errands)


async def _load_episodes(connection: Connection, decisions: Sequence[Decision]) -> dict[str, Episode]:
    keys = list({decision.key for decision in decisions if decision.result is Result.ACTED})
    if not keys:
        return {}
    rows = await connection.fetch(_EPISODES, keys)
    return {row["key"]: Episode(row["event_id"], row["started_at"]) for row in rows}


async def _begin(
    connection: Connection,
    decisions: Sequence[Decision],
    begun: Mapping[str, Episode],
    known: Mapping[str, Episode],
) -> None:
    """Claim the episodes of what is going to be done, against routers that are at work elsewhere."""
    acting = {decision.key for decision in decisions if decision.result is Result.ACTED}
    claims = {key: episode for key, episode in begun.items() if key in acting}
    if not claims:
        return
    rows = await connection.fetch(
        _BEGIN,
        list(claims),
        [episode.event_id for episode in claims.values()],
        [episode.started_at for episode in claims.values()],
        [f"{key}@{known[key].event_id}" for key in claims if key in known],
    )
    lost = claims.keys() - {row["key"] for row in rows}
    for decision in decisions:
        if decision.result is Result.ACTED and decision.key in lost:
            repeat(decision, 0)
            decision.matched["reason"] = "another event was faster"


async def load_people(
    connection: Connection, decisions: Sequence[Decision], now: datetime, settings: RouterSettings
) -> Staff:
    """The teams and people that the tasks of these decisions may go to."""
    wanted = [
        (action.open_task.assign, decision.sighting.contact.get("owner_id"))
        for decision in decisions
        if decision.result is Result.ACTED
        for action in decision.rule.rule.then
        if isinstance(action, OpenTaskAction)
    ]
    staff = await load_staff_for(connection, settings, wanted, now)
    if wanted:
        callers = {
            contact
            for decision in decisions
            if decision.result is Result.ACTED
            and (contact := decision.sighting.contact_id) is not None
            and opens_callbacks(decision.rule)
        }
        await load_call_rights(connection, staff, callers, now, settings)
    return staff


def _plan(work: Work, decisions: Sequence[Decision]) -> list[Planned]:
    """What each action would do. A decision of which no action can be planned becomes FAILED."""
    planned: list[Planned] = []
    for decision in decisions:
        if decision.result is not Result.ACTED or refuse_whole(decision, work.staff, work.now):
            continue
        plans, troubles = [], []
        for number in range(len(decision.rule.rule.then)):
            try:
                plans.append(plan_action(work, decision, number))
            except Exception as error:
                troubles.append((number, error))
        if not plans:
            failed = fail(decision.rule, decision.sighting, troubles[0][1])
            decision.result = failed.result
            decision.matched |= failed.matched
            continue
        planned += plans
        for number, trouble in troubles:
            tell_trouble(work, decision, number, trouble)
    return planned


def plan_action(work: Work, decision: Decision, number: int) -> Planned:
    """What one action would do. Raises what its executor raises."""
    action = decision.rule.rule.then[number]
    try:
        return Planned(decision, number, EXECUTORS[type(action)].plan(decision, number, work))
    except Exception as error:
        if not isinstance(error, ClytieError):
            log.exception("rule %s failed on event %s", decision.rule.name, decision.sighting.id)
        raise


def tell_trouble(work: Work, decision: Decision, number: int, error: BaseException) -> None:
    """Note that an action failed; it is put down to be tried again."""
    words = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
    decision.deeds[number] = {"state": "failed", "reason": words}
    work.troubles.append(Trouble(decision, number, words))


async def _act(work: Work, planned: Sequence[Planned]) -> None:
    by_action: dict[type, list[Planned]] = {}
    for item in planned:
        by_action.setdefault(type(item.decision.rule.rule.then[item.number]), []).append(item)
    for action, items in sorted(by_action.items(), key=lambda one: one[0] is not OpenCaseAction):
        await EXECUTORS[action].execute(work, items)


async def act_carefully(work: Work, planned: Sequence[Planned]) -> None:
    """Do each action in a savepoint of its own: one that the database refuses is put down, the others stay.

    Raises the error when nothing at all of a decision could be done: then it did not act, and is asked again whole.
    """
    done: set[int] = set()
    errors: dict[int, Exception] = {}
    for item in planned:
        events, acted, errands = len(work.events), work.acted, len(work.errands)
        try:
            async with work.connection.transaction():
                await EXECUTORS[type(item.decision.rule.rule.then[item.number])].execute(work, [item])
        except PASSING:
            raise
        except Exception as error:
            log.exception(
                "action %d of rule %s failed on event %s",
                item.number,
                item.decision.rule.name,
                item.decision.sighting.id,
            )
            del work.events[events:]
            work.texts = {place: text for place, text in work.texts.items() if place < events}
            work.acted = acted
            del work.errands[errands:]
            tell_trouble(work, item.decision, item.number, error)
            errors[id(item.decision)] = error
        else:
            done.add(id(item.decision))
    hopeless = next((trouble for decision, trouble in errors.items() if decision not in done), None)
    if hopeless is not None:
        raise hopeless


async def _set_timers(
    connection: Connection, decisions: Sequence[Decision], now: datetime, settings: RouterSettings
) -> None:
    rows: dict[str, tuple[str, str, datetime, str]] = {}
    for decision in decisions:
        if decision.result is Result.HELD and decision.until is not None:
            row = _waiting("hold", decision, decision.until, 1)
        elif decision.result is Result.FAILED and decision.attempt < settings.attempts:
            again = now + settings.retry_after * 4 ** (decision.attempt - 1)
            row = _waiting("retry", decision, again, decision.attempt + 1)
        else:
            continue
        rows[row[1]] = row
    if rows:
        await connection.execute(_TIMERS, *([*column] for column in zip(*rows.values(), strict=True)))


def _waiting(kind: str, decision: Decision, until: datetime, attempt: int) -> tuple[str, str, datetime, str]:
    sighting = decision.sighting
    payload = {
        "rule": decision.rule.name,
        "event_id": sighting.id,
        "recorded_at": sighting.recorded_at.isoformat(),
        "attempt": attempt,
    }
    return kind, f"{kind}:{decision.rule.name}:{sighting.id}", until, json.dumps(payload)


async def fail_all(
    connection: Connection, decisions: Sequence[Decision], now: datetime, settings: RouterSettings
) -> None:
    """Log FAILED decisions and set the timers that try them again."""
    await _set_timers(connection, decisions, now, settings)
    await log_runs(connection, decisions)


async def log_runs(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Write what became of each decision; a wait that goes on is told once."""
    told = [decision for decision in decisions if not (decision.result is Result.HELD and decision.told)]
    if not told:
        return
    await connection.execute(
        _RUNS,
        [decision.rule.id for decision in told],
        [decision.sighting.id for decision in told],
        [decision.sighting.contact_id for decision in told],
        [decision.result.value for decision in told],
        [decision.task_id for decision in told],
        [json.dumps(_matched(decision), ensure_ascii=False, default=str) for decision in told],
        [_deeds(decision) for decision in told],
    )


def _deeds(decision: Decision) -> str | None:
    """What became of each action of a rule that acted, in order; an action that is not told of was done."""
    if decision.result is not Result.ACTED:
        return None
    done: dict[str, Any] = {"state": "done"}
    deeds = [
        {"action": key_of(action)} | decision.deeds.get(number, done)
        for number, action in enumerate(decision.rule.rule.then)
    ]
    return json.dumps(deeds, ensure_ascii=False, default=str)


def _matched(decision: Decision) -> dict[str, Any]:
    if decision.result is Result.FAILED:
        return decision.matched | {"attempt": decision.attempt}
    return decision.matched

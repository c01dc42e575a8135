"""What is due: rules that waited, failed rules to try again, and tasks whose clocks ran out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.events import EventType
from domain.tasks import UNDECIDED_STATES, TaskMove, TaskState, escalates, next_state
from router.assignment.handing_on import keep_escalation, widen
from router.cases.steps import go_on
from router.decide import Question
from router.loop import Router, answer_carefully
from router.moments import plan_moments, reach_moments
from router.passing import PASSING
from router.promises.counting import count_clocks
from router.promises.keeping import keep_promises
from router.retrying import retry_due
from router.routing import answer
from router.rulebook import RULES_VERSION
from router.sightings import load_campaigns, load_sightings
from router.staff import find_supervisors
from router.task_events import tell_of
from storage.event_store import record
from storage.pool import Connection

log = logging.getLogger("clytie.router")

WAITS: Final = ("hold", "retry")
CLOCKS: Final = ("decide_by", "due")

_DUE: Final = """
SELECT id, kind, payload, (SELECT value FROM house WHERE key = $4) AS rules_version
FROM timers WHERE due_at <= $1 AND kind = ANY ($2::text[]) ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_DELETE: Final = "DELETE FROM timers WHERE id = ANY ($1::bigint[])"
_TASKS: Final = """
SELECT id, kind, state, contact_id, campaign_id, conversation_id, case_id, assignee_id, team_id, decide_by, due, details
FROM tasks WHERE id = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED
"""
_ESCALATE: Final = """
UPDATE tasks SET state = given.state, assignee_id = given.assignee_id, escalated_at = $4, version = version + 1,
       details = CASE WHEN given.state = 'escalated' AND details ? 'steps'
                      THEN details || jsonb_build_object('step', jsonb_array_length(details -> 'steps') - 1)
                      ELSE details END
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS given (id, state, assignee_id)
WHERE tasks.id = given.id
"""
_REARM: Final = """
UPDATE timers SET due_at = given.due_at FROM unnest($1::bigint[], $2::timestamptz[]) AS given (id, due_at)
WHERE timers.id = given.id
"""


async def run_due_timers(router: Router) -> int:
    """Do what is due by the business clock; gives the number of timers, 0 when nothing was due."""
    await plan_moments(router)
    return (
        await count_clocks(router)
        + await keep_promises(router)
        + await reach_moments(router)
        + await _run_waits(router)
        + await _run_clocks(router)
        + await retry_due(router)
        + await go_on(router)
    )


async def _run_waits(router: Router) -> int:
    try:
        return await _ask_again(router, carefully=False)
    except PASSING:
        raise
    except Exception:
        log.exception("rules that waited cannot be asked together; they are asked one by one")
        return await _ask_again(router, carefully=True)


async def _ask_again(router: Router, *, carefully: bool) -> int:
    """Ask rules again whose wait is over. Rules that were switched off meanwhile are not asked."""
    now = router.clock.now()
    async with router.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_DUE, now, WAITS, router.settings.batch, RULES_VERSION)
        if not rows:
            return 0
        await connection.execute(_DELETE, [row["id"] for row in rows])  # one that waits on is set anew
        book = await router.book_of(connection, rows[0]["rules_version"])
        waited = [
            row["payload"] | {"kind": row["kind"]} for row in rows if row["payload"]["rule"] in book.by_name
        ]
        sightings = await load_sightings(
            connection,
            [item["event_id"] for item in waited],
            [datetime.fromisoformat(item["recorded_at"]) for item in waited],
        )
        await load_campaigns(connection, sightings.values())
        questions = [
            Question(
                sightings[item["event_id"]],
                [book.by_name[item["rule"]]],
                held=item["kind"] == "hold",
                attempt=item["attempt"],
            )
            for item in sorted(waited, key=lambda item: int(item["event_id"]))
            if item["event_id"] in sightings
        ]
        acted = False
        if carefully:
            for question in questions:
                acted |= await answer_carefully(connection, question, router)
        else:
            acted = await answer(connection, questions, now, router.settings)
    if acted:
        router.announcer.touch()
    return len(rows)


async def _run_clocks(router: Router) -> int:
    """Escalate tasks that nobody decided, and tell of those that are late, as `domain.tasks.escalates` says."""
    now = router.clock.now()
    async with router.pool.acquire() as connection, connection.transaction():
        timers = await connection.fetch(_DUE, now, CLOCKS, router.settings.batch, RULES_VERSION)
        if not timers:
            return 0
        ids = list({row["payload"]["task_id"] for row in timers})
        tasks = {row["id"]: row for row in await connection.fetch(_TASKS, ids)}
        there = {row["id"] for row in await connection.fetch("SELECT id FROM tasks WHERE id = ANY ($1)", ids)}
        done, later = [], []
        late: dict[int, str] = {}
        for timer in timers:
            task_id = timer["payload"]["task_id"]
            if task_id not in tasks:
                if task_id not in there:
                    done.append(timer["id"])
                continue  # somebody is moving it now; the timer stays for the next look
            at = tasks[task_id][timer["kind"]]
            if at > now:
                later.append((timer["id"], at))
                continue
            done.append(timer["id"])
            late[task_id] = timer["kind"]  # due comes after decide_by, and says more
        undecided = [
            dict(tasks[id])
            for id, clock in late.items()
            if clock == "decide_by" and TaskState(tasks[id]["state"]) in UNDECIDED_STATES
        ]
        until, supervisors, told = (
            await widen(connection, undecided, now, router.settings) if undecided else ({}, {}, [])
        )
        await record(connection, told)
        for timer in timers:
            task_id = timer["payload"]["task_id"]
            if task_id in until and timer["kind"] == "decide_by":
                done.remove(timer["id"])
                later.append((timer["id"], until[task_id]))
        passed_on = [(tasks[id], clock) for id, clock in late.items() if id not in until]
        acted = await _escalate(connection, passed_on, now, supervisors) or bool(told)
        await connection.execute(_DELETE, done)
        if later:
            await connection.execute(_REARM, [id for id, _ in later], [at for _, at in later])
    if acted:
        router.announcer.touch()
    return len(done) + len(later)


async def _escalate(
    connection: Connection, late: Sequence[tuple[Any, str]], now: datetime, asked: Mapping[int, int]
) -> bool:
    """`asked`: the supervisors that the steps of tasks name, by task."""
    moved = [(task, clock) for task, clock in late if escalates(TaskState(task["state"]), clock) is not None]
    if not moved:
        return False
    supervisors = await find_supervisors(connection, list({task["team_id"] for task, _ in moved}))
    states, assignees, events = [], [], []
    passed: list[tuple[Any, int | None]] = []
    for task, clock in moved:
        state, assignee = TaskState(task["state"]), task["assignee_id"]
        passed_on = escalates(state, clock)
        if passed_on:
            state = next_state(state, TaskMove.ESCALATE)
            assignee = asked.get(task["id"]) or supervisors.get(task["team_id"], assignee)
            passed.append((task, assignee))
        states.append(state.value)
        assignees.append(assignee)
        events.append(
            tell_of(
                task,
                EventType.TASK_ESCALATED,
                now,
                {
                    "clock": clock,
                    "from": task["assignee_id"],
                    "to": assignee,
                    "depth": task["details"].get("depth", 0),
                },
            )
        )
    await connection.execute(_ESCALATE, [task["id"] for task, _ in moved], states, assignees, now)
    await keep_escalation(connection, passed, now)
    await record(connection, events)
    return True


async def run_timers(router: Router, stop: asyncio.Event) -> None:
    """Do what is due until `stop` is set; looks every `poll_seconds`."""
    while not stop.is_set():
        try:
            if await run_due_timers(router):
                continue
        except PASSING as error:
            log.warning("timers are interrupted: %s: %s", type(error).__name__, error)
        except Exception:
            log.exception("timers failed; they go on")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), router.settings.poll_seconds)

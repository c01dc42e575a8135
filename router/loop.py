"""The loop that routes: lock some lanes, take what is pending in them, ask the rules, act, commit, announce.

A transaction that fails in the database is done again event by event, so that one poisonous event is set aside,
visibly, and its lane goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.clock import Clock
from router.closing import close_by_themselves
from router.decide import Question, fail
from router.passing import PASSING
from router.revisions import find_answered, tell_tasks
from router.routing import answer, fail_all
from router.rulebook import RULES_VERSION, CompiledRule, RuleBook, load_rule_book
from router.settings import RouterSettings
from router.sightings import EVENT_COLUMNS, Sighting, load_campaigns, read_sighting
from storage.announce import Announcer, Bell
from storage.pool import Connection, Pool

log = logging.getLogger("clytie.router")

_LOCK: Final = """
SELECT lane FROM router_lanes l
WHERE EXISTS (SELECT FROM pending_events p WHERE p.lane = l.lane)
ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# The version of the rules is read in the statement that reads the events: whoever recorded an event because of a new
# rule saw that rule, so this statement sees it too.
_TAKE: Final = f"""
WITH taken AS (
    DELETE FROM pending_events p
    USING unnest($1::smallint[]) AS mine (lane),
          LATERAL (SELECT event_id FROM pending_events q WHERE q.lane = mine.lane ORDER BY event_id LIMIT $2) AS head
    WHERE p.lane = mine.lane AND p.event_id = head.event_id
    RETURNING p.lane, p.event_id, p.recorded_at
)
SELECT taken.lane, (SELECT value FROM house WHERE key = '{RULES_VERSION}') AS rules_version, {EVENT_COLUMNS}
FROM taken
LEFT JOIN events e ON e.id = taken.event_id AND e.recorded_at = taken.recorded_at
LEFT JOIN hits h ON h.event_id = taken.event_id AND h.recorded_at = taken.recorded_at
ORDER BY taken.event_id
"""


@dataclass(slots=True)
class Router:
    """What routing needs; one per process. The book of rules is read again whenever its version has changed."""

    pool: Pool
    clock: Clock
    announcer: Announcer
    settings: RouterSettings = field(default_factory=RouterSettings)
    book: RuleBook = field(default_factory=lambda: RuleBook((), -1))

    async def book_of(self, connection: Connection, version: int | None) -> RuleBook:
        """The rules of this version, or of a newer one."""
        if self.book.version != (version or 0):
            self.book = await load_rule_book(connection)
        return self.book


async def route_once(router: Router) -> int:
    """Route what is pending in some free lanes; gives the number of events, 0 when there was nothing to do."""
    try:
        return await _route(router, carefully=False)
    except PASSING:
        raise
    except Exception:
        log.exception("a batch of events cannot be routed; its events are tried one by one")
        return await _route(router, carefully=True)


async def _route(router: Router, *, carefully: bool) -> int:
    settings = router.settings
    async with router.pool.acquire() as connection, connection.transaction():
        lanes = [row["lane"] for row in await connection.fetch(_LOCK, settings.lanes_at_once)]
        if not lanes:
            return 0
        rows = await connection.fetch(_TAKE, lanes, max(1, settings.batch // len(lanes)))
        if not rows:
            return 0
        book = await router.book_of(connection, rows[0]["rules_version"])
        sightings = [read_sighting(row) for row in rows if row["id"] is not None]
        closed = await close_by_themselves(connection, sightings, router.clock.now())
        questions = await _ask_whom(connection, book, sightings)
        judged = [question.sighting for question in questions if question.sighting.stands]
        acted = await tell_tasks(connection, judged, router.clock.now()) or closed
        if carefully:
            for question in questions:
                acted |= await answer_carefully(connection, question, router)
        else:
            acted |= await answer(connection, questions, router.clock.now(), settings)
    if acted:
        router.announcer.touch()
    return len(rows)


async def _ask_whom(connection: Connection, book: RuleBook, sightings: Sequence[Sighting]) -> list[Question]:
    wanted = [sighting for sighting in sightings if sighting.type in book.interests]
    await load_campaigns(connection, wanted)
    answered = await find_answered(connection, [sighting for sighting in wanted if sighting.stands])
    questions = []
    for sighting in wanted:
        rules: Sequence[CompiledRule] = book.candidates(sighting.type, sighting.campaign)
        if answered:
            rules = [rule for rule in rules if (sighting.id, rule.id) not in answered]
        questions.append(Question(sighting, rules))
    return questions


async def answer_carefully(connection: Connection, question: Question, router: Router) -> bool:
    """Answer one question in a savepoint of its own; an error becomes FAILED runs of its rules, tried again later."""
    now = router.clock.now()
    try:
        async with connection.transaction():
            return await answer(connection, [question], now, router.settings, carefully=True)
    except PASSING:
        raise
    except Exception as error:
        log.exception("event %s cannot be routed", question.sighting.id)
        if len(question.rules) > 1:  # find the rule that fails; the others act
            acted = False
            for rule in question.rules:
                alone = Question(question.sighting, [rule], question.held, question.attempt)
                acted |= await answer_carefully(connection, alone, router)
            return acted
        decisions = [fail(rule, question.sighting, error) for rule in question.rules]
        for decision in decisions:
            decision.attempt = question.attempt
        await fail_all(connection, decisions, now, router.settings)
        return False


async def run_router(router: Router, bell: Bell, stop: asyncio.Event) -> None:
    """Route until `stop` is set, with as many transactions side by side as the settings say."""
    async with asyncio.TaskGroup() as group:
        for number in range(router.settings.workers):
            group.create_task(_run(router, bell, stop), name=f"router-{number}")


async def _run(router: Router, bell: Bell, stop: asyncio.Event) -> None:
    async with bell.subscribed() as rung:
        while not stop.is_set():
            rung.clear()
            try:
                if await route_once(router):
                    continue
            except PASSING as error:
                log.warning("routing is interrupted: %s: %s", type(error).__name__, error)
                await asyncio.sleep(0.2)
            except Exception:
                log.exception("routing failed; it goes on")
                await asyncio.sleep(1)
            await wait_for(rung, stop, router.settings.poll_seconds)


async def wait_for(rung: asyncio.Event, stop: asyncio.Event, timeout: float) -> None:
    """Wait until the bell rings, the loop is to stop, or `timeout` seconds have passed."""
    waits = [asyncio.ensure_future(event.wait()) for event in (rung, stop)]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

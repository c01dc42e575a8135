"""Try actions again that failed, in a transaction each: the rule in the version that acted, the facts of today."""

from __future__ import annotations

import logging
from typing import Any, Final

from domain.errors import Conflict, NotFound
from router.actions import EXECUTORS
from router.actions.work import UNDER_WAY, Work
from router.confidence import is_sealed_from
from router.decide import Decision, Result
from router.deeds import tell_run, wait_after
from router.facts import load_facts
from router.loop import Router
from router.passing import PASSING
from router.routing import finish, load_people, plan_action
from router.rulebook import CompiledRule, compile_rule
from router.rules import Rule
from router.sightings import load_campaigns, load_sightings
from storage.pool import Connection

log = logging.getLogger("clytie.router")

_CLAIM: Final = """
SELECT d.id, d.key, d.rule_id, d.event_id, d.event_recorded_at, d.number, d.attempts, r.version, r.definition
FROM rule_deeds d LEFT JOIN rules r ON r.id = d.rule_id
WHERE d.state = 'due' AND d.payload = '{}'::jsonb AND d.due_at <= now()
ORDER BY d.due_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED
"""
_DONE: Final = (
    "UPDATE rule_deeds SET state = 'done', attempts = attempts + 1, settled_at = now() WHERE id = $1"
)
_AGAIN: Final = """
UPDATE rule_deeds SET state = CASE WHEN attempts + 1 >= $4 THEN 'failed' ELSE 'due' END, attempts = attempts + 1,
       due_at = now() + $3, trouble = $2, settled_at = CASE WHEN attempts + 1 >= $4 THEN now() END
WHERE id = $1
"""


async def retry_due(router: Router) -> int:
    """Try one action again that is due; gives how many were tried, 0 when none is due."""
    async with router.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_CLAIM)
        if row is None:
            return 0
        try:
            async with connection.transaction():
                work, deed = await _do(connection, row, router)
        except PASSING:
            raise
        except Exception as error:
            words = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
            log.warning("action %d of rule %s failed again: %s", row["number"], row["rule_id"], words)
            wait = wait_after(row["attempts"] + 1, router.settings)
            await connection.execute(_AGAIN, row["id"], words, wait, router.settings.attempts)
            return 1
        if deed["state"] != UNDER_WAY:  # then the row itself waits for whoever performs it
            await connection.execute(_DONE, row["id"])
        await tell_run(connection, row["event_id"], row["rule_id"], row["number"], **deed)
    if work.acted:
        router.announcer.touch()
    return 1


async def _do(connection: Connection, row: Any, router: Router) -> tuple[Work, dict[str, Any]]:
    if row["definition"] is None:
        raise NotFound("The rule is gone.")
    rule: CompiledRule = compile_rule(
        Rule.model_validate(row["definition"]), id=row["rule_id"], version=row["version"]
    )
    sightings = await load_sightings(connection, [row["event_id"]], [row["event_recorded_at"]])
    if row["event_id"] not in sightings:
        raise NotFound("The event is gone.")
    sighting = sightings[row["event_id"]]
    if await is_sealed_from(connection, row["rule_id"], sighting.conversation_id):
        raise NotFound("The conversation has become confidential.")
    now = router.clock.now()
    await load_campaigns(connection, [sighting])
    await load_facts(connection, [(sighting, [rule])], now, router.settings)
    key = row["key"].removesuffix(f":{sighting.id}:{row['number']}")
    decision = Decision(rule, sighting, Result.ACTED, key=key)
    work = Work(connection, now, await load_people(connection, [decision], now, router.settings))
    planned = plan_action(work, decision, row["number"])
    await EXECUTORS[type(rule.rule.then[row["number"]])].execute(work, [planned])
    if work.troubles:
        raise Conflict(work.troubles[0].words)
    await finish(work, router.settings)
    return work, decision.deeds.get(row["number"], {"state": "done"})

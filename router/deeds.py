"""Actions that were put down: those that failed and are tried again, and those that reach outside of the house.

A row of rule_deeds is an action of a rule on an event. What happens within the house is done in one transaction with its
row. What reaches outside (a webhook) is claimed first and done after that commit, at least once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from router.actions.work import Errand, Trouble
from router.settings import RouterSettings
from router.then import key_of
from storage.pool import Connection

_PUT_DOWN: Final = """
INSERT INTO rule_deeds (key, rule_id, event_id, event_recorded_at, number, action, contact_id, case_id, conversation_id,
                        attempts, due_at, trouble)
SELECT key, rule_id, event_id, event_recorded_at, number, action, contact_id, case_id, conversation_id, 1, now() + $11,
       trouble
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::smallint[], $6::text[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::text[])
  AS given (key, rule_id, event_id, event_recorded_at, number, action, contact_id, case_id, conversation_id, trouble)
ON CONFLICT (key) DO NOTHING
"""


async def put_down(connection: Connection, troubles: Sequence[Trouble], settings: RouterSettings) -> None:
    """Keep actions that failed, to be tried again."""
    if not troubles:
        return
    rows = [(*_facts(trouble), trouble.words) for trouble in troubles]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(_PUT_DOWN, *columns, settings.retry_after)


#: A row that is there waits for another attempt of planning it, which has come to this.
_ERRANDS: Final = """
INSERT INTO rule_deeds AS d (key, rule_id, event_id, event_recorded_at, number, action, contact_id, case_id,
                             conversation_id, due_at, payload)
SELECT key, rule_id, event_id, event_recorded_at, number, action, contact_id, case_id, conversation_id, now(),
       payload::jsonb
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::smallint[], $6::text[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::text[])
  AS given (key, rule_id, event_id, event_recorded_at, number, action, contact_id, case_id, conversation_id, payload)
ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, due_at = now(), attempts = 0, state = 'due', trouble = ''
  WHERE d.payload = '{}'::jsonb
"""


async def put_errands(connection: Connection, errands: Sequence[Errand]) -> None:
    """Keep what is to be done after this transaction."""
    if not errands:
        return
    rows = [
        (*_facts(errand), json.dumps(errand.payload, ensure_ascii=False, default=str)) for errand in errands
    ]
    await connection.execute(_ERRANDS, *[list(column) for column in zip(*rows, strict=True)])


def _facts(one: Trouble | Errand) -> tuple[Any, ...]:
    decision, sighting = one.decision, one.decision.sighting
    return (
        f"{decision.key}:{sighting.id}:{one.number}",
        decision.rule.id,
        sighting.id,
        sighting.recorded_at,
        one.number,
        key_of(decision.rule.rule.then[one.number]),
        sighting.contact_id,
        sighting.case_id,
        sighting.conversation_id,
    )


_TELL: Final = """
UPDATE rule_runs SET deeds = jsonb_set(deeds, ARRAY[$3::int::text], ((deeds -> $3::int) - 'reason') || $4::text::jsonb)
WHERE event_id = $1 AND rule_id = $2 AND result = 'acted' AND deeds -> $3::int IS NOT NULL
"""


async def tell_run(
    connection: Connection, event_id: int, rule_id: int, number: int, *, state: str, reason: str = ""
) -> None:
    """Say in the run log what became of an action that was put down: done, nothing, failed, under way."""
    now = {"state": state} | ({"reason": reason} if reason else {})
    await connection.execute(_TELL, event_id, rule_id, number, json.dumps(now, ensure_ascii=False))


def wait_after(attempts: int, settings: RouterSettings) -> timedelta:
    """How long to wait after so many attempts: four times as long each time, a day at most."""
    factor: int = 4 ** min(attempts - 1, 20)
    return min(settings.retry_after * factor, timedelta(days=1))

"""Whoever does what rules put down: letters and notices in one transaction each, webhooks outside of any.

Inside of the house an errand is done and settled in one transaction, so it is done once. What leaves the house is claimed
first (committed), then performed, then settled: a crash in between makes it performed again when the claim has run out, so
it is done at least once, under the same id. A result counts only for the claim that it belongs to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.clock import Clock
from domain.errors import ClytieError
from domain.events import NewEvent
from router.actions.work import UNDER_WAY
from router.confidence import is_sealed_from
from router.deeds import tell_run, wait_after
from router.passing import PASSING
from router.settings import RouterSettings
from storage.announce import Announcer
from storage.event_store import record
from storage.pool import Connection, Pool

log = logging.getLogger("clytie.router")

_COLUMNS: Final = (
    "id, key, rule_id, event_id, number, action, contact_id, case_id, conversation_id, attempts, payload"
)
_NEXT: Final = f"""
SELECT {_COLUMNS} FROM rule_deeds
WHERE state = 'due' AND payload <> '{{}}'::jsonb AND due_at <= now() AND action = ANY ($1::text[])
ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_CLAIM: Final = f"""
UPDATE rule_deeds SET attempts = attempts + 1, due_at = now() + $3 WHERE id = ANY (
    SELECT id FROM rule_deeds
    WHERE state = 'due' AND payload <> '{{}}'::jsonb AND due_at <= now() AND action = ANY ($1::text[])
    ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
"""
#: What was said lies with the message from then on, and not here. $2 attempts that the claim counted; a row that was claimed anew, tried again or given up meanwhile stays as it is
_SETTLE: Final = """
UPDATE rule_deeds SET state = $3, trouble = $4, attempts = $5, due_at = now() + $6,
       settled_at = CASE WHEN $3 <> 'due' THEN now() END,
       payload = CASE WHEN $3 = 'done' THEN '{"settled": true}'::jsonb ELSE payload END
WHERE id = $1 AND attempts = $2 AND state = 'due' RETURNING true
"""
_HIDDEN: Final = """
SELECT EXISTS (SELECT FROM conversations v JOIN queues q ON q.id = v.queue_id WHERE v.id = $1 AND q.confidential)
    OR EXISTS (SELECT FROM cases k WHERE k.id = $2 AND k.confidential)
"""
#: errands done in one transaction
_AT_ONCE: Final = 20


class NotNow(ClytieError):
    """It could not be done now. `final`: nor later; `after`: when the other side wants to be asked again."""

    def __init__(self, words: str, *, final: bool = False, after: timedelta | None = None) -> None:
        super().__init__(words)
        self.final = final
        self.after = after


@dataclass(frozen=True, slots=True)
class Task:
    """An errand to do: the deed's row. `attempts` counts those before this one."""

    id: int
    key: str
    rule_id: int
    event_id: int
    number: int
    action: str
    contact_id: int | None
    case_id: int | None
    conversation_id: int | None
    attempts: int
    payload: Mapping[str, Any]


@dataclass(slots=True)
class Outcome:
    """What became of an errand: done, or nothing, with the reason; and the events that tell of it."""

    state: str = "done"
    reason: str = ""
    events: list[NewEvent] = field(default_factory=list)

    @classmethod
    def nothing(cls, reason: str) -> Outcome:
        """It must not be done, and that is fine: the run log says why."""
        return cls("nothing", reason)


Inside = Callable[[Connection, Task, datetime], Awaitable[Outcome]]
"""Does an errand in the caller's transaction, at a business time. Raises ClytieError to be tried again."""
Outside = Callable[[Task], Awaitable[Outcome]]
"""Does an errand in no transaction. Raises NotNow."""


@dataclass(slots=True)
class Performer:
    """What doing errands takes: how each action is done, inside or outside of the house."""

    pool: Pool
    clock: Clock
    announcer: Announcer
    settings: RouterSettings
    inside: Mapping[str, Inside] = field(default_factory=dict)
    outside: Mapping[str, Outside] = field(default_factory=dict)

    async def perform_inside(self) -> bool:
        """Do some errands inside of the house; true when there may be more."""
        if not self.inside:
            return False
        async with self.pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_NEXT, list(self.inside), _AT_ONCE)
            for row in rows:
                await self._do_inside(connection, Task(**row))
        if rows:
            self.announcer.touch()
        return len(rows) == _AT_ONCE

    async def _do_inside(self, connection: Connection, task: Task) -> None:
        now = self.clock.now()
        try:
            async with connection.transaction():
                if await is_sealed_from(connection, task.rule_id, task.conversation_id):
                    outcome = Outcome.nothing("the conversation has become confidential")
                else:
                    outcome = await self.inside[task.action](connection, task, now)
                await record(connection, outcome.events)
        except PASSING:
            raise
        except Exception as error:
            await self._put_off(connection, task, task.attempts, error)
            return
        await self._settle(connection, task, task.attempts, outcome)

    async def perform_outside(self) -> bool:
        """Do some errands outside of the house, side by side; true when there may be more."""
        if not self.outside:
            return False
        most = self.settings.webhooks.at_once
        lease = timedelta(seconds=2 * self.settings.webhooks.timeout + 30)
        rows = await self.pool.fetch(_CLAIM, list(self.outside), most, lease)
        ends = await asyncio.gather(*(self._do_outside(Task(**row)) for row in rows), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        if rows:
            self.announcer.touch()
        return len(rows) == most

    async def _do_outside(self, task: Task) -> None:
        outcome: Outcome | None = None
        error: Exception = NotNow("not tried")
        try:
            if await self.pool.fetchval(_HIDDEN, task.conversation_id, task.case_id):
                outcome = Outcome.nothing("what is confidential is told to nobody outside")
            else:
                outcome = await self.outside[task.action](task)
        except PASSING as passing:
            if not isinstance(passing, OSError | TimeoutError):
                raise
            error = passing
        except Exception as failed:
            error = failed
        async with self.pool.acquire() as connection, connection.transaction():
            if outcome is None:
                await self._put_off(connection, task, task.attempts, error)
            else:
                await self._settle(connection, task, task.attempts, outcome)

    async def _settle(self, connection: Connection, task: Task, claim: int, outcome: Outcome) -> None:
        attempts = claim if task.action in self.outside else claim + 1
        settled = await connection.fetchval(
            _SETTLE, task.id, claim, "done", outcome.reason, attempts, timedelta()
        )
        if settled:
            await self._tell(connection, task, outcome.state, outcome.reason)

    async def _put_off(self, connection: Connection, task: Task, claim: int, error: Exception) -> None:
        attempts = claim if task.action in self.outside else claim + 1
        words = _words(error)
        final = attempts >= self.settings.attempts or (isinstance(error, NotNow) and error.final)
        wait = wait_after(attempts, self.settings)
        if isinstance(error, NotNow) and error.after is not None:
            wait = min(max(wait, error.after), timedelta(days=1))
        log.warning("%s of rule %s on event %s failed: %s", task.action, task.rule_id, task.event_id, words)
        state = "failed" if final else "due"
        if await connection.fetchval(_SETTLE, task.id, claim, state, words, attempts, wait):
            await self._tell(connection, task, "failed" if final else UNDER_WAY, words)

    async def _tell(self, connection: Connection, task: Task, state: str, reason: str) -> None:
        await tell_run(connection, task.event_id, task.rule_id, task.number, state=state, reason=reason)


def _words(error: Exception) -> str:
    """The error for people: our own say all in their words."""
    text = str(error) if isinstance(error, ClytieError) else f"{type(error).__name__}: {error}"
    return text.removesuffix(": ")[:500].replace("\x00", "")

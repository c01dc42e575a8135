"""The queue of one worker: claim rows, settle and mark them in one statement, release them, sweep after others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg

from domain.events import EventType
from domain.messages import DeliveryState, Outbound, Outcome
from outbox import statements
from storage.pool import Connection

_EVENTS: Final[Mapping[DeliveryState, str]] = {
    DeliveryState.SENT: EventType.SENT.value,
    DeliveryState.DEFERRED: EventType.DEFERRED.value,
    DeliveryState.REJECTED: EventType.REJECTED.value,
}


@dataclass(slots=True)
class Claimed:
    """A row that this worker claimed. `message` is what will go out, or None with a `refusal`."""

    message_id: int
    attempt: int  #: attempts so far
    campaign_id: int
    contact_id: int
    address: str
    kind: str  #: of the address: mail or phone
    message: Outbound | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome and what follows from it."""

    outcome: Outcome
    delay: float | None = None  #: seconds until the next attempt, for a deferred one
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What one statement did."""

    marked: set[int] = field(default_factory=set)  #: these are `sending` now, and ours
    refused: dict[int, str] = field(default_factory=dict)  #: these were rejected, for this reason
    settled: int = 0  #: results that counted; others came too late


def monotonic() -> float:
    """Seconds that go on while the process is stopped and, where the system can tell, while the machine sleeps."""
    return _read_clock(_CLOCK)


_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_read_clock = time.clock_gettime


async def prepare(connection: Connection) -> None:
    """Set a connection up for the statements of the outbox; released to its pool, it forgets about it."""
    await connection.execute(statements.PREPARE)


async def claim(
    connection: Connection, worker: str, campaign_id: int, count: int, lease: float, after: int = 0
) -> list[asyncpg.Record]:
    """Claim up to `count` rows of a running campaign for `lease` seconds: queued ones with ids above `after`,
    else deferred ones whose time has come, else queued ones from the beginning.

    Gives message_id, attempt, email (the address), tracking_level, contact_id and the contact's columns (id is None when the
    contact is gone).
    """
    rows = await connection.fetch(statements.CLAIM_QUEUED, worker, campaign_id, count, lease, after)
    if not rows:
        rows = await connection.fetch(statements.CLAIM_DEFERRED, worker, campaign_id, count, lease)
    if not rows and after:
        rows = await connection.fetch(statements.CLAIM_QUEUED, worker, campaign_id, count, lease, 0)
    return rows


async def settle_and_mark(
    connection: Connection,
    worker: str,
    results: Sequence[Result],
    wanted: Sequence[Claimed],
    lease: float,
    now: datetime,
) -> Step:
    """Settle `results` and mark `wanted` for `lease` seconds, in one statement; `now` is the business time.

    Safe to repeat with the same arguments when the answer was lost.
    """
    outcomes = [result.outcome for result in results]
    rows = await connection.fetch(
        statements.SETTLE_AND_MARK,
        worker,
        [outcome.key for outcome in outcomes],
        [outcome.attempt for outcome in outcomes],
        [_state(result) for result in results],
        [outcome.reason or None for outcome in outcomes],
        [outcome.reply or None for outcome in outcomes],
        [result.delay for result in results],
        [
            EventType.FAILED.value if result.given_up else _EVENTS.get(result.outcome.state)
            for result in results
        ],
        [row.message_id for row in wanted],
        [row.attempt for row in wanted],
        [row.campaign_id for row in wanted],
        [row.contact_id for row in wanted],
        [row.address for row in wanted],
        [row.kind for row in wanted],
        [row.refusal for row in wanted],
        lease,
        now,
    )
    step = Step(settled=int(rows.pop()[1]))
    for message_id, reason in rows:
        if reason is None:
            step.marked.add(message_id)
        else:
            step.refused[message_id] = reason
    return step


def _state(result: Result) -> str:
    return DeliveryState.REJECTED.value if result.given_up else result.outcome.state.value


async def release(connection: Connection, worker: str, rows: Sequence[Claimed]) -> None:
    """Give claimed rows back to the queue; those that are not ours any more stay as they are."""
    if rows:
        await connection.execute(statements.RELEASE, worker, [row.message_id for row in rows])


async def reserve(connection: Connection, campaign_id: int, count: int, rate: float) -> float:
    """Reserve `count` places in a campaign's pace of `rate` messages per second over all workers.

    Gives the seconds to wait before the first of them may be marked (zero or less: now).
    """
    return float(await connection.fetchval(statements.RESERVE, campaign_id, count, rate))


async def sweep(connection: Connection, limit: int = 1000) -> tuple[int, int]:
    """Requeue claimed rows and make `sending` rows uncertain where the lease ran out; gives how many of each."""
    requeued = await connection.fetch(statements.SWEEP_CLAIMED, limit)
    uncertain = await connection.fetch(statements.SWEEP_SENDING, limit)
    return len(requeued), len(uncertain)

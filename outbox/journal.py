"""What happened to a message on its way out: every attempt, with the relay and the server's words; what waits, and why.

Attempts that did not end a delivery are in delivery_attempts; the last one is the delivery itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from domain.messages import DeliveryState
from storage.pool import Connection, Pool

_DELIVERIES: Final = """
SELECT d.message_id, d.address, d.state, d.attempt, d.not_before, d.settled_at, d.reason, d.reply, d.relay
FROM deliveries AS d
WHERE d.message_id = $1 OR d.message_id IN (SELECT message_id FROM letters WHERE copy_of = $1)
ORDER BY d.message_id
"""
_ATTEMPTS: Final = """
SELECT message_id, attempt, settled_at, relay, state, reason, reply FROM delivery_attempts
WHERE message_id = ANY($1::bigint[]) ORDER BY message_id, attempt
"""
_WAITING: Final = """
SELECT reason, count(*), min(not_before) AS next_at FROM deliveries
WHERE campaign_id = $1 AND reason IS NOT NULL AND state = 'queued' GROUP BY reason ORDER BY count(*) DESC
"""
_DONE: Final = frozenset({DeliveryState.SENT, DeliveryState.REJECTED, DeliveryState.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: number (0: refused before anything was tried), when it ended, the relay, what came of it and why, and
    the server's words."""

    number: int
    at: datetime | None
    relay: str
    state: DeliveryState
    reason: str
    reply: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The delivery to one recipient as it stands, and how it came there. `not_before`: when it is tried (again)."""

    message_id: int
    address: str
    state: DeliveryState
    reason: str
    not_before: datetime | None
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of a campaign that wait for a reason of outbox.traffic.HOLD_REASONS, and when the first is looked at."""

    reason: str
    count: int
    next_at: datetime | None


async def journal(connection: Connection | Pool, message_id: int) -> list[Attempt]:
    """The attempts to deliver one message, in order; empty for one that was not tried, or does not exist."""
    for one in await journals(connection, message_id):
        if one.message_id == message_id:
            return list(one.attempts)
    return []


async def journals(connection: Connection | Pool, message_id: int) -> list[Journal]:
    """The deliveries of a letter to all its recipients (one for a message of a campaign), with their attempts."""
    deliveries = await connection.fetch(_DELIVERIES, message_id)
    attempts: dict[int, list[Attempt]] = {row["message_id"]: [] for row in deliveries}
    for row in await connection.fetch(_ATTEMPTS, list(attempts)):
        attempts[row["message_id"]].append(_attempt(row))
    for row in deliveries:
        known = attempts[row["message_id"]]
        last = _attempt(row)
        if last.state in _DONE and (last.number, last.state) not in [
            (one.number, one.state) for one in known
        ]:
            known.append(last)
    return [
        Journal(
            row["message_id"],
            row["address"],
            DeliveryState(row["state"]),
            row["reason"] or "",
            row["not_before"] if row["state"] in ("queued", "deferred") else None,
            attempts[row["message_id"]],
        )
        for row in deliveries
    ]


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        row["attempt"],
        row["settled_at"],
        row["relay"] or "",
        DeliveryState(row["state"]),
        row["reason"] or "",
        row["reply"] or "",
    )


async def list_waiting(connection: Connection | Pool, campaign_id: int) -> list[Waiting]:
    """What of a campaign waits for a limit or a rest, by reason."""
    return [Waiting(*row) for row in await connection.fetch(_WAITING, campaign_id)]

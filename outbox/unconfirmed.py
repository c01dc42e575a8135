"""Deliveries that nobody knows the end of: listed, settled by a bounce, a callback or a person, queued by a person.

A late answer settles them, too (outbox/statements.py). Only `queue_again` can lead to a second copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.campaigns import CampaignMove, CampaignState, next_state
from domain.clock import Clock
from domain.errors import Conflict, NotFound
from domain.events import EventType, NewEvent
from domain.messages import DeliveryState, Mover, may_move
from outbox.addresses import LETTERS
from outbox.ranges import reopen
from storage.announce import Announcer
from storage.pool import Connection, Pool, transaction
from storage.unit_of_work import UnitOfWork, unit_of_work

_LIST: Final = """
SELECT message_id, contact_id, address, reason, settled_at FROM deliveries
WHERE campaign_id = $1 AND reason IS NOT NULL AND state = 'uncertain' AND message_id > $2
ORDER BY message_id LIMIT $3
"""

_SETTLE: Final = """
UPDATE deliveries SET state = $2, reason = $3, settled_at = now(), worker = NULL
WHERE message_id = $1 AND state = 'uncertain'
RETURNING contact_id, campaign_id, (SELECT conversation_id FROM messages WHERE id = $1)
"""

_HOLD: Final = "SELECT FROM deliveries WHERE message_id = $1 FOR NO KEY UPDATE"
_LOCK_CAMPAIGN: Final = "SELECT state FROM campaigns WHERE id = $1 FOR NO KEY UPDATE"
_REOPEN: Final = "UPDATE campaigns SET state = $2, finished_at = NULL WHERE id = $1"
#: Whoever settles the row at this moment holds it, and may wait for the campaign that is locked here.
_QUEUE: Final = """
WITH found AS MATERIALIZED (
    SELECT message_id FROM deliveries WHERE message_id = $1 AND state = 'uncertain' FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deliveries AS d
SET state = 'queued', reason = NULL, worker = NULL, lease_until = NULL, not_before = NULL, settled_at = NULL
FROM found WHERE d.message_id = found.message_id RETURNING true
"""

#: A sender settles in its own statement, where the attempt is compared.
_MOVERS: Final = frozenset({Mover.CALLBACK, Mover.PERSON})
_EVENTS: Final = {DeliveryState.SENT: EventType.SENT, DeliveryState.REJECTED: EventType.REJECTED}


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A delivery that may have arrived. `since`: when we lost sight of it."""

    message_id: int
    contact_id: int | None
    address: str
    reason: str
    since: datetime


async def list_unconfirmed(
    connection: Connection | Pool, campaign_id: int, *, after: int = 0, limit: int = 100
) -> Sequence[Unconfirmed]:
    """Unconfirmed deliveries of a campaign, by message id, at most `limit` above `after`."""
    return [Unconfirmed(*row) for row in await connection.fetch(_LIST, campaign_id, after, limit)]


async def settle_unconfirmed(
    pool: Pool,
    message_id: int,
    state: DeliveryState,
    mover: Mover,
    clock: Clock,
    *,
    reason: str = "",
    actor_id: int | None = None,
    announcer: Announcer | None = None,
) -> None:
    """Say what became of an unconfirmed delivery: SENT or REJECTED. The event is told with it.

    Raises NotFound, and Conflict when the delivery is not unconfirmed (any more) or `mover` may not do that.
    """
    async with unit_of_work(pool, announcer) as work:
        await settle_reported(work, message_id, state, mover, clock.now(), reason=reason, actor_id=actor_id)


async def hold_delivery(connection: Connection, message_id: int) -> None:
    """Nobody else settles this delivery until the transaction ends. Taken before all that belongs to it, as senders do:
    two orders of locks would make PostgreSQL end one of both again and again."""
    await connection.execute(_HOLD, message_id)


async def settle_reported(
    work: UnitOfWork,
    message_id: int,
    state: DeliveryState,
    mover: Mover,
    now: datetime,
    *,
    reason: str = "",
    actor_id: int | None = None,
) -> None:
    """As settle_unconfirmed, in the caller's work."""
    event = _EVENTS.get(state)
    if event is None or mover not in _MOVERS or not may_move(DeliveryState.UNCERTAIN, state, mover):
        raise Conflict(f"An unconfirmed delivery cannot become {state.value} by a {mover.value}.")
    stored = None if state is DeliveryState.SENT else reason or state.value
    row = await work.connection.fetchrow(_SETTLE, message_id, state, stored)
    if row is None:
        if await work.connection.fetchval("SELECT true FROM deliveries WHERE message_id = $1", message_id):
            raise Conflict("This delivery is settled already.")
        raise NotFound(f"There is no delivery of message {message_id}.")
    work.tell(
        NewEvent(
            event,
            now,
            row["contact_id"],
            message_id,
            row["campaign_id"] or None,
            row["conversation_id"],
            actor_id=actor_id,
            data={"reason": stored} if stored else {},
        )
    )


async def queue_again(pool: Pool, message_id: int, announcer: Announcer | None = None) -> None:
    """Send an unconfirmed message again, because a person says so; its campaign runs again when it was done.

    Raises NotFound, and Conflict when the delivery is not unconfirmed (any more) or its campaign was cancelled.
    """
    async with transaction(pool) as connection:
        row = await connection.fetchrow(
            "SELECT campaign_id FROM deliveries WHERE message_id = $1", message_id
        )
        if row is None:
            raise NotFound(f"There is no delivery of message {message_id}.")
        await _run_again(connection, row["campaign_id"])
        if not await connection.fetchval(_QUEUE, message_id):
            raise Conflict("This delivery is settled already.")
        await reopen(connection, row["campaign_id"], message_id)
    if announcer is not None:
        announcer.touch()


async def _run_again(connection: Connection, campaign_id: int | None) -> None:
    """Lock the campaign, and see to it that what is queued in it will be sent. Letters have none."""
    if campaign_id == LETTERS:
        return
    state = await connection.fetchval(_LOCK_CAMPAIGN, campaign_id)
    if state is None or state == CampaignState.CANCELLED.value:
        raise Conflict("The campaign was cancelled; nothing of it is sent again.")
    if state == CampaignState.DONE.value:
        await connection.execute(
            _REOPEN, campaign_id, next_state(CampaignState.DONE, CampaignMove.REOPEN).value
        )

"""Deliveries that nobody knows the end of: listed, and settled by a bounce, a callback or a person. Never by us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.clock import Clock
from domain.errors import Conflict, NotFound
from domain.events import EventType, NewEvent
from domain.messages import DeliveryState, Mover, may_move
from storage.announce import Announcer
from storage.pool import Connection, Pool
from storage.unit_of_work import unit_of_work

_LIST: Final = """
SELECT message_id, contact_id, address, reason, settled_at FROM deliveries
WHERE campaign_id = $1 AND reason IS NOT NULL AND state = 'uncertain' AND message_id > $2
ORDER BY message_id LIMIT $3
"""

_SETTLE: Final = """
UPDATE deliveries SET state = $2, reason = $3, settled_at = now(), worker = NULL
WHERE message_id = $1 AND state = 'uncertain' RETURNING contact_id, campaign_id
"""

_EVENTS: Final = {DeliveryState.SENT: EventType.SENT, DeliveryState.REJECTED: EventType.REJECTED}


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A delivery that may have arrived. `since`: when we lost sight of it."""

    message_id: int
    contact_id: int
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
    event = _EVENTS.get(state)
    if event is None or not may_move(DeliveryState.UNCERTAIN, state, mover):
        raise Conflict(f"An unconfirmed delivery cannot become {state.value} by a {mover.value}.")
    async with unit_of_work(pool, announcer) as work:
        stored = None if state is DeliveryState.SENT else reason or state.value
        row = await work.connection.fetchrow(_SETTLE, message_id, state, stored)
        if row is None:
            if await work.connection.fetchval(
                "SELECT true FROM deliveries WHERE message_id = $1", message_id
            ):
                raise Conflict("This delivery is settled already.")
            raise NotFound(f"There is no delivery of message {message_id}.")
        work.tell(
            NewEvent(
                event,
                clock.now(),
                row["contact_id"],
                message_id,
                row["campaign_id"],
                actor_id=actor_id,
                data={"reason": stored} if stored else {},
            )
        )

"""Deliveries that nobody knows the end of, settled by people and programs."""

from __future__ import annotations

from typing import Final, Literal

from domain.errors import NotFound
from domain.messages import DeliveryState, Mover
from outbox.unconfirmed import queue_again, settle_unconfirmed
from web.context import WebContext
from web.i18n import N_
from web.people import Person

_BELONGS: Final = "SELECT true FROM deliveries WHERE message_id = $1 AND campaign_id = $2"
Fate = Literal["sent", "rejected", "queued"]


async def settle_delivery(
    context: WebContext, person: Person, campaign_id: int, message_id: int, fate: Fate, reason: str = ""
) -> None:
    """Say what became of an unconfirmed delivery of a campaign: `sent`, `rejected`, or `queued` to send it again.

    Raises NotFound, and Conflict when it was settled in the meantime.
    """
    if not await context.pool.fetchval(_BELONGS, message_id, campaign_id):
        raise NotFound(N_("This campaign has no such delivery."))
    if fate == "queued":
        await queue_again(context.pool, message_id, context.announcer)
        return
    await settle_unconfirmed(
        context.pool,
        message_id,
        DeliveryState(fate),
        Mover.PERSON,
        context.clock,
        reason=reason,
        actor_id=person.id,
        announcer=context.announcer,
    )

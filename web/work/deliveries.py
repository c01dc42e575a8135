"""Deliveries that nobody knows the end of, settled by people and programs."""

from __future__ import annotations

from typing import Final, Literal, cast, get_args

from domain.errors import InvalidInput, NotFound
from domain.messages import DeliveryState, Mover
from outbox.unconfirmed import queue_again, settle_unconfirmed
from web.access.people import Person
from web.context import WebContext
from web.i18n import N_

_BELONGS: Final = "SELECT true FROM deliveries WHERE message_id = $1 AND campaign_id = $2"
_OF_LETTER: Final = "SELECT true FROM letters WHERE message_id = $1 AND (message_id = $2 OR copy_of = $2)"
Fate = Literal["sent", "rejected", "queued"]


def read_fate(text: str) -> Fate:
    """What a form says became of a delivery. Raises InvalidInput."""
    if text not in get_args(Fate):
        raise InvalidInput(
            "fate", N_("This value is not one of those allowed."), N_("Choose one from the list.")
        )
    return cast(Fate, text)


async def settle_delivery(
    context: WebContext, person: Person, campaign_id: int, message_id: int, fate: Fate, reason: str = ""
) -> None:
    """Say what became of an unconfirmed delivery of a campaign: `sent`, `rejected`, or `queued` to send it again.

    Raises NotFound, and Conflict when it was settled in the meantime.
    """
    if not await context.pool.fetchval(_BELONGS, message_id, campaign_id):
        raise NotFound(N_("This campaign has no such delivery."))
    await _settle(context, person, message_id, fate, reason)


async def settle_answer(
    context: WebContext, person: Person, letter_id: int, message_id: int, fate: Fate
) -> None:
    """The same for one recipient of an answer that this person may see. Raises NotFound, Conflict."""
    if not await context.pool.fetchval(_OF_LETTER, message_id, letter_id):
        raise NotFound(N_("This message has no such delivery."))
    await _settle(context, person, message_id, fate, "")


async def _settle(context: WebContext, person: Person, message_id: int, fate: Fate, reason: str) -> None:
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

"""Campaigns by SMS before they are sent: whom they reach, how a phone shows them, and one to a phone of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from campaigns.audience import load_condition
from campaigns.drafts import Campaign
from campaigns.reach import Reach, count_reach
from campaigns.text_trial import TextPreview, preview_text, send_trial
from contacts.directory import load_contacts
from domain.conditions import Condition
from domain.consent import Purpose
from domain.errors import InvalidInput
from web.access.people import Person
from web.context import WebContext
from web.i18n import N_
from web.work.campaign_preview import INVENTED, sample_audience

_PHONE: Final = "SELECT phone FROM users WHERE id = $1"


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text as one contact would get it, and whom else it can be shown for; no contact when nobody is in the segment."""

    shown: TextPreview
    contact: Mapping[str, Any] | None
    samples: Sequence[Mapping[str, Any]]


async def read_reach(
    context: WebContext, segment_id: int | None, purpose: Purpose, condition: Condition | None = None
) -> Reach:
    """Who of a segment would get a short message now. Raises InvalidInput."""
    async with context.pool.acquire() as connection:
        if condition is None:
            condition = await load_condition(connection, segment_id)
        hours = context.kitchen.settings.text_hours
        return await count_reach(connection, condition, purpose, context.clock.now(), hours)


async def show_text(context: WebContext, campaign: Campaign, contact_id: int | None = None) -> ShownText:
    """Write the text for one contact, the first of the audience unless chosen. Raises InvalidInput."""
    samples = await sample_audience(context, campaign)
    chosen = next((sample for sample in samples if sample["id"] == contact_id), None)
    if chosen is None and contact_id:
        chosen = (await load_contacts(context.pool, [contact_id])).get(contact_id)
    if chosen is None and samples:
        chosen = samples[0]
    shown = await preview_text(campaign, context.kitchen, chosen or INVENTED)
    return ShownText(shown, chosen, samples)


async def own_phone(context: WebContext, person: Person) -> str:
    """The person's own number; empty when none is kept, or when it is a phone in a browser."""
    number = await context.pool.fetchval(_PHONE, person.id)
    return number if number and number.startswith("+") else ""


async def send_to_oneself(
    context: WebContext, person: Person, campaign: Campaign, contact_id: int | None, to: str = ""
) -> int:
    """Send the text as one contact would get it to one's own phone, or to the number given. Raises InvalidInput."""
    number = to.strip() or await own_phone(context, person)
    if not number:
        raise InvalidInput(
            "to", N_("No phone of yours is known."), N_("Give a number, or set yours on your account's page.")
        )
    text = await show_text(context, campaign, contact_id)
    return await send_trial(context.pool, context.clock, text.shown, number, person.id, context.announcer)

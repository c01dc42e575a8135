"""What a campaign of short messages takes, before it is sent: parts of the text, and their price."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from campaigns.audience import load_condition, select_audience
from campaigns.drafts import load_campaign
from channels.sms.costs import Estimate, Prices, estimate_by_country
from channels.sms.lookalikes import Replacement, replace_lookalikes
from channels.sms.numbers import country_of
from channels.sms.segments import count
from domain.clock import Clock
from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.messages import ChannelKind
from outbox.composing import MailKitchen
from storage.pool import Pool
from templates.preview import preview
from templates.texts import read_text_source

_SAMPLES: Final = 20
_CONTACTS: Final = (
    "SELECT c.*, a.address AS email FROM ({}) AS a JOIN contacts AS c ON c.id = a.contact_id LIMIT {}"
)


@dataclass(frozen=True, slots=True)
class CampaignWeight:
    """`estimate` goes by the longest of the `samples`, texts as some recipients would read them; `replacements` are the
    look-alikes that would make it smaller, or that were replaced because the template asks for it."""

    estimate: Estimate
    samples: tuple[str, ...]
    replacements: tuple[Replacement, ...]


async def weigh_campaign(
    pool: Pool, campaign_id: int, kitchen: MailKitchen, clock: Clock, prices: Prices
) -> CampaignWeight:
    """Parts and price of a campaign of short messages to its audience as it is now.

    Raises NotFound, and InvalidInput for another channel, a template that cannot be used, or a missing segment.
    """
    async with pool.acquire() as connection:
        campaign = await load_campaign(connection, campaign_id)
        if campaign.channel is not ChannelKind.SMS:
            raise InvalidInput("channel", "this campaign does not go by short messages.")
        source = read_text_source(campaign.source)
        condition = await load_condition(connection, campaign.segment_id)
        audience = select_audience(
            condition, campaign.purpose, campaign.tracking_policy, clock.now(), IdentityKind.PHONE
        )
        people = await connection.fetch(_CONTACTS.format(audience.sql, _SAMPLES), *audience.args)
        numbers = await connection.fetch(f"SELECT address FROM ({audience.sql}) AS a", *audience.args)
    mail = source.as_mail()
    context = kitchen.context(campaign_id, campaign.name, mail)
    trial = await asyncio.to_thread(preview, mail, context, [dict(one) for one in people])
    written = [one.text.strip("\n") for one in trial.rendered if one is not None]
    replaced = [replace_lookalikes(text) for text in written]
    samples = [one.text for one in replaced] if source.lookalikes else written
    longest = max(samples, key=lambda text: count(text).segments, default="")
    countries = await asyncio.to_thread(lambda: Counter(country_of(row["address"]) for row in numbers))
    return CampaignWeight(
        estimate_by_country(longest, countries, prices),
        tuple(samples),
        tuple(dict.fromkeys(change for one in replaced for change in one.replacements)),
    )

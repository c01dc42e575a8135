"""The preview of a campaign: its mail as one sample contact would read it, rendered in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from campaigns.audience import load_condition, select_audience
from campaigns.drafts import Campaign
from contacts.directory import load_contacts
from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.messages import ChannelKind
from outbox.composing import read_source
from templates.preview import preview
from web.context import WebContext
from web.i18n import N_

_SAMPLES: Final = 12
#: stands in while nobody is in the segment
INVENTED: Final[Mapping[str, Any]] = {
    "id": 0,
    "kind": "person",
    "name": "Alex Exemple",
    "given_name": "Alex",
    "family_name": "Exemple",
    "organisation": "Exemple SARL",
    "relation": "prospect",
    "country": "FR",
    "language": "fr",
    "timezone": "Europe/Paris",
    "email": "alex@exemple.example",
    "phone": None,
    "fields": {},
}


@dataclass(frozen=True, slots=True)
class Preview:
    """One mail as its reader would see it, and whom else it can be tried on."""

    subject: str
    html: str
    text: str
    size: int  #: octets on the wire
    sender: str
    link_count: int
    warnings: Sequence[str]
    contact: Mapping[str, Any] | None
    samples: Sequence[Mapping[str, Any]]

    @property
    def kilobytes(self) -> int:
        """The size, rounded up."""
        return -(-self.size // 1024)


async def preview_campaign(context: WebContext, campaign: Campaign, contact_id: int | None = None) -> Preview:
    """Render for one contact, the first of the audience unless chosen. Raises InvalidInput for a wrong template."""
    source = read_source(campaign.source)
    samples = await sample_audience(context, campaign)
    chosen = next((sample for sample in samples if sample["id"] == contact_id), None)
    if chosen is None and contact_id:
        chosen = (await load_contacts(context.pool, [contact_id])).get(contact_id)
    if chosen is None and samples:
        chosen = samples[0]
    assets = [row["name"] for row in await context.pool.fetch("SELECT name FROM assets")]
    about = context.kitchen.context(campaign.id, campaign.name, source, assets)
    reader = chosen or INVENTED
    trial = await asyncio.to_thread(preview, source, about, [reader])
    rendered = trial.rendered[0]
    if rendered is None:
        refusal = trial.refusals[0][1] if trial.refusals else None
        raise InvalidInput(
            refusal.field if refusal else "source",
            refusal.problem if refusal else N_("This contact cannot be written to."),
            N_("Give the field a value for those who lack it, with |default('…'), or narrow the segment."),
        )
    return Preview(
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        size=rendered.size,
        sender=f"{source.from_name} <{source.from_address}>" if source.from_name else source.from_address,
        link_count=len(trial.links),
        warnings=trial.warnings,
        contact=chosen,
        samples=samples,
    )


async def sample_audience(context: WebContext, campaign: Campaign) -> list[Mapping[str, Any]]:
    """Some of those whom a campaign would go to, by name."""
    if campaign.segment_id is None:
        return []
    async with context.pool.acquire() as connection:
        condition = await load_condition(connection, campaign.segment_id)
        audience = select_audience(
            condition,
            campaign.purpose,
            campaign.tracking_policy,
            context.clock.now(),
            IdentityKind.PHONE if campaign.channel is ChannelKind.SMS else IdentityKind.MAIL,
        )
        rows = await connection.fetch(
            f"SELECT contact_id FROM ({audience.sql}) AS audience LIMIT {_SAMPLES}", *audience.args
        )
        found = await load_contacts(connection, [row["contact_id"] for row in rows])
    return sorted(found.values(), key=lambda contact: str(contact["name"]))

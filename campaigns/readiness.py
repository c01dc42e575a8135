"""Whether a campaign can be launched: its template tried on some of its readers, its audience, the fields they lack."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from campaigns.audience import Audience, load_condition, select_audience
from campaigns.drafts import Campaign, load_campaign
from campaigns.reach import find_unfit_numbers
from channels.http.sending import Unfit
from channels.sms.content import read_text
from channels.sms.lookalikes import replace_lookalikes
from domain.campaigns import CampaignMove, CampaignState, next_state
from domain.clock import Clock
from domain.contacts import IdentityKind
from domain.errors import InvalidInput
from domain.messages import ChannelKind, Outbound
from outbox.composing import MailKitchen, read_source
from storage.pool import Connection, Pool
from templates.context import Refusal
from templates.plan import Plan
from templates.preview import Trial, preview
from templates.source import MailTemplate
from templates.texts import read_text_source

#: Columns of contacts that templates speak of; `contact.email` is the address itself.
_COLUMNS: Final = frozenset({"given_name", "family_name", "name", "organisation", "country", "language"})
_CHUNK: Final = 5000
#: stands for a reader's number
_ANYBODY: Final = "+33639980000"
_SAMPLES: Final = 5
_CONTACTS: Final = "SELECT c.*, a.address AS email FROM ({}) AS a JOIN contacts AS c ON c.id = a.contact_id"


async def load_draft(connection: Connection, campaign_id: int) -> Campaign:
    """A campaign that can be launched. Raises NotFound, Conflict."""
    campaign = await load_campaign(connection, campaign_id)
    next_state(CampaignState(campaign.state), CampaignMove.LAUNCH)
    return campaign


async def try_plan(
    pool: Pool, campaign_id: int, kitchen: MailKitchen, clock: Clock, *, checked: bool = False
) -> tuple[Plan, Campaign]:
    """The campaign's plan, after it was tried on some recipients in a process that can be killed, and the draft.

    `checked`: it was tried before. Raises NotFound, Conflict and InvalidInput.
    """
    async with pool.acquire() as connection:
        campaign = await load_draft(connection, campaign_id)
        source = _read_source(campaign)
        assets = [row["name"] for row in await connection.fetch("SELECT name FROM assets")]
        context = kitchen.context(campaign_id, campaign.name, source, assets)
        if not checked:
            audience = await find_audience(connection, campaign, clock)
            samples = await connection.fetch(
                _CONTACTS.format(audience.sql) + f" LIMIT {_SAMPLES}", *audience.args
            )
    if not checked:
        trial = await asyncio.to_thread(preview, source, context, [dict(sample) for sample in samples])
        if campaign.channel is ChannelKind.SMS:
            _refuse_unfit(campaign, trial)
    return await kitchen.plan(source, context), campaign


def _refuse_unfit(campaign: Campaign, trial: Trial) -> None:
    """What no provider takes, a text or a sender, is refused now and not once for each reader. Raises InvalidInput."""
    source = read_text_source(campaign.source)
    for text in (one.text.strip("\n") for one in trial.rendered if one is not None):
        shown = replace_lookalikes(text).text if source.lookalikes else text
        try:
            read_text(Outbound(0, 0, source.sender, _ANYBODY, shown.encode(), True))
        except Unfit as unfit:
            field = "sender" if unfit.reason == "sender_refused" else "text"
            raise InvalidInput(field, f"{unfit}.") from unfit


async def find_audience(
    connection: Connection, campaign: Campaign, clock: Clock, without: Sequence[str] = ()
) -> Audience:
    """Who gets it now, without these addresses. Raises InvalidInput for a missing segment."""
    condition = await load_condition(connection, campaign.segment_id)
    return select_audience(
        condition,
        campaign.purpose,
        campaign.tracking_policy,
        clock.now(),
        IdentityKind.PHONE if campaign.channel is ChannelKind.SMS else IdentityKind.MAIL,
        without,
    )


async def find_unfit(
    connection: Connection, campaign: Campaign, clock: Clock, at_most: int | None = None
) -> list[str]:
    """Landlines and the like, which a campaign by SMS passes over; nothing for mail."""
    if campaign.channel is not ChannelKind.SMS:
        return []
    condition = await load_condition(connection, campaign.segment_id)
    return await find_unfit_numbers(connection, condition, campaign.purpose, clock.now(), at_most)


def _read_source(campaign: Campaign) -> MailTemplate:
    """The template, that of short messages as the mail whose text it is. Raises InvalidInput."""
    if campaign.channel is ChannelKind.SMS:
        return read_text_source(campaign.source).as_mail()
    return read_source(campaign.source)


def compared_fields(campaign: Campaign) -> frozenset[str]:
    """Fields that our own words about stopping ask for and never print: they keep nobody from being written to."""
    if campaign.channel is not ChannelKind.SMS:
        return frozenset()
    source = read_text_source(campaign.source)
    return frozenset({"contact.language"} if source.stop_hint and "language" not in source.text else ())


async def check_recipients(
    connection: Connection, plan: Plan, audience: Audience, compared: frozenset[str] = frozenset()
) -> int:
    """Count the recipients and the fields they lack; `compared` ones are never printed. Raises InvalidInput when there
    is nobody, or when the template prints a field that somebody lacks."""
    required = sorted(plan.required_fields - {"contact.email"})
    lacking = "".join(
        f", count(*) FILTER (WHERE coalesce(btrim({_column(name)}, E' \\t\\n\\r'), '') = '')"
        for name in required
    )
    row = await connection.fetchrow(
        f"SELECT count(*){lacking} FROM ({audience.sql}) AS a JOIN contacts AS c ON c.id = a.contact_id",
        *audience.args,
        timeout=600,
    )
    assert row is not None
    recipients: int = row[0]
    if recipients == 0:
        raise nobody()
    missing = Counter({Refusal(name, ""): row[place] for place, name in enumerate(required, 1) if row[place]})
    if not missing and {use.name for use in plan.uses} - plan.required_fields - compared:
        missing = await _count_refusals(connection, plan, audience)
    if missing:
        raise _lacking(missing, recipients)
    return recipients


def nobody() -> InvalidInput:
    """The error of an audience without anybody."""
    return InvalidInput(
        "segment_id",
        "nobody in this segment may be written to.",
        "Choose another segment, or look at how many have given their consent and have an address.",
    )


def _lacking(missing: Counter[Refusal], recipients: int) -> InvalidInput:
    """The error that says how many recipients cannot be written to, and why."""
    (refusal, count), *others = missing.most_common()
    also = "".join(f", {other.field}: {more}" for other, more in others)
    if not refusal.field.startswith("contact."):
        return InvalidInput(refusal.field, f"{refusal.problem} ({count} of {recipients} recipients{also})")
    return InvalidInput(
        refusal.field,
        f"{count} of {recipients} recipients have no value for it{also}.",
        f"Write {{{{ {refusal.field}|default('…') }}}} to say what stands in for it, or narrow the segment.",
    )


def _column(name: str) -> str:
    """The SQL of a field that a template requires; names of own fields are quoted as text."""
    parts = name.split(".")
    if len(parts) == 3:
        return "c.fields->>'" + parts[2].replace("'", "''") + "'"
    if parts[1] not in _COLUMNS:
        raise InvalidInput(name, "there is no such field.")
    return f"c.{parts[1]}"


async def _count_refusals(connection: Connection, plan: Plan, audience: Audience) -> Counter[Refusal]:
    """Ask the plan about every recipient, for templates whose conditions decide which fields they print."""
    counts: Counter[Refusal] = Counter()
    cursor = await connection.cursor(_CONTACTS.format(audience.sql), *audience.args)
    while rows := await cursor.fetch(_CHUNK):
        for row in rows:
            counts.update(plan.refusals(dict(row)))
    return counts

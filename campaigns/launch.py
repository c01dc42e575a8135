"""Launch: a row per recipient, written by one statement together with everything that makes the campaign run.

Either all of it is committed or nothing. Whoever launches a campaign twice, or at the same time as somebody else,
gets a Conflict: the campaign's row is locked while its state is looked at. `request_launch` only notes the wish,
after the checks; a worker then launches (`launch_due`), so that a large audience keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from campaigns.audience import Audience, load_condition, select_audience
from campaigns.drafts import Campaign, load_campaign
from campaigns.reach import LOOKED_AT, find_unfit_numbers
from domain.campaigns import CampaignMove, CampaignState, next_state
from domain.clock import Clock
from domain.contacts import IdentityKind
from domain.errors import ClytieError, Conflict, InvalidInput
from domain.messages import ChannelKind
from outbox.composing import MailKitchen, read_source
from outbox.ranges import range_size
from outbox.statements import MAKE_RANGES
from storage.announce import Announcer
from storage.pool import DATABASE_AWAY, Connection, Pool, transaction
from templates.context import Refusal
from templates.plan import Plan
from templates.preview import preview
from templates.source import MailTemplate
from templates.texts import read_text_source

log = logging.getLogger(__name__)

#: Columns of contacts that templates speak of; `contact.email` is the address itself.
_COLUMNS: Final = frozenset({"given_name", "family_name", "name", "organisation", "country", "language"})
#: What a launch looks at before it locks the campaign.
_TRIED: Final = ("name", "source", "segment_id", "purpose", "tracking_policy")
_CHUNK: Final = 5000
_SAMPLES: Final = 5
_CONTACTS: Final = "SELECT c.*, a.address AS email FROM ({}) AS a JOIN contacts AS c ON c.id = a.contact_id"

_WRITE: Final = """
WITH audience AS MATERIALIZED (
    SELECT nextval('messages_id_seq') AS id, a.* FROM ({audience}) AS a
), written AS (
    INSERT INTO messages (id, direction, channel, contact_id, identity_id, campaign_id, tracking_level)
    SELECT id, 'out', '{channel}', contact_id, identity_id, {campaign}, tracking_level FROM audience
), queued AS (
    INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address)
    SELECT id, {campaign}, contact_id, '{channel}', address FROM audience
), ranged AS (
    {ranges}
), counted AS (
    SELECT count(*) AS recipients, count(*) FILTER (WHERE tracking_level = 'full') AS measured,
           min(id) AS low, max(id) AS high
    FROM audience
)
UPDATE campaigns SET state = 'running', launched_at = now(), launch_at = NULL, launch_error = NULL,
                     recipients = n.recipients, measured = n.measured, first_message_id = n.low, last_message_id = n.high
FROM counted AS n WHERE campaigns.id = {campaign}
RETURNING n.recipients
"""


@dataclass(frozen=True, slots=True)
class LaunchCheck:
    """What a launch would do: how many it writes to, and what the marketer might want to look at again."""

    recipients: int
    warnings: tuple[str, ...]


async def check_launch(pool: Pool, campaign_id: int, kitchen: MailKitchen, clock: Clock) -> LaunchCheck:
    """Tell whether a campaign can be launched. Raises NotFound, Conflict and InvalidInput (template, segment,
    fields that recipients lack) as `launch` does; changes nothing."""
    checked, _ = await _check(pool, campaign_id, kitchen, clock)
    return checked


async def request_launch(
    pool: Pool, campaign_id: int, kitchen: MailKitchen, clock: Clock, announcer: Announcer | None = None
) -> LaunchCheck:
    """Check a campaign and leave the launch to a worker. Raises as `check_launch` does."""
    checked, tried = await _check(pool, campaign_id, kitchen, clock)
    async with transaction(pool) as connection:
        await _lock_as_tried(connection, tried)
        await connection.execute(
            "UPDATE campaigns SET launch_at = now(), launch_error = NULL WHERE id = $1", campaign_id
        )
    if announcer is not None:
        announcer.touch()
    return checked


async def _check(
    pool: Pool, campaign_id: int, kitchen: MailKitchen, clock: Clock
) -> tuple[LaunchCheck, Campaign]:
    """What `check_launch` does; gives the draft that was checked, too."""
    plan, tried = await _try_plan(pool, campaign_id, kitchen, clock)
    async with transaction(pool) as connection:
        unfit = await _unfit_numbers(connection, tried, clock, LOOKED_AT)
        recipients = await _check_recipients(
            connection, plan, await _audience(connection, tried, clock, unfit)
        )
    return LaunchCheck(recipients, plan.warnings), tried


async def launch(
    pool: Pool,
    campaign_id: int,
    kitchen: MailKitchen,
    clock: Clock,
    announcer: Announcer | None = None,
    *,
    checked: bool = False,
) -> int:
    """Launch a draft now; gives the number of recipients. `checked`: it was requested (`request_launch`) after a
    check that found nothing, and cannot have been changed since.

    Raises NotFound, Conflict (launched already, changed while it was looked at, request withdrawn), and
    InvalidInput for a template that cannot be used, a missing segment, an audience without anybody, or fields that
    the template prints and recipients lack (with counts).
    """
    plan, tried = await _try_plan(pool, campaign_id, kitchen, clock, checked=checked)
    async with pool.acquire() as connection:
        unfit = await _unfit_numbers(connection, tried, clock)
    async with transaction(pool) as connection:
        campaign = await _lock_as_tried(connection, tried)
        if checked and campaign.launch_at is None:
            raise Conflict(f"The launch of “{campaign.name}” was called off.")
        audience = await _audience(connection, campaign, clock, unfit)
        if not checked:
            await _check_recipients(connection, plan, audience, _compared(campaign))
        await connection.executemany(
            "INSERT INTO campaign_links (campaign_id, no, url, label) VALUES ($1, $2, $3, $4)",
            [(campaign_id, link.no, link.url, link.label) for link in plan.links],
        )
        place = f"${len(audience.args) + 1}::int"
        size = range_size(kitchen.settings.claim_size, campaign.rate)
        recipients: int = await connection.fetchval(
            _WRITE.format(
                audience=audience.sql,
                channel=campaign.channel.value,
                campaign=place,
                ranges=MAKE_RANGES.format(campaign=place, size=size),
            ),
            *audience.args,
            campaign_id,
            timeout=3600,
        )
        if not recipients:
            raise _nobody()
    if announcer is not None:
        announcer.touch()
    return recipients


async def launch_due(
    pool: Pool, kitchen: MailKitchen, clock: Clock, announcer: Announcer | None = None
) -> list[int]:
    """Launch what was requested; a refusal is noted on the campaign. Gives the ids that were launched.

    Raises what the database raises when it is away; one campaign that breaks holds up no other."""
    launched = []
    for row in await pool.fetch(
        "SELECT id FROM campaigns WHERE state = 'draft' AND launch_at <= now() ORDER BY launch_at"
    ):
        try:
            await launch(pool, row["id"], kitchen, clock, announcer, checked=True)
        except Conflict:
            continue  # a twin was faster, or somebody cancelled
        except DATABASE_AWAY:
            raise
        except ClytieError as error:
            log.warning("campaign %s was not launched: %s", row["id"], error)
            await _note_refusal(pool, row["id"], str(error), announcer)
        except Exception as error:
            log.exception("launching campaign %s broke", row["id"])
            words = f"The launch broke: {str(error) or type(error).__name__}"
            await _note_refusal(pool, row["id"], words[:500], announcer)
        else:
            launched.append(row["id"])
    return launched


async def _note_refusal(pool: Pool, campaign_id: int, words: str, announcer: Announcer | None) -> None:
    await pool.execute(
        "UPDATE campaigns SET launch_at = NULL, launch_error = $2 WHERE id = $1 AND state = 'draft'",
        campaign_id,
        words,
    )
    if announcer is not None:
        announcer.touch()


async def _load_draft(connection: Connection, campaign_id: int) -> Campaign:
    campaign = await load_campaign(connection, campaign_id)
    next_state(CampaignState(campaign.state), CampaignMove.LAUNCH)
    return campaign


async def _lock_as_tried(connection: Connection, tried: Campaign) -> Campaign:
    """Lock a draft whose plan was made. Raises Conflict when it is none any more, or says something else by now."""
    await connection.execute("SELECT FROM campaigns WHERE id = $1 FOR NO KEY UPDATE", tried.id)
    campaign = await _load_draft(connection, tried.id)
    if any(getattr(campaign, name) != getattr(tried, name) for name in _TRIED):
        raise Conflict(f"“{tried.name}” was changed in the meantime. Look at it and launch it again.")
    return campaign


async def _try_plan(
    pool: Pool, campaign_id: int, kitchen: MailKitchen, clock: Clock, *, checked: bool = False
) -> tuple[Plan, Campaign]:
    """The campaign's plan, after it was tried on some recipients in a process that can be killed, and the draft."""
    async with pool.acquire() as connection:
        campaign = await _load_draft(connection, campaign_id)
        source = _read_source(campaign)
        assets = [row["name"] for row in await connection.fetch("SELECT name FROM assets")]
        context = kitchen.context(campaign_id, campaign.name, source, assets)
        if not checked:
            audience = await _audience(connection, campaign, clock)
            samples = await connection.fetch(
                _CONTACTS.format(audience.sql) + f" LIMIT {_SAMPLES}", *audience.args
            )
    if not checked:
        await asyncio.to_thread(preview, source, context, [dict(sample) for sample in samples])
    return await kitchen.plan(source, context), campaign


async def _audience(
    connection: Connection, campaign: Campaign, clock: Clock, without: Sequence[str] = ()
) -> Audience:
    condition = await load_condition(connection, campaign.segment_id)
    return select_audience(
        condition,
        campaign.purpose,
        campaign.tracking_policy,
        clock.now(),
        IdentityKind.PHONE if campaign.channel is ChannelKind.SMS else IdentityKind.MAIL,
        without,
    )


async def _unfit_numbers(
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


def _compared(campaign: Campaign) -> frozenset[str]:
    """Fields that our own words about stopping ask for and never print: they keep nobody from being written to."""
    if campaign.channel is not ChannelKind.SMS:
        return frozenset()
    source = read_text_source(campaign.source)
    return frozenset({"contact.language"} if source.stop_hint and "language" not in source.text else ())


async def _check_recipients(
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
        raise _nobody()
    missing = Counter({Refusal(name, ""): row[place] for place, name in enumerate(required, 1) if row[place]})
    if not missing and {use.name for use in plan.uses} - plan.required_fields - compared:
        missing = await _count_refusals(connection, plan, audience)
    if missing:
        raise _lacking(missing, recipients)
    return recipients


def _nobody() -> InvalidInput:
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

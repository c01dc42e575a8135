"""Launch: a row per recipient, written by one statement together with everything that makes the campaign run.

Either all of it is committed or nothing. Whoever launches a campaign twice, or at the same time as somebody else,
gets a Conflict: the campaign's row is locked while its state is looked at. `request_launch` only notes the wish,
after the checks; a worker then launches (`launch_due`), so that a large audience keeps nobody waiting.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from campaigns.drafts import Campaign
from campaigns.reach import LOOKED_AT
from campaigns.readiness import (
    check_recipients,
    compared_fields,
    find_audience,
    find_unfit,
    load_draft,
    nobody,
    try_plan,
)
from domain.clock import Clock
from domain.errors import ClytieError, Conflict
from outbox.composing import MailKitchen
from outbox.ranges import range_size
from outbox.statements import MAKE_RANGES
from storage.announce import Announcer
from storage.pool import DATABASE_AWAY, Connection, Pool, transaction

log = logging.getLogger(__name__)

#: What a launch looks at before it locks the campaign.
_TRIED: Final = ("name", "source", "segment_id", "purpose", "tracking_policy")

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
    plan, tried = await try_plan(pool, campaign_id, kitchen, clock)
    async with transaction(pool) as connection:
        unfit = await find_unfit(connection, tried, clock, LOOKED_AT)
        audience = await find_audience(connection, tried, clock, unfit)
        recipients = await check_recipients(connection, plan, audience, compared_fields(tried))
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
    plan, tried = await try_plan(pool, campaign_id, kitchen, clock, checked=checked)
    async with pool.acquire() as connection:
        unfit = await find_unfit(connection, tried, clock)
    async with transaction(pool) as connection:
        campaign = await _lock_as_tried(connection, tried)
        if checked and campaign.launch_at is None:
            raise Conflict(f"The launch of “{campaign.name}” was called off.")
        audience = await find_audience(connection, campaign, clock, unfit)
        if not checked:
            await check_recipients(connection, plan, audience, compared_fields(campaign))
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
            raise nobody()
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


async def _lock_as_tried(connection: Connection, tried: Campaign) -> Campaign:
    """Lock a draft whose plan was made. Raises Conflict when it is none any more, or says something else by now."""
    await connection.execute("SELECT FROM campaigns WHERE id = $1 FOR NO KEY UPDATE", tried.id)
    campaign = await load_draft(connection, tried.id)
    if any(getattr(campaign, name) != getattr(tried, name) for name in _TRIED):
        raise Conflict(f"“{tried.name}” was changed in the meantime. Look at it and launch it again.")
    return campaign

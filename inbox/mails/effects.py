"""Carry out what reports mean for addresses: the do-not-contact list, soft bounces in a row, consent, open questions.

In the transaction that stores the report, so that it happens once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from contacts.consent import withdraw
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.contacts import IdentityKind
from domain.errors import Conflict
from domain.messages import DeliveryState, Mover
from inbox.mails.consequences import SoftRow, count_soft
from inbox.mails.deeds import Deed, Effect, EffectKind
from inbox.reading_settings import BounceSettings
from outbox.suppression import suppress
from outbox.unconfirmed import settle_reported
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

_SOFT: Final = "SELECT count, first_at, last_at FROM soft_bounces WHERE address = $1 FOR UPDATE"
_KEEP_SOFT: Final = """
INSERT INTO soft_bounces (address, count, first_at, last_at, last_reason) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (address) DO UPDATE SET count = excluded.count, first_at = excluded.first_at, last_at = excluded.last_at,
                                    last_reason = excluded.last_reason
"""
_FORGET_SOFT: Final = "DELETE FROM soft_bounces WHERE address = ANY($1::text[])"
#: whether a person opened or clicked something since
_ALIVE: Final = """
SELECT EXISTS (SELECT FROM hits WHERE contact_id = $1 AND verdict = 'human' AND occurred_at > $2)
"""
_COMPLAINT: Final = "complaint"


async def carry_out(work: UnitOfWork, deeds: Sequence[Deed], settings: BounceSettings) -> None:
    """Do what the effects of these mails ask for; whoever writes to us can be reached, and so can who got our mail."""
    alive = {
        deed.arrived.author
        for deed in deeds
        if deed.stored and deed.direction == "in" and deed.automatic is None and not deed.arrived.judgement
    } - {""}
    alive |= {
        effect.address
        for deed in deeds
        for effect in deed.effects
        if effect.proven and effect.kind is EffectKind.DELIVERED and deed.stored
    }
    if alive:
        await work.connection.execute(_FORGET_SOFT, sorted(alive))
    for deed in deeds:
        if deed.stored:
            for effect in deed.effects:
                if effect.proven:
                    await _carry_out(work, effect, deed.arrived.at, settings)


async def _carry_out(work: UnitOfWork, effect: Effect, at: datetime, settings: BounceSettings) -> None:
    if effect.unsettled and effect.message_id is not None:
        await _settle(work, effect, at)
    if effect.kind is EffectKind.COMPLAINED:
        await _take_back(work.connection, effect, at)
    elif effect.kind is EffectKind.BOUNCED and effect.address:
        over = effect.hard or await _count(work.connection, effect, at, settings) >= settings.soft_limit
        if over:
            await _suppress(work.connection, effect, effect.reason or "refused")


async def _settle(work: UnitOfWork, effect: Effect, at: datetime) -> None:
    """A delivery that nobody knew the end of: whoever warns, confirms or complains had the message."""
    assert effect.message_id is not None
    arrived = effect.kind is not EffectKind.BOUNCED
    state = DeliveryState.SENT if arrived else DeliveryState.REJECTED
    try:
        await settle_reported(
            work, effect.message_id, state, Mover.CALLBACK, at, reason="" if arrived else effect.reason
        )
    except Conflict:
        return  # a person was faster


async def _suppress(connection: Connection, effect: Effect, reason: str) -> None:
    source = "complaint" if effect.kind is EffectKind.COMPLAINED else "bounce"
    await suppress(
        connection,
        IdentityKind.MAIL,
        effect.address,
        reason,
        source,
        message_id=effect.message_id,
        words=effect.words,
    )


async def _take_back(connection: Connection, effect: Effect, at: datetime) -> None:
    if effect.address:
        await _suppress(connection, effect, _COMPLAINT)
    if effect.contact_id is not None:
        entry = ConsentEntry(
            effect.contact_id, Purpose.NEWSLETTER, ConsentState.WITHDRAWN, "", _COMPLAINT, at
        )
        await withdraw(connection, [entry], message_id=effect.message_id, campaign_id=effect.campaign_id)


async def _count(connection: Connection, effect: Effect, at: datetime, settings: BounceSettings) -> int:
    """Count a soft bounce; gives how many there are in a row now."""
    row = await connection.fetchrow(_SOFT, effect.address)
    before = None
    if row is not None and not (
        effect.contact_id and await connection.fetchval(_ALIVE, effect.contact_id, row["last_at"])
    ):
        before = SoftRow(row["count"], row["first_at"])
    after = count_soft(before, at, timedelta(days=settings.soft_days))
    await connection.execute(_KEEP_SOFT, effect.address, after.count, after.first_at, at, effect.reason)
    return after.count

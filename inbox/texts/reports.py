"""What a provider reports about a message of ours: its state moves forward, an open question is settled, events follow.

Reports come in any order and more than once, also while the delivery is still being sent: what is reported then is kept,
and settles the delivery as soon as nobody works on it any more. Locks are taken in the order of senders: the delivery,
what the provider says of it, people and numbers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from channels.sms.reasons import WITHDRAWALS, is_hard
from channels.sms.reports import Report, to_event
from channels.sms.statuses import FINAL_RANK, STATUSES, moves_forward
from channels.sms.twilio_codes import OF_ONE_SENDER
from domain.clock import Clock
from domain.contacts import IdentityKind
from domain.errors import Conflict, NotFound
from domain.events import EventType, NewEvent
from domain.messages import DeliveryState, Mover
from inbox.texts.consent import opt_out
from outbox.suppression import suppress
from outbox.texts.turns import rest
from outbox.unconfirmed import hold_delivery, settle_reported
from storage.announce import Announcer
from storage.pool import Pool
from storage.unit_of_work import UnitOfWork, unit_of_work

_KEEP: Final = """
INSERT INTO sms_facts (message_id, provider_id, theirs)
SELECT m.id, $2, coalesce(d.address, '') FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id
WHERE m.id = $1 AND m.channel = 'sms' AND m.direction = 'out' ON CONFLICT DO NOTHING
"""
_STATUS: Final = "SELECT status, ours FROM sms_facts WHERE message_id = $1 FOR UPDATE"
_FIND: Final = """
SELECT m.contact_id, nullif(m.campaign_id, 0) AS campaign_id, m.conversation_id, m.case_id, d.address, d.state
FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id WHERE m.id = $1
"""
_MOVE: Final = """
UPDATE sms_facts SET status = $2, reason = nullif($3, ''), provider_id = coalesce(nullif($4, ''), provider_id),
       price = coalesce(nullif($5, '')::numeric, price), currency = coalesce(nullif($6, ''), currency),
       unsettled = $7, reported_at = now(),
       price_at = CASE WHEN price IS NULL AND $5 = '' AND $8 THEN now() + make_interval(secs => $9)
                       WHEN price IS NULL AND $5 = '' THEN price_at END
WHERE message_id = $1
"""
_UNSETTLED: Final = """
SELECT f.message_id FROM sms_facts f LEFT JOIN deliveries d ON d.message_id = f.message_id
WHERE f.unsettled AND coalesce(d.state, 'sent') <> ALL ($1::text[]) ORDER BY f.message_id LIMIT $2
"""
_HOLD: Final = (
    "SELECT status, reason FROM sms_facts WHERE message_id = $1 AND unsettled FOR UPDATE SKIP LOCKED"
)
_PRICED: Final = """
UPDATE sms_facts SET price = $2::text::numeric, currency = nullif($3, ''), price_at = NULL WHERE message_id = $1 AND price IS NULL
"""
_SETTLED: Final = "UPDATE sms_facts SET unsettled = false WHERE message_id = $1"
#: states in which somebody is at work on a delivery, or will be
UNDER_WAY: Final = [
    state.value
    for state in (
        DeliveryState.QUEUED,
        DeliveryState.CLAIMED,
        DeliveryState.SENDING,
        DeliveryState.DEFERRED,
    )
]
_BATCH: Final = 100
#: Seconds from the end of a message until its price is asked for; the provider knows it some time after.
PRICE_AFTER: Final = 60.0
#: Seconds that a sender rests whose queue at the provider was full.
_REST: Final = 60.0


async def take_report(
    pool: Pool, clock: Clock, message_id: int, report: Report, announcer: Announcer | None = None
) -> bool:
    """Keep what is reported about message `message_id`, which the report's token named; false when it is no news.

    Raises NotFound when there is no such short message of ours.
    """
    async with unit_of_work(pool, announcer) as work:
        await hold_delivery(work.connection, message_id)
        await work.connection.execute(_KEEP, message_id, report.provider_id)
        facts = await work.connection.fetchrow(_STATUS, message_id)
        if facts is None:
            raise NotFound(f"There is no short message {message_id}.")
        if not moves_forward(facts["status"], report.status):
            if report.price:
                await work.connection.execute(_PRICED, message_id, report.price, report.currency)
            return False
        found = await work.connection.fetchrow(_FIND, message_id)
        assert found is not None  # its facts are there, and messages stay
        await work.connection.execute(
            _MOVE,
            message_id,
            report.status,
            report.reason,
            report.provider_id,
            report.price,
            report.currency,
            found["state"] in UNDER_WAY,
            report.rank >= FINAL_RANK,
            PRICE_AFTER,
        )
        refused = found["state"] == DeliveryState.UNCERTAIN and await _settle(
            work, message_id, report.status, report.reason, clock.now()
        )
        _tell(work, message_id, found, report, clock.now(), told=bool(refused))
        if report.code in OF_ONE_SENDER and facts["ours"]:
            await rest(work.connection, facts["ours"], _REST)
        if found["address"]:
            await _mind_number(work, message_id, found["address"], report, clock.now())
    return True


async def settle_reported_texts(pool: Pool, clock: Clock, announcer: Announcer | None = None) -> int:
    """Settle deliveries whose report came before they were in doubt; gives how many were looked at."""
    rows = await pool.fetch(_UNSETTLED, UNDER_WAY, _BATCH)
    for row in rows:
        async with unit_of_work(pool, announcer) as work:
            await hold_delivery(work.connection, row["message_id"])
            held = await work.connection.fetchrow(_HOLD, row["message_id"])
            if held is None:
                continue  # a twin has it
            await _settle(work, row["message_id"], held["status"], held["reason"] or "", clock.now())
            await work.connection.execute(_SETTLED, row["message_id"])
    return len(rows)


async def _settle(work: UnitOfWork, message_id: int, status: str, reason: str, at: datetime) -> bool:
    """Settle the delivery if it is in doubt; true when that told that it was refused."""
    state = STATUSES[status].delivery
    if state is None:
        return False
    try:
        await settle_reported(work, message_id, state, Mover.CALLBACK, at, reason=reason)
    except (Conflict, NotFound):
        return False  # not in doubt: the sender, or a person, knew
    return state is DeliveryState.REJECTED


def _tell(work: UnitOfWork, message_id: int, found: Any, report: Report, at: datetime, *, told: bool) -> None:
    """Put it on the timeline. That a message was sent is told when its delivery is settled, and so is a refusal."""
    event = to_event(report, at)
    if event is None or event.type is EventType.SENT or told:
        return
    work.tell(
        NewEvent(
            event.type,
            at,
            found["contact_id"],
            message_id,
            found["campaign_id"],
            found["conversation_id"],
            found["case_id"],
            data={name: value for name, value in event.data.items() if name != "token"},
            key=event.key,
        )
    )


async def _mind_number(work: UnitOfWork, message_id: int, number: str, report: Report, at: datetime) -> None:
    """A number at fault is written to no more, and neither is whoever opted out at the provider."""
    if report.reason in WITHDRAWALS:
        await opt_out(work, number, at, source="report", message_id=message_id)
    elif is_hard(report.reason):
        words = f"{report.status} {report.code or ''}".strip()
        await suppress(
            work.connection,
            IdentityKind.PHONE,
            number,
            report.reason,
            "report",
            message_id=message_id,
            words=words,
        )

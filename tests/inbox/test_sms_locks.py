"""Senders and reports meet at the same message: they lock in one order, so that neither ends the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from channels.sms.lookup import LookedUp
from channels.sms.reports import make_report
from domain.clock import SystemClock
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome
from inbox.texts.consent import opt_out
from inbox.texts.report_groups import ReportGroups
from inbox.texts.reports import settle_reported_texts, take_report
from outbox.queue import Result, prepare, settle_and_mark
from outbox.texts.composing import SmsLetterComposer
from outbox.texts.doubts import Doubts
from storage.announce import Announcer
from storage.pool import Connection, Pool
from tests.outbox.post import KEYS
from tests.outbox.stock import PlainComposer
from tests.outbox.test_sms_letters import text_to

WORKER = "worker"


async def begun(pool: Pool, state: str = "uncertain", number: str = "06 12 34 56 78") -> int:
    """A message whose sender may still come back with the answer."""
    message_id = await text_to(pool, to=number)
    await pool.execute(
        """UPDATE deliveries SET state = $2, worker = $3, attempt = 1, claim = 1, settled_at = now(),
           lease_until = CASE WHEN $2 = 'sending' THEN now() + interval '1 hour' END WHERE message_id = $1""",
        message_id,
        state,
        WORKER,
    )
    return message_id


async def settle(connection: Connection, outcomes: Collection[Outcome]) -> int:
    step = await settle_and_mark(
        connection,
        WORKER,
        [Result(one) for one in outcomes],
        [],
        60,
        SystemClock().now(),
        kind=ChannelKind.SMS,
    )
    return step.settled


def sent(message_id: int) -> Outcome:
    return Outcome(message_id, 1, DeliveryState.SENT, provider_id=f"SM{message_id:032x}")


def report(message_id: int, status: str = "delivered", code: object = None) -> Any:
    return make_report(f"SM{message_id:032x}", status, code)


class Lists:
    """A provider that has every message."""

    async def look_up(
        self, message: Outbound, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUp:
        return LookedUp(report(message.key), 1)


async def look(pool: Pool) -> None:
    async def make_composer(campaign: Any) -> PlainComposer:
        return PlainComposer(campaign["id"])

    letters = SmsLetterComposer(KEYS)
    await Doubts(
        pool,
        Lists(),
        letters,
        make_composer,
        SystemClock(),
        Announcer(pool),
        opt_out,
        partial(take_report, pool, SystemClock()),
        after=0,
    ).settle_due()


async def blocked(pool: Pool) -> bool:
    found: bool = await pool.fetchval(
        """SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
           AND datname = current_database())"""
    )
    return found


async def _report(pool: Pool, message_id: int) -> None:
    await take_report(pool, SystemClock(), message_id, report(message_id))


async def _report_in_a_group(pool: Pool, message_id: int) -> None:
    await ReportGroups(pool, SystemClock()).take(message_id, report(message_id))


async def _settle_reported(pool: Pool, message_id: int) -> None:
    await settle_reported_texts(pool, SystemClock())


async def _look(pool: Pool, message_id: int) -> None:
    await look(pool)


@pytest.mark.parametrize("other", [_report, _report_in_a_group, _settle_reported, _look])
async def test_who_comes_while_a_sender_settles_waits_at_the_delivery_and_holds_nothing_that_it_needs(
    pool: Pool, other: Callable[[Pool, int], Awaitable[None]]
) -> None:
    message_id = await begun(pool)
    await pool.execute(
        "UPDATE sms_facts SET status = 'delivered', unsettled = $1, look_at = now()",
        other is _settle_reported,
    )
    if other in (_report, _report_in_a_group):
        await pool.execute("UPDATE sms_facts SET status = ''")
    async with pool.acquire() as connection:
        await prepare(connection)
        async with connection.transaction():
            await connection.execute("SELECT FROM deliveries WHERE message_id = $1 FOR UPDATE", message_id)
            meeting = asyncio.ensure_future(other(pool, message_id))
            async with asyncio.timeout(5):
                while not await blocked(pool):  # noqa: ASYNC110 - another session changes it
                    await asyncio.sleep(0.01)
            assert await settle(connection, [sent(message_id)]) == 1  # would be the deadlock
    await meeting
    row = await pool.fetchrow(
        "SELECT d.state, f.provider_id FROM deliveries d JOIN sms_facts f USING (message_id)"
    )
    assert row is not None
    assert (row["state"], row["provider_id"]) == ("sent", f"SM{message_id:032x}")
    assert await pool.fetchval("SELECT count(*) FROM events WHERE type = 'Sent'") == 1


@pytest.mark.timeout(120)
async def test_senders_reports_and_looks_that_meet_by_chance_all_come_to_their_end(pool: Pool) -> None:
    dice = random.Random(7)
    messages = [await begun(pool, "sending", f"+3361234{number:04}") for number in range(60)]
    codes: dict[int, tuple[str, object]] = {
        message: dice.choice([("delivered", None), ("undelivered", 30005), ("failed", 21610), ("sent", None)])
        for message in messages
    }

    async def send() -> None:
        for _ in range(30):
            some = sorted(dice.sample(messages, 12))
            state = dice.choice([DeliveryState.SENT, DeliveryState.UNCERTAIN])
            async with pool.acquire() as connection:
                await prepare(connection)
                await settle(
                    connection,
                    [
                        sent(one) if state is DeliveryState.SENT else Outcome(one, 1, state, "", "timeout")
                        for one in some
                    ],
                )
            await asyncio.sleep(0)

    groups = ReportGroups(pool, SystemClock())

    async def tell_in_groups(message: int) -> None:
        for status, code in (("accepted", None), ("sent", None), codes[message]):
            await groups.take(message, report(message, status, code))

    async def tell() -> None:
        for message in dice.sample(messages, len(messages)):
            for status, code in (("queued", None), codes[message], codes[message]):
                await take_report(pool, SystemClock(), message, report(message, status, code))

    async def tidy() -> None:
        for _ in range(15):
            await settle_reported_texts(pool, SystemClock())
            await look(pool)

    many = [tell_in_groups(message) for message in dice.sample(messages, len(messages))]
    await asyncio.gather(send(), send(), tell(), tell(), tidy(), *many)  # a deadlock would be raised here
    async with pool.acquire() as connection:
        await prepare(connection)
        await settle(connection, [sent(one) for one in messages])
    await settle_reported_texts(pool, SystemClock())
    rows = await pool.fetch("SELECT state, status FROM deliveries JOIN sms_facts USING (message_id)")
    assert {row["state"] for row in rows} <= {"sent", "rejected"}
    assert await pool.fetchval("SELECT count(*) FROM sms_facts WHERE unsettled") == 0
    told = await pool.fetch("SELECT message_id FROM events WHERE type IN ('Sent', 'Rejected')")
    assert len(told) == len({row["message_id"] for row in told}) == len(messages)

"""Short messages in doubt: found again at the provider, never taken for another one, left alone where nobody can tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from channels.sms.lookup import LookedUp
from channels.sms.reports import make_report
from domain.clock import SystemClock
from domain.errors import Unavailable
from domain.messages import DeliveryState, Outbound, Outcome
from inbox.texts.reports import take_report
from outbox.ranges import sweep
from outbox.texts.composing import SmsLetterComposer
from outbox.texts.doubts import Doubts
from storage.announce import Announcer
from storage.pool import Pool
from storage.unit_of_work import UnitOfWork
from tests.outbox.post import KEYS
from tests.outbox.stock import PlainComposer, events, states
from tests.outbox.test_sms_letters import ANNA, send_all, text_to


class List:
    """A provider's list: gives what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: LookedUp | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Outbound, datetime, datetime, set[str]]] = []
        self.opted_out: list[str] = []

    async def look_up(
        self, message: Outbound, began: datetime, ended: datetime, taken: Collection[str] = ()
    ) -> LookedUp:
        self.asked.append((message, began, ended, set(taken)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def opt_out(
        self, work: UnitOfWork, number: str, at: datetime, *, source: str, message_id: int | None = None
    ) -> None:
        self.opted_out.append(number)


def found(status: str = "delivered", provider_id: str = "SM1", code: object = None) -> LookedUp:
    return LookedUp(make_report(provider_id, status, code, price="-0.0079", currency="USD"), 1)


def look(pool: Pool, listed: List, after: float = 0.0) -> Doubts:
    async def make_composer(campaign: Any) -> PlainComposer:
        return PlainComposer(campaign["id"])

    return Doubts(
        pool,
        listed,
        SmsLetterComposer(KEYS),
        make_composer,
        SystemClock(),
        Announcer(pool),
        listed.opt_out,
        partial(take_report, pool, SystemClock()),
        after,
    )


def lose(one: Outbound) -> Outcome:
    return Outcome(one.key, one.attempt, DeliveryState.UNCERTAIN, "", "timeout")


async def facts(pool: Pool, message_id: int) -> Any:
    return await pool.fetchrow("SELECT * FROM sms_facts WHERE message_id = $1", message_id)


async def test_one_that_the_provider_has_is_settled_with_its_number_and_price(pool: Pool) -> None:
    message_id = await text_to(pool)
    await send_all(pool, lose)
    listed = List(found())
    await look(pool, listed).settle_due()
    ((message, began, ended, taken),) = listed.asked
    assert (message.recipient, message.content, taken) == (ANNA, b"See you at ten.", set())
    assert began < ended
    assert await states(pool) == {"sent": 1}
    row = await facts(pool, message_id)
    assert (row["provider_id"], row["status"], str(row["price"]), row["look_at"]) == (
        "SM1",
        "delivered",
        "-0.0079",
        None,
    )
    assert (await events(pool))["Sent"] == 1
    await look(pool, List()).settle_due()  # asks nothing any more


async def test_one_that_the_provider_refused_is_rejected(pool: Pool) -> None:
    await text_to(pool)
    await send_all(pool, lose)
    await look(pool, List(found("failed", code=30005))).settle_due()
    assert await states(pool) == {"rejected": 1}
    assert await pool.fetchval("SELECT reason FROM deliveries") == "number_unknown"


async def test_none_or_several_prove_nothing_and_are_looked_at_later(pool: Pool) -> None:
    message_id = await text_to(pool)
    await send_all(pool, lose)
    for candidates in (0, 2):
        await look(pool, List(LookedUp(None, candidates))).settle_due()
        await look(pool, List()).settle_due()
        assert await states(pool) == {"uncertain": 1}
        assert await pool.fetchval("SELECT look_at > now() FROM sms_facts")
        await pool.execute("UPDATE sms_facts SET look_at = now()")
    await pool.execute("UPDATE sms_facts SET looks = 12")
    await look(pool, List(LookedUp(None, 0))).settle_due()
    row = await facts(pool, message_id)
    assert (row["looks"], row["look_at"]) == (13, None)


async def test_reports_have_some_seconds_before_anybody_looks(pool: Pool) -> None:
    await text_to(pool)
    await send_all(pool, lose)
    await look(pool, List(), after=30).settle_due()
    assert await states(pool) == {"uncertain": 1}


async def test_a_provider_that_is_away_is_asked_again_later(pool: Pool) -> None:
    message_id = await text_to(pool)
    await send_all(pool, lose)
    assert not await look(pool, List(Unavailable("away"))).settle_due()
    row = await facts(pool, message_id)
    assert row["looks"] == 0
    assert await pool.fetchval("SELECT look_at > now() FROM sms_facts")


async def test_messages_that_others_of_ours_are_known_by_are_not_taken(pool: Pool) -> None:
    await text_to(pool)
    await send_all(pool, lambda one: Outcome(one.key, 1, DeliveryState.SENT, "", provider_id="SM7"))
    await text_to(pool)
    await send_all(pool, lose)
    listed = List(LookedUp(None, 0))
    await look(pool, listed).settle_due()
    assert listed.asked[0][3] == {"SM7"}


async def test_nobody_looks_while_another_message_to_the_number_is_under_way(pool: Pool) -> None:
    await text_to(pool)
    await send_all(pool, lose)
    twin = await text_to(pool)
    await pool.execute("UPDATE deliveries SET state = 'sending' WHERE message_id = $1", twin)
    await look(pool, List()).settle_due()
    await pool.execute("UPDATE deliveries SET state = 'rejected' WHERE message_id = $1", twin)
    await pool.execute("UPDATE sms_facts SET look_at = now() WHERE look_at IS NOT NULL")
    await look(pool, List(found())).settle_due()
    assert await states(pool) == {"rejected": 1, "sent": 1}


async def test_one_whose_worker_died_is_looked_for_after_its_lease(pool: Pool) -> None:
    message_id = await text_to(pool)
    await pool.execute(
        "UPDATE deliveries SET state = 'sending', attempt = 1, worker = 'dead', lease_until = now() - interval '1 s'"
    )
    await pool.execute("UPDATE delivery_ranges SET lease_until = now() - interval '1 s'")
    assert await sweep(pool) == (0, 1)
    await look(pool, List(found())).settle_due()
    assert await states(pool) == {"sent": 1}
    assert (await facts(pool, message_id))["provider_id"] == "SM1"


async def test_whoever_opted_out_at_the_provider_is_written_to_no_more(pool: Pool) -> None:
    await text_to(pool)
    await send_all(pool, lambda one: Outcome(one.key, 1, DeliveryState.REJECTED, "21610: no", "opted_out"))
    listed = List()
    await look(pool, listed).settle_due()
    await look(pool, listed).settle_due()
    assert listed.opted_out == [ANNA]


async def test_two_processes_do_not_look_at_a_time(pool: Pool) -> None:
    await text_to(pool)
    await send_all(pool, lose)
    listed = List(found())
    async with pool.acquire() as other:
        await other.execute("SELECT pg_advisory_lock($1)", 0x736D73)
        await look(pool, listed).settle_due()
        assert await states(pool) == {"uncertain": 1}
        await other.execute("SELECT pg_advisory_unlock($1)", 0x736D73)
    await look(pool, listed).settle_due()
    assert await states(pool) == {"sent": 1}


async def test_what_became_of_one_that_is_found_is_told_and_a_dead_number_is_closed(pool: Pool) -> None:
    message_id = await text_to(pool)
    await send_all(pool, lose)
    await look(pool, List(found("undelivered", "SM" + "0" * 32, 30005))).settle_due()
    assert await states(pool) == {"sent": 1}
    assert await events(pool) == {"Sent": 1, "Bounced": 1}
    row = await pool.fetchrow("SELECT address, reason, message_id FROM suppressions")
    assert row is not None
    assert tuple(row) == (ANNA, "number_unknown", message_id)


async def test_a_demo_whose_clock_was_moved_forward_finds_what_the_test_carrier_dated_by_it(
    pool: Pool,
) -> None:
    await text_to(pool)
    await send_all(pool, lose)
    listed = List(found())
    doubts = replace(look(pool, listed), clock=SystemClock(timedelta(days=3)))
    await doubts.settle_due()
    ((_, began, ended, _),) = listed.asked
    now = datetime.now(UTC)
    assert began < now < now + timedelta(days=3, minutes=-1) < ended

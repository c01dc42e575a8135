"""Prices of short messages: asked for when the provider may know them, kept, given up after some days."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from channels.sms.reports import Report, make_report
from domain.clock import SystemClock
from domain.errors import Unavailable
from inbox.texts.prices import PriceFetcher
from inbox.texts.reports import take_report
from storage.pool import Pool

ANNA = "+33612345678"


async def write(
    pool: Pool, status: str = "sent", campaign: int = 0, state: str = "sent", parts: int = 1
) -> int:
    number: int = await pool.fetchval(
        "INSERT INTO messages (direction, channel, campaign_id) VALUES ('out', 'sms', $1) RETURNING id",
        campaign or None,
    )
    await pool.execute(
        """INSERT INTO deliveries (message_id, campaign_id, channel, address, state, attempt)
           VALUES ($1, $2, 'sms', $3, $4, 1)""",
        number,
        campaign,
        ANNA,
        state,
    )
    await pool.execute(
        """INSERT INTO sms_facts (message_id, provider_id, status, theirs, encoding, segments, price_at)
           VALUES ($1, $2, $3, $4, 'GSM-7', $5, now())""",
        number,
        f"SM{number}",
        status,
        ANNA,
        parts,
    )
    return number


class Provider:
    """Knows what it is told to."""

    def __init__(self, *answers: Report | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, provider_id: str) -> Report | None:
        self.asked.append(provider_id)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def told(status: str = "delivered", price: str = "-0.0079") -> Report:
    report = make_report("SM" + "0" * 32, status, None, price=price, currency="USD" if price else "")
    assert report is not None
    return report


async def fetch(pool: Pool, provider: Provider) -> bool:
    return await PriceFetcher(pool, provider, SystemClock()).fetch_due()


async def facts(pool: Pool, number: int) -> Any:
    return await pool.fetchrow("SELECT * FROM sms_facts WHERE message_id = $1", number)


async def test_a_price_that_is_known_is_kept_and_not_asked_for_again(pool: Pool) -> None:
    number = await write(pool, "delivered")
    provider = Provider(told())
    await fetch(pool, provider)
    await fetch(pool, provider)
    row = await facts(pool, number)
    assert (row["price"], row["currency"], row["price_at"]) == (Decimal("-0.0079"), "USD", None)
    assert provider.asked == [f"SM{number}"]


async def test_the_same_question_tells_what_became_of_a_message_without_reports(pool: Pool) -> None:
    number = await write(pool, "")
    await fetch(pool, Provider(told("delivered")))
    row = await facts(pool, number)
    assert (row["status"], row["price"]) == ("delivered", Decimal("-0.0079"))
    assert await pool.fetchval("SELECT type FROM events WHERE message_id = $1", number) == "Delivered"


async def test_one_that_is_not_known_yet_is_asked_for_later_and_given_up_after_days(pool: Pool) -> None:
    number = await write(pool, "delivered")
    for look in range(7):
        await pool.execute("UPDATE sms_facts SET price_at = now() WHERE price_at IS NOT NULL")
        provider = Provider(told(price=""))
        await fetch(pool, provider)
        assert provider.asked
        row = await facts(pool, number)
        assert (row["price_at"] is None) == (look == 6)
    provider = Provider()
    await fetch(pool, provider)
    assert not provider.asked


async def test_a_provider_that_is_away_costs_no_question(pool: Pool) -> None:
    number = await write(pool, "delivered")
    assert not await fetch(pool, Provider(Unavailable("away")))
    row = await facts(pool, number)
    assert row["price_looks"] == 0
    assert row["price_at"] is not None


async def test_the_last_report_has_its_price_asked_for_soon(pool: Pool) -> None:
    number = await write(pool, "sent")
    await pool.execute("UPDATE sms_facts SET price_at = now() + interval '15 minutes'")
    await take_report(pool, SystemClock(), number, told("delivered", price=""))
    soon = await pool.fetchval("SELECT price_at < now() + interval '2 minutes' FROM sms_facts")
    assert soon

"""The journal of a message: every attempt with the relay and the server's words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from channels.mail.parsed import Mailbox
from domain.contacts import IdentityKind
from domain.messages import DeliveryState, Outbound, Outcome
from outbox.journal import journal, journals, list_waiting
from outbox.suppression import suppress
from storage.pool import Pool
from tests.outbox.post import make_postman, make_stationery, post
from tests.outbox.stock import BRISK, ObedientChannel, run_until, states, stock_campaign


async def test_every_attempt_is_there_with_the_words_of_the_server(pool: Pool, tmp_path: Path) -> None:
    answers = {
        1: (DeliveryState.DEFERRED, "450 4.2.1 busy", "mailbox_busy", "one"),
        2: (DeliveryState.DEFERRED, "", "connection_failed", "two"),
        3: (DeliveryState.SENT, "250 2.0.0 ok 4711", "", "two"),
    }

    def decide(message: Outbound) -> Outcome:
        return Outcome(message.key, message.attempt, *answers[message.attempt])

    settings = BRISK.model_copy(update={"retry_after": 0.2})
    message_id = await post(pool, make_stationery(tmp_path))
    assert await journal(pool, message_id) == []

    async def done() -> bool:
        return await states(pool) == {"sent": 1}

    sender = make_postman(pool, ObedientChannel(decide), make_stationery(tmp_path), settings)
    await run_until(sender, done)
    attempts = await journal(pool, message_id)
    assert [(a.number, a.state, a.reply, a.reason, a.relay) for a in attempts] == [
        (number, *answers[number]) for number in (1, 2, 3)
    ]
    times = [attempt.at for attempt in attempts]
    assert times == sorted(time for time in times if time is not None)


async def test_an_unconfirmed_attempt_stays_in_the_journal_when_it_is_settled(
    pool: Pool, tmp_path: Path
) -> None:
    def decide(message: Outbound) -> Outcome:
        return Outcome(message.key, message.attempt, DeliveryState.UNCERTAIN, "", "connection_lost")

    message_id = await post(pool, make_stationery(tmp_path))

    async def done() -> bool:
        return await states(pool) == {"uncertain": 1}

    await run_until(make_postman(pool, ObedientChannel(decide), make_stationery(tmp_path)), done)
    assert [a.state for a in await journal(pool, message_id)] == [DeliveryState.UNCERTAIN]
    await pool.execute(
        "UPDATE deliveries SET state = 'rejected', reason = 'mailbox_unknown', settled_at = now()"
    )
    assert [(a.state, a.reason) for a in await journal(pool, message_id)] == [
        (DeliveryState.UNCERTAIN, "connection_lost"),
        (DeliveryState.REJECTED, "mailbox_unknown"),
    ]


async def test_a_letter_has_a_journal_for_each_recipient(pool: Pool, tmp_path: Path) -> None:
    await suppress(pool, IdentityKind.MAIL, "bob@example.net", "mailbox_unknown", "bounce")
    message_id = await post(pool, make_stationery(tmp_path), cc=(Mailbox("", "bob@example.net"),))

    async def done() -> bool:
        return await states(pool) == {"sent": 1, "rejected": 1}

    await run_until(make_postman(pool, ObedientChannel(), make_stationery(tmp_path)), done)
    ada, bob = await journals(pool, message_id)
    assert (ada.address, ada.state, [a.number for a in ada.attempts]) == (
        "ada@example.net",
        DeliveryState.SENT,
        [1],
    )
    assert (bob.address, bob.reason, [a.number for a in bob.attempts]) == (
        "bob@example.net",
        "suppressed",
        [0],
    )


async def test_what_waits_is_told_by_its_reason(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 5)
    soon = datetime(2030, 1, 1, tzinfo=UTC)
    await pool.execute(
        "UPDATE deliveries SET reason = 'warming_up', not_before = $1 WHERE message_id % 2 = 0", soon
    )
    (waiting,) = await list_waiting(pool, campaign_id)
    assert (waiting.reason, waiting.next_at) == ("warming_up", soon)
    assert waiting.count in (2, 3)

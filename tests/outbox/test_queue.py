"""The statements of the queue: leases, fences, pauses, suppression, and results that come late."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from campaigns import control
from domain.messages import DeliveryState, Outcome
from outbox.queue import Claimed, Result, claim, reserve, settle_and_mark
from outbox.ranges import close, sweep
from storage.pool import Connection, Pool
from tests.outbox.stock import NOW, events, states, stock_campaign


async def claimed(connection: Connection, worker: str, campaign_id: int, lease: float = 60) -> list[Claimed]:
    """Claim one range; nothing when none is due."""
    found = await claim(connection, worker, campaign_id, lease)
    return [
        Claimed(
            row["message_id"],
            row["attempt"],
            row["claim"],
            campaign_id,
            row["contact_id"],
            row["email"],
            "mail",
        )
        for row in (found[1] if found else [])
    ]


async def ranges(pool: Pool) -> list[int]:
    """The ranges that somebody has to look at some time."""
    return [row["low"] for row in await pool.fetch("SELECT low FROM delivery_ranges ORDER BY low")]


def sent(row: Claimed) -> Result:
    return Result(Outcome(row.message_id, row.attempt + 1, DeliveryState.SENT, "250 ok"))


async def test_two_workers_never_claim_the_same_row(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 400, size=30)

    async def take(worker: str) -> list[int]:
        taken: list[int] = []
        async with pool.acquire() as connection:
            while rows := await claimed(connection, worker, campaign_id):
                taken += [row.message_id for row in rows]
        return taken

    taken = await asyncio.gather(*[take(f"w{number}") for number in range(4)])
    everything = [one for part in taken for one in part]
    assert len(everything) == len(set(everything)) == 400


async def test_what_is_settled_is_told_as_an_event_once(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 2)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        step = await settle_and_mark(connection, "w", [], rows, 60, NOW)
        assert step.marked == {row.message_id for row in rows}
        results = [
            sent(rows[0]),
            Result(Outcome(rows[1].message_id, 1, DeliveryState.REJECTED, "550", "policy")),
        ]
        assert (await settle_and_mark(connection, "w", results, [], 60, NOW)).settled == 2
        assert (await settle_and_mark(connection, "w", results, [], 60, NOW)).settled == 0
    assert await states(pool) == {"sent": 1, "rejected": 1}
    assert await events(pool) == {"Sent": 1, "Rejected": 1}


async def test_events_that_a_rule_looks_at_are_left_for_the_router(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 2)
    await pool.execute("INSERT INTO router_interests VALUES ('Rejected')")
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        await settle_and_mark(connection, "w", [], rows, 60, NOW)
        results = [
            sent(rows[0]),
            Result(Outcome(rows[1].message_id, 1, DeliveryState.REJECTED, "550", "policy")),
        ]
        await settle_and_mark(connection, "w", results, [], 60, NOW)
    pending = await pool.fetch(
        "SELECT type FROM pending_events JOIN events ON events.id = pending_events.event_id"
    )
    assert [row["type"] for row in pending] == ["Rejected"]


async def test_marking_again_after_a_lost_answer_gives_the_same_rows(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 3)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        first = await settle_and_mark(connection, "w", [], rows, 60, NOW)
        again = await settle_and_mark(connection, "w", [], rows, 60, NOW, repeated=True)
        other = await settle_and_mark(connection, "other", [], rows, 60, NOW, repeated=True)
        unasked = await settle_and_mark(connection, "w", [], rows, 60, NOW)
    assert unasked.marked == set()
    assert first.marked == again.marked == {row.message_id for row in rows}
    assert other.marked == set()
    assert await pool.fetchval("SELECT max(attempt) FROM deliveries") == 1


async def test_a_claim_that_ran_out_is_not_marked_and_goes_back_to_the_queue(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 3)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "slow", campaign_id, 0.01)
        await asyncio.sleep(0.05)
        assert (await settle_and_mark(connection, "slow", [], rows, 60, NOW)).marked == set()
        assert await sweep(pool) == (3, 0)
        again = await claimed(connection, "quick", campaign_id)
        assert len((await settle_and_mark(connection, "quick", [], again, 60, NOW)).marked) == 3
        assert (await settle_and_mark(connection, "slow", [], rows, 60, NOW)).marked == set()


async def test_a_mark_that_ran_out_becomes_uncertain_until_a_late_result_says_what_became_of_it(
    pool: Pool,
) -> None:
    campaign_id = await stock_campaign(pool, 3)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id, 0.5)
        await settle_and_mark(connection, "w", [], rows, 0.5, NOW)
        await asyncio.sleep(0.55)
        assert await sweep(pool) == (0, 3)
        late = [
            sent(rows[0]),
            Result(Outcome(rows[1].message_id, 1, DeliveryState.DEFERRED, "", "timeout"), 0.0),
            Result(Outcome(rows[2].message_id, 1, DeliveryState.REJECTED, "550", "mailbox_unknown")),
        ]
        assert (await settle_and_mark(connection, "other", late, [], 60, NOW)).settled == 0
        assert (await settle_and_mark(connection, "w", late, [], 60, NOW)).settled == 2
        assert (await settle_and_mark(connection, "w", late, [], 60, NOW)).settled == 0
        assert await claimed(connection, "w", campaign_id) == []
    assert await states(pool) == {"sent": 1, "uncertain": 1, "rejected": 1}
    assert await events(pool) == {"Sent": 1, "Rejected": 1}


async def test_a_deferred_row_waits_for_its_time_and_a_result_of_an_older_attempt_is_ignored(
    pool: Pool,
) -> None:
    campaign_id = await stock_campaign(pool, 1)
    async with pool.acquire() as connection:
        (row,) = await claimed(connection, "w", campaign_id)
        await settle_and_mark(connection, "w", [], [row], 60, NOW)
        refused = Result(Outcome(row.message_id, 1, DeliveryState.DEFERRED, "451", "greylisted"), 0.3)
        await settle_and_mark(connection, "w", [refused], [], 60, NOW)
        await close(pool, await ranges(pool))
        assert await claimed(connection, "w", campaign_id) == []
        await asyncio.sleep(0.35)
        (again,) = await claimed(connection, "w", campaign_id)
        assert again.attempt == 1
        await settle_and_mark(connection, "w", [], [again], 60, NOW)
        assert (await settle_and_mark(connection, "w", [sent(row)], [], 60, NOW)).settled == 0
        assert (await settle_and_mark(connection, "w", [sent(again)], [], 60, NOW)).settled == 1
    assert await events(pool) == {"Deferred": 1, "Sent": 1}


async def test_who_may_not_be_written_to_is_rejected_at_the_mark_with_the_reason(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 4)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        await connection.execute(
            "INSERT INTO suppressions (kind, address, reason, source) VALUES ('mail', $1, 'complaint', 'test')",
            rows[0].address,
        )
        await connection.execute(
            "UPDATE consents SET state = 'withdrawn' WHERE contact_id = $1", rows[1].contact_id
        )
        await connection.execute("DELETE FROM consents WHERE contact_id = $1", rows[2].contact_id)
        step = await settle_and_mark(connection, "w", [], rows, 60, NOW)
    assert step.marked == {rows[3].message_id}
    assert step.refused == {
        rows[0].message_id: "suppressed",
        rows[1].message_id: "consent_withdrawn",
        rows[2].message_id: "consent_withdrawn",
    }
    assert await states(pool) == {"rejected": 3, "sending": 1}
    assert await events(pool) == {"Rejected": 3}


async def test_a_contact_whose_marketing_is_paused_is_rejected_at_the_mark_until_the_matter_is_closed(
    pool: Pool,
) -> None:
    campaign_id = await stock_campaign(pool, 6)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        talk = await connection.fetchval("INSERT INTO conversations DEFAULT VALUES RETURNING id")
        done = await connection.fetchval("INSERT INTO conversations (state) VALUES ('closed') RETURNING id")
        case = await connection.fetchval("INSERT INTO cases (kind, title) VALUES ('sale', 'x') RETURNING id")
        pauses = [(talk, None, None), (None, case, None), (None, None, NOW + timedelta(hours=1))]
        over = [(done, None, None), (None, None, NOW)]
        for row, (conversation, matter, until) in zip(rows, [*pauses, *over], strict=False):
            await connection.execute(
                "INSERT INTO marketing_pauses (contact_id, key, conversation_id, case_id, until, created_at)"
                " VALUES ($1, $1::bigint::text, $2, $3, $4, $5)",
                row.contact_id,
                conversation,
                matter,
                until,
                NOW,
            )
        step = await settle_and_mark(connection, "w", [], rows, 60, NOW)
    assert step.refused == dict.fromkeys((row.message_id for row in rows[:3]), "marketing_paused")
    assert step.marked == {row.message_id for row in rows[3:]}


async def test_a_pause_waits_for_marks_under_way_and_nothing_is_marked_after_it(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 20)
    async with pool.acquire() as connection, pool.acquire() as other:
        rows = await claimed(connection, "w", campaign_id)
        marking = connection.transaction()
        await marking.start()
        await settle_and_mark(connection, "w", [], rows[:10], 60, NOW)
        pausing = asyncio.create_task(control.pause(pool, campaign_id))
        await asyncio.sleep(0.1)
        assert not pausing.done()
        await marking.commit()
        await pausing
        assert (await settle_and_mark(other, "w", [], rows[10:], 60, NOW)).marked == set()
    assert await states(pool) == {"sending": 10, "claimed": 10}


async def test_a_mark_that_waited_for_a_pause_sees_it(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 5)
    async with pool.acquire() as connection, pool.acquire() as pauser:
        rows = await claimed(connection, "w", campaign_id)
        pausing = pauser.transaction()
        await pausing.start()
        await pauser.execute("UPDATE campaigns SET state = 'paused' WHERE id = $1", campaign_id)
        marking = asyncio.create_task(settle_and_mark(connection, "w", [], rows, 60, NOW))
        await asyncio.sleep(0.1)
        assert not marking.done()
        await pausing.commit()
        assert (await marking).marked == set()


async def test_a_cancelled_campaign_gives_up_all_that_is_not_under_way(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 9)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        await settle_and_mark(connection, "w", [], rows[:3], 60, NOW)
        await control.cancel(pool, campaign_id)
        assert await states(pool) == {"sending": 3, "cancelled": 6}
        results = [
            sent(rows[0]),
            Result(Outcome(rows[1].message_id, 1, DeliveryState.DEFERRED, "451", "greylisted"), 0.0),
            Result(Outcome(rows[2].message_id, 1, DeliveryState.UNCERTAIN, "", "connection_lost")),
        ]
        await settle_and_mark(connection, "w", results, rows[3:], 60, NOW)
    await close(pool, await ranges(pool))
    assert await states(pool) == {"sent": 1, "uncertain": 1, "cancelled": 7}
    assert await ranges(pool) == []


async def test_a_pace_is_shared_by_all_who_reserve_from_it(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 1, rate=100)
    async with pool.acquire() as one, pool.acquire() as other:
        waits = []
        for _ in range(5):
            waits.append(await reserve(one, campaign_id, 10, 100))
            waits.append(await reserve(other, campaign_id, 10, 100))
    assert waits[0] <= 0
    assert 0.8 < waits[-1] <= 0.91


async def test_a_campaign_is_done_when_the_last_row_of_its_last_range_is_settled(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 4, size=2)
    async with pool.acquire() as connection:
        for _ in range(2):
            rows = await claimed(connection, "w", campaign_id)
            await settle_and_mark(connection, "w", [], rows, 60, NOW)
            await settle_and_mark(connection, "w", [sent(row) for row in rows], [], 60, NOW)
            assert await control.complete_finished(pool) == []
            await close(pool, await ranges(pool))
    assert await ranges(pool) == []
    assert await control.complete_finished(pool) == [campaign_id]


async def test_a_range_whose_worker_died_is_looked_at_when_its_leases_run_out(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 4)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "dead", campaign_id, 0.2)
        await settle_and_mark(connection, "dead", [], rows[:2], 0.5, NOW)
        await settle_and_mark(connection, "dead", [sent(rows[0])], [], 0.5, NOW)
        await asyncio.sleep(0.25)
        assert await sweep(pool) == (2, 0)
        assert await sweep(pool) == (0, 0)
        again = await claimed(connection, "w", campaign_id)
        assert [row.message_id for row in again] == [row.message_id for row in rows[2:]]
        await asyncio.sleep(0.3)
        assert await sweep(pool) == (0, 1)
    assert await states(pool) == {"sent": 1, "uncertain": 1, "claimed": 2}


async def test_a_range_that_two_workers_have_rows_of_is_swept_for_both(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 2)
    async with pool.acquire() as connection:
        (first, second) = await claimed(connection, "one", campaign_id)
        await settle_and_mark(connection, "one", [], [first], 60, NOW)
        later = Result(Outcome(first.message_id, 1, DeliveryState.DEFERRED, "451", "greylisted"), 0.0)
        await settle_and_mark(connection, "one", [later], [], 60, NOW)
        await close(pool, await ranges(pool))
        assert [row.message_id for row in await claimed(connection, "two", campaign_id, 0.1)] == [
            first.message_id
        ]
        await close(pool, await ranges(pool))
        await asyncio.sleep(0.15)
        assert await sweep(pool) == (1, 0)
        assert (await settle_and_mark(connection, "one", [], [second], 60, NOW)).marked == {second.message_id}


async def test_sent_rows_touch_no_index_on_their_way(pool: Pool) -> None:
    campaign_id = await stock_campaign(pool, 20)
    async with pool.acquire() as connection:
        rows = await claimed(connection, "w", campaign_id)
        await settle_and_mark(connection, "w", [], rows, 60, NOW)
        await settle_and_mark(connection, "w", [sent(row) for row in rows], [], 60, NOW)
        await connection.execute("SELECT pg_stat_force_next_flush()")
        (row,) = await connection.fetch(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'deliveries'"
        )
    assert row["n_tup_upd"] == row["n_tup_hot_upd"] == 60


async def test_whoever_withdrew_measuring_since_the_launch_gets_a_mail_without_a_token_of_their_own(
    pool: Pool,
) -> None:
    campaign_id = await stock_campaign(pool, 3)
    await pool.execute("UPDATE messages SET tracking_level = 'full'")
    await pool.execute(
        "INSERT INTO consents (contact_id, purpose, state, since)"
        " SELECT id, 'measure', CASE WHEN name = 'P1' THEN 'granted' ELSE 'withdrawn' END, now()"
        " FROM contacts WHERE name <> 'P3'"
    )
    async with pool.acquire() as connection:
        found = await claim(connection, "worker", campaign_id, 60)
    assert found is not None
    assert {row["name"]: row["tracking_level"] for row in found[1]} == {
        "P1": "full",
        "P2": "aggregate",
        "P3": "aggregate",
    }

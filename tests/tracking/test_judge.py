"""Judging in the database: when, with which neighbours, beside twins, and what a later finding changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.announce import CHANNEL, Announcer
from storage.pool import Pool
from tests.tracking.town import Letter, open_recorder, send_letter
from tracking.judge import judge_due
from tracking.settings import TrackingSettings
from tracking.verdicts import INVISIBLE_LABEL

AT_ONCE = TrackingSettings(settle_seconds=0.001)


async def record(
    pool: Pool, letter: Letter, *told: tuple[str, int | None, float], settle: float = 0.001, **facts: Any
) -> None:
    """Record hits (type, link, seconds ago), one after the other."""
    async with open_recorder(pool, TrackingSettings(settle_seconds=settle)) as recorder:
        for kind, link, _ in told:
            await recorder.put(letter.hit(kind, link_no=link, **facts))
    for position, (_, _, ago) in enumerate(reversed(told)):
        await pool.execute(
            "UPDATE hits SET arrived_at = now() - $1 * interval '1 second' WHERE event_id ="
            " (SELECT event_id FROM hits ORDER BY event_id DESC OFFSET $2 LIMIT 1)",
            ago,
            position,
        )
    await asyncio.sleep(0.01)


async def read_verdicts(pool: Pool) -> list[tuple[str, list[str]]]:
    rows = await pool.fetch("SELECT verdict, reasons FROM hits ORDER BY event_id")
    return [(row["verdict"], row["reasons"]) for row in rows]


async def test_a_hit_stays_unclear_until_it_has_settled(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Opened", None, 0), settle=60)
    assert await judge_due(pool, AT_ONCE) == 0
    assert await read_verdicts(pool) == [("unsure", [])]
    await pool.execute("UPDATE hits SET settle_at = now()")
    assert await judge_due(pool, AT_ONCE) == 1
    assert await read_verdicts(pool) == [("human", ["ordinary"])]
    assert await judge_due(pool, AT_ONCE) == 0


async def test_hits_are_judged_with_their_delivery(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Clicked", 1, 3595))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("machine", ["right_after_delivery", "no_open_before"])]


async def test_a_click_soon_after_an_uncertain_delivery_is_unclear(pool: Pool) -> None:
    letter = await send_letter(pool)
    await pool.execute("UPDATE deliveries SET state = 'uncertain'")
    await record(pool, letter, ("Clicked", 1, 3595))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("unsure", ["unknown_delivery"])]


async def test_a_click_long_after_an_uncertain_delivery_is_judged_as_any_other(pool: Pool) -> None:
    letter = await send_letter(pool)
    await pool.execute("UPDATE deliveries SET state = 'uncertain'")
    await record(pool, letter, ("Clicked", 1, 60))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("human", ["ordinary"])]


async def test_hits_on_a_mail_still_under_way_wait_for_its_result(pool: Pool) -> None:
    letter = await send_letter(pool)
    await pool.execute(
        "UPDATE deliveries SET state = 'sending', settled_at = NULL, lease_until = now() + interval '1 minute'"
    )
    await record(pool, letter, ("Clicked", 1, 0))
    assert await judge_due(pool, TrackingSettings(settle_seconds=0.2)) == 1
    assert await judge_due(pool, AT_ONCE) == 0
    assert await read_verdicts(pool) == [("unsure", [])]
    await pool.execute("UPDATE deliveries SET state = 'sent', settled_at = now(), lease_until = NULL")
    await asyncio.sleep(0.25)
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("machine", ["right_after_delivery", "no_open_before"])]


@pytest.mark.parametrize("state", ["queued", "claimed", "sending", "deferred", "rejected", "cancelled"])
async def test_a_hit_on_a_mail_that_nobody_knows_to_be_delivered_is_unclear(pool: Pool, state: str) -> None:
    letter = await send_letter(pool)
    await pool.execute("UPDATE deliveries SET state = $1, lease_until = now()", state)
    await record(pool, letter, ("Clicked", 1, 0))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("unsure", ["unknown_delivery"])]


async def test_what_was_noted_at_arrival_counts(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Clicked", 1, 0), method="HEAD", reasons="head")
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("machine", ["head"])]


async def test_a_link_that_nobody_can_see_gives_machines_away(pool: Pool) -> None:
    letter = await send_letter(pool)
    await pool.execute("UPDATE campaign_links SET label = $1 WHERE no = 4", INVISIBLE_LABEL)
    await record(pool, letter, ("Clicked", 4, 0))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("machine", ["invisible_link"])]


async def test_a_later_burst_changes_the_verdict_on_its_first_click(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Clicked", 1, 4))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("human", ["ordinary"])]
    await record(pool, letter, ("Clicked", 2, 3), ("Clicked", 3, 2))
    assert await judge_due(pool, AT_ONCE) == 2
    assert await read_verdicts(pool) == [("machine", ["burst"])] * 3


async def read_pending(pool: Pool) -> list[str]:
    rows = await pool.fetch(
        "SELECT e.type FROM pending_events p JOIN events e ON e.id = p.event_id"
        " WHERE p.lane = e.contact_id % 32 ORDER BY e.id"
    )
    return [row["type"] for row in rows]


async def test_only_a_verdict_that_changes_after_it_was_given_goes_to_the_rules_again(pool: Pool) -> None:
    await pool.execute("INSERT INTO router_interests VALUES ('Opened'), ('Clicked')")
    letter = await send_letter(pool)
    await record(pool, letter, ("Opened", None, 100), agent="Mozilla/5.0")
    await record(pool, letter, ("Opened", None, 90))
    await pool.execute("DELETE FROM pending_events")  # the rules looked at them and wait for the verdict
    await judge_due(pool, AT_ONCE)
    assert await read_pending(pool) == []
    await record(pool, letter, ("Clicked", 1, 10))
    await pool.execute("DELETE FROM pending_events")
    await judge_due(pool, AT_ONCE)
    assert await read_pending(pool) == ["Opened"]  # the other open was human before, for another reason


async def test_a_verdict_that_no_rule_asks_for_goes_nowhere(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Opened", None, 100), agent="Mozilla/5.0")
    await judge_due(pool, AT_ONCE)
    await record(pool, letter, ("Clicked", 1, 10))
    await judge_due(pool, AT_ONCE)
    assert await read_pending(pool) == []


async def test_a_change_waits_for_a_router_that_may_have_read_the_old_verdict(pool: Pool) -> None:
    await pool.execute("INSERT INTO router_interests VALUES ('Opened')")
    letter = await send_letter(pool)
    await record(pool, letter, ("Opened", None, 100), agent="Mozilla/5.0")
    await judge_due(pool, AT_ONCE)
    await record(pool, letter, ("Clicked", 1, 10))
    async with pool.acquire() as router:
        work = router.transaction()
        await work.start()
        await router.execute("SELECT FROM router_lanes WHERE lane = $1 FOR UPDATE", letter.contact_id % 32)
        judging = asyncio.create_task(judge_due(pool, AT_ONCE))
        await asyncio.wait([judging], timeout=0.3)
        assert not judging.done()
        await router.execute("DELETE FROM pending_events")  # pending since it was recorded, taken only now
        await work.commit()
    assert await judging == 1
    assert await read_pending(pool) == ["Opened"]


async def test_an_open_by_a_proxy_becomes_human_when_somebody_clicks(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Opened", None, 100), agent="Mozilla/5.0")
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("unsure", ["image_proxy"])]
    await record(pool, letter, ("Clicked", 1, 10))
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("human", ["followed_by_click"]), ("human", ["ordinary"])]


async def test_a_neighbour_still_in_its_window_counts_and_is_left_unclear(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Clicked", 1, 4))
    await record(pool, letter, ("Clicked", 2, 3), ("Clicked", 3, 2), settle=60)
    await judge_due(pool, AT_ONCE)
    assert await read_verdicts(pool) == [("machine", ["burst"]), ("unsure", []), ("unsure", [])]


async def test_hits_of_other_messages_are_no_neighbours(pool: Pool) -> None:
    letters = [await send_letter(pool) for _ in range(4)]
    for number, letter in enumerate(letters, 1):
        await record(pool, letter, ("Clicked", number, 0))
    assert await judge_due(pool, AT_ONCE) == 4
    assert {verdict for verdict, _ in await read_verdicts(pool)} == {"human"}


async def test_twins_share_the_work_and_judge_every_hit_once(pool: Pool) -> None:
    letters = [await send_letter(pool) for _ in range(10)]
    async with open_recorder(pool, AT_ONCE) as recorder:
        await asyncio.gather(*(recorder.put(letter.hit()) for _ in range(30) for letter in letters))
    small = TrackingSettings(judge_batch=20)

    async def judge_all() -> int:
        total = 0
        while judged := await judge_due(pool, small):
            total += judged
        return total

    assert sum(await asyncio.gather(*(judge_all() for _ in range(4)))) == 300
    assert {verdict for verdict, _ in await read_verdicts(pool)} == {"human"}


async def test_a_message_with_thousands_of_hits_is_judged_in_the_end(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool, AT_ONCE) as recorder:
        await asyncio.gather(*(recorder.put(letter.hit()) for _ in range(500)))
    small = TrackingSettings(judge_batch=100)
    assert [await judge_due(pool, small) for _ in range(6)] == [100, 100, 100, 100, 100, 0]


async def test_new_verdicts_are_announced(pool: Pool) -> None:
    letter = await send_letter(pool)
    await record(pool, letter, ("Opened", None, 0))
    told = asyncio.Event()

    def hear(*_: object) -> None:
        told.set()

    announcer = Announcer(pool)
    async with pool.acquire() as listener:
        await listener.add_listener(CHANNEL, hear)
        await judge_due(pool, AT_ONCE, announcer)
        await asyncio.wait_for(told.wait(), 5)
        await listener.remove_listener(CHANNEL, hear)
    await announcer.close()

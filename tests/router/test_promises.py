"""Queues promise answers and ends within working time: warned before, told after, and somebody answers for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import EventType
from inbox.desk.conversations import Desk, close, move_to_queue
from router.promises.model import Promise, Promises, clocks_of, count
from router.timers import run_due_timers
from router.working_time import read_calendar
from storage.pool import Pool
from tests.router.world import HOURS, MONDAY, World

PARIS = read_calendar(HOURS, "Europe/Paris", "FR")
FRIDAY = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)  # 17:00 in Paris
WARNED, BREACHED = EventType.WARNED, EventType.BREACHED


def test_a_promise_is_counted_in_working_time_and_warned_of_before_it_ends() -> None:
    clock = count(Promise.FIRST_ANSWER, Promises(first_answer="4 working hours"), FRIDAY, PARIS)
    assert clock is not None
    assert clock.due == datetime(2026, 3, 9, 11, 0, tzinfo=UTC)  # an hour on Friday, three on Monday
    assert clock.warn_at == datetime(2026, 3, 9, 10, 0, tzinfo=UTC)


def test_the_first_answer_and_the_next_have_their_own_time() -> None:
    promises = Promises(first_answer="1h", next_answer="2h", resolution="24h")
    first = clocks_of(promises, PARIS, waiting_since=FRIDAY, began_at=FRIDAY, answered=False)
    later = clocks_of(promises, PARIS, waiting_since=FRIDAY, began_at=FRIDAY, answered=True)
    silent = clocks_of(promises, PARIS, waiting_since=None, began_at=FRIDAY, answered=True)
    assert [clock.promise.value for clock in first] == ["first_answer", "resolution"]
    assert [clock.promise.value for clock in later] == ["next_answer", "resolution"]
    assert [clock.promise.value for clock in silent] == ["resolution"]
    assert later[0].due == FRIDAY + timedelta(hours=2)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 80),
    st.integers(1, 99),
    st.sampled_from(["working hours", "working days", "h"]),
)
def test_a_warning_comes_after_the_beginning_and_never_after_the_end(
    since: datetime, length: int, share: int, unit: str
) -> None:
    span = f"{length}h" if unit == "h" else f"{length} {unit}"
    clock = count(Promise.RESOLUTION, Promises(resolution=span, warn_after=share), since, PARIS)
    assert clock is not None
    assert since <= clock.warn_at <= clock.due


def test_no_time_at_all_is_no_promise() -> None:
    with pytest.raises(ValueError, match="give some time"):
        Promises(first_answer="0h")


async def _queue(world: World, name: str = "Support", **promises: Any) -> int:
    number: int = await world.pool.fetchval(
        "INSERT INTO queues (name, team_id, promises) VALUES ($1, $2, $3) RETURNING id",
        name, world.sales, Promises(**promises).written(),
    )  # fmt: skip
    return number


async def _talk(world: World, queue: int, **columns: Any) -> int:
    now = world.clock.now()
    values = {"queue_id": queue, "waiting_since": now, "created_at": now, **columns}
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    number: int = await world.pool.fetchval(
        f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
    )
    await run_due_timers(world.router)
    return number


async def _row(world: World, talk: int) -> Any:
    return await world.pool.fetchrow("SELECT * FROM conversations WHERE id = $1", talk)


async def _told(world: World) -> list[tuple[str, str]]:
    return [(row["type"], row["data"]["promise"]) for row in await world.events(WARNED, BREACHED)]


async def test_a_conversation_that_waits_has_its_due_time(world: World) -> None:
    talk = await _talk(
        world, await _queue(world, first_answer="2 working hours", resolution="2 working days")
    )
    row = await _row(world, talk)
    assert row["answer_due"] == MONDAY + timedelta(hours=2)
    assert row["resolve_due"] == MONDAY + timedelta(days=2)


async def test_first_a_warning_then_a_breach_that_goes_to_the_supervisor(world: World) -> None:
    talk = await _talk(world, await _queue(world, first_answer="2 working hours"))
    await world.pass_time(timedelta(minutes=89))
    assert await _told(world) == []
    await world.pass_time(timedelta(minutes=2))
    assert await _told(world) == [("Warned", "first_answer")]
    await world.pass_time(timedelta(minutes=30))
    assert await _told(world) == [("Warned", "first_answer"), ("Breached", "first_answer")]
    row = await _row(world, talk)
    assert (row["assignee_id"], row["priority"], row["breached_at"]) == (
        world.mona,
        "high",
        world.clock.now(),
    )
    await world.pass_time(timedelta(days=9))
    assert len(await _told(world)) == 2


async def test_whoever_has_it_keeps_it_when_it_is_too_late(world: World) -> None:
    talk = await _talk(world, await _queue(world, first_answer="1h"), assignee_id=world.paul)
    await world.pass_time(timedelta(hours=2))
    assert (await _row(world, talk))["assignee_id"] == world.paul


async def test_without_escalation_it_is_only_told(world: World) -> None:
    talk = await _talk(world, await _queue(world, first_answer="1h", escalate=False))
    await world.pass_time(timedelta(hours=2))
    row = await _row(world, talk)
    assert (row["assignee_id"], row["priority"]) == (None, "normal")
    assert await _told(world) == [("Breached", "first_answer")]


async def test_an_answer_stops_the_clock_and_the_next_message_starts_another(world: World) -> None:
    talk = await _talk(world, await _queue(world, first_answer="1h", next_answer="3h"))
    await world.pool.execute(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('out', 'mail', $1)", talk
    )
    await world.pool.execute(
        "UPDATE conversations SET state = 'waiting', waiting_since = NULL WHERE id = $1", talk
    )
    await world.pass_time(timedelta(hours=5))
    assert (await _told(world), (await _row(world, talk))["answer_due"]) == ([], None)
    await world.pool.execute(
        "UPDATE conversations SET state = 'open', waiting_since = $2 WHERE id = $1", talk, world.clock.now()
    )
    await run_due_timers(world.router)
    assert (await _row(world, talk))["answer_due"] == world.clock.now() + timedelta(hours=3)
    await world.pass_time(timedelta(hours=4))
    assert await _told(world) == [("Breached", "next_answer")]


async def test_an_acknowledgement_that_we_sent_by_ourselves_is_no_answer(world: World, pool: Pool) -> None:
    queue = await _queue(world, first_answer="1h", next_answer="9h")
    talk = await pool.fetchval("INSERT INTO conversations (queue_id) VALUES ($1) RETURNING id", queue)
    message = await pool.fetchval(
        "INSERT INTO messages (direction, channel, conversation_id) VALUES ('out', 'mail', $1) RETURNING id",
        talk,
    )
    await pool.execute(
        "INSERT INTO letters (message_id, kind, sender) VALUES ($1, 'auto_answer', 'us@hub.example')", message
    )
    now = world.clock.now()
    await pool.execute("UPDATE conversations SET waiting_since = $2 WHERE id = $1", talk, now)
    await run_due_timers(world.router)
    assert (await _row(world, talk))["answer_due"] == now + timedelta(hours=1)


async def test_closing_ends_every_clock(world: World, pool: Pool) -> None:
    talk = await _talk(world, await _queue(world, first_answer="1h", resolution="2h"))
    await close(Desk(pool, world.clock, None, world.mona), talk)
    await world.pass_time(timedelta(days=3))
    assert await _told(world) == []
    assert await pool.fetchval("SELECT count(*) FROM timers WHERE kind = 'promise'") == 0


async def test_moving_it_counts_by_what_the_other_queue_promises(world: World, pool: Pool) -> None:
    slow, quick = await _queue(world, first_answer="48h"), await _queue(world, "Quick", first_answer="2h")
    talk = await _talk(world, slow)
    await move_to_queue(Desk(pool, world.clock, None, world.mona), talk, quick)
    await run_due_timers(world.router)
    assert (await _row(world, talk))["answer_due"] == MONDAY + timedelta(hours=2)


async def test_a_queue_may_work_at_other_times_than_its_team(world: World, pool: Pool) -> None:
    queue = await _queue(world, first_answer="1 working hour")
    await pool.execute("UPDATE queues SET hours = $2 WHERE id = $1", queue, {"sat": [["10:00", "12:00"]]})
    talk = await _talk(world, queue)
    assert (await _row(world, talk))["answer_due"] == datetime(2026, 3, 7, 10, 0, tzinfo=UTC)


async def test_in_a_confidential_queue_only_its_own_people_get_what_is_too_late(
    world: World, pool: Pool
) -> None:
    queue = await _queue(world, first_answer="1h")
    await pool.execute("UPDATE queues SET confidential = true WHERE id = $1", queue)
    await pool.execute("DELETE FROM team_members WHERE user_id = $1", world.mona)
    talk = await _talk(world, queue)
    await world.pass_time(timedelta(hours=2))
    row = await _row(world, talk)
    assert (row["assignee_id"], row["priority"]) == (world.claire, "high")
    await pool.execute("DELETE FROM team_members")
    talk = await _talk(world, queue)
    await world.pass_time(timedelta(hours=2))
    assert (await _row(world, talk))["assignee_id"] is None


async def test_rules_act_on_what_is_nearly_late(world: World, pool: Pool) -> None:
    await world.apply("- {name: hurry, when: Warned, then: [{note: Hurry}]}")
    await _talk(world, await _queue(world, first_answer="4h"))
    await world.pass_time(timedelta(hours=3, minutes=1))
    assert [row["body"] for row in await pool.fetch("SELECT body FROM event_texts")] == ["Hurry"]


async def test_two_routers_tell_of_a_breach_once(world: World, pool: Pool) -> None:
    for _ in range(20):
        await _talk(world, await _queue(world, f"Q{_}", first_answer="1h"))
    world.clock.advance(timedelta(hours=2))
    await asyncio.gather(*[run_due_timers(world.router) for _ in range(4)])
    while await run_due_timers(world.router):
        pass
    assert len(await world.events(BREACHED)) == 20

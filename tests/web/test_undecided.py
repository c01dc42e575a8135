"""Nothing may lie undecided: every message that nobody took is in one list, oldest first, with an alarm at a limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.clock import FixedClock
from inbox.desk.undecided import OVERLOOKED_MESSAGES, UNDECIDED_MESSAGES, raise_alarms
from storage.announce import Announcer
from storage.pool import Pool
from tests.web.house import House, Visitor

NOW = datetime.now(UTC)


class Desk:
    """A house with a queue, and conversations in it."""

    def __init__(self, house: House, pool: Pool, visitor: Visitor, queue: int, person: int) -> None:
        self.house, self.pool, self.visitor, self.queue, self.person = house, pool, visitor, queue, person

    async def talk(self, subject: str, hours: float, **columns: Any) -> int:
        """A conversation that has waited so long."""
        values = {
            "subject": subject,
            "queue_id": self.queue,
            "waiting_since": NOW - timedelta(hours=hours),
            **columns,
        }
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        number: int = await self.pool.fetchval(
            f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places}) RETURNING id",
            *values.values(),
        )
        return number

    async def listed(self) -> list[str]:
        """The subjects that the API lists."""
        _, answer = await self.visitor.call("GET", "/undecided")
        return [item["subject"] for item in answer["items"]]


@pytest.fixture
async def desk(house: House, pool: Pool) -> Desk:
    """A manager looks."""
    queue = await pool.fetchval("INSERT INTO queues (name) VALUES ('Support') RETURNING id")
    visitor = await house.signed_in("manager")
    person = await pool.fetchval("SELECT id FROM users")
    return Desk(house, pool, visitor, queue, person)


async def test_what_nobody_took_is_listed_oldest_first(desk: Desk) -> None:
    await desk.talk("Young", 1)
    await desk.talk("Old", 30)
    await desk.talk("Taken", 2, assignee_id=desk.person)
    await desk.talk("Answered", 3, state="waiting", waiting_since=None)
    await desk.talk("Closed", 3, state="closed", waiting_since=None)
    await desk.talk("Junk", 3, junk=True)
    assert await desk.listed() == ["Old", "Young"]
    page = await desk.visitor.get("/undecided")
    assert page.words.index("Old") < page.words.index("Young")
    assert "2 messages wait for a decision." in page.words


async def test_offering_it_decides_nothing_and_accepting_does(desk: Desk) -> None:
    talk = await desk.talk("Where is it?", 1)
    task = await desk.house.task(None, conversation_id=talk, assignee_id=desk.person)
    assert await desk.listed() == ["Where is it?"]
    assert "respond before" in (await desk.visitor.get("/undecided")).words
    await desk.pool.execute("UPDATE tasks SET state = 'accepted' WHERE id = $1", task)
    assert await desk.listed() == []
    await desk.pool.execute("UPDATE tasks SET state = 'declined', closed_at = now() WHERE id = $1", task)
    assert await desk.listed() == ["Where is it?"]


async def test_a_task_that_was_done_before_they_wrote_again_decides_nothing(desk: Desk) -> None:
    talk = await desk.talk("Again", 1)
    await desk.house.task(None, conversation_id=talk, state="done", closed_at=NOW - timedelta(hours=2))
    assert await desk.listed() == ["Again"]


async def test_what_waits_longer_than_the_limit_is_late(desk: Desk) -> None:
    await desk.talk("Old", 5)
    await desk.talk("Young", 3)
    _, answer = await desk.visitor.call("GET", "/undecided")
    assert [item["late"] for item in answer["items"]] == [True, False]
    assert (answer["count"], answer["late"], answer["limit_hours"]) == (2, 1, 4)
    assert "1 message has waited longer than it may." in (await desk.visitor.get("/undecided")).words


async def test_the_list_goes_on_from_page_to_page(desk: Desk) -> None:
    for number in range(5):
        await desk.talk(f"Number {number}", 10 - number)
    _, first = await desk.visitor.call("GET", "/undecided?limit=3")
    _, second = await desk.visitor.call("GET", f"/undecided?limit=3&after={first['next']}")
    assert [item["subject"] for item in (*first["items"], *second["items"])] == [
        f"Number {number}" for number in range(5)
    ]
    assert second["next"] is None


async def test_others_confidential_messages_are_not_in_it(desk: Desk) -> None:
    await desk.talk("Secret", 9)
    team = await desk.house.team("HR")
    await desk.pool.execute("UPDATE queues SET confidential = true, team_id = $1", team)
    assert await desk.listed() == []
    assert "Everything is decided" in (await desk.visitor.get("/undecided")).words


async def _alarm(desk: Desk, hours: float = 4, ahead: float = 0) -> int:
    clock, announcer = FixedClock(NOW + timedelta(hours=ahead)), Announcer(desk.pool)
    try:
        return await raise_alarms(desk.pool, clock, announcer, timedelta(hours=hours))
    finally:
        await announcer.close()


async def test_the_alarm_is_told_once_for_each_wait(desk: Desk) -> None:
    talk = await desk.talk("Old", 5)
    await desk.talk("Young", 1)
    assert [await _alarm(desk), await _alarm(desk)] == [1, 0]
    assert (UNDECIDED_MESSAGES._value.get(), OVERLOOKED_MESSAGES._value.get()) == (2, 1)
    [event] = await desk.pool.fetch("SELECT * FROM events WHERE type = 'Overlooked'")
    assert event["conversation_id"] == talk
    await desk.pool.execute("UPDATE conversations SET waiting_since = $2 WHERE id = $1", talk, NOW)
    assert await _alarm(desk, ahead=5) == 2


async def test_without_a_limit_there_is_no_alarm(desk: Desk) -> None:
    await desk.talk("Old", 500)
    assert await _alarm(desk, hours=0) == 0
    assert await desk.pool.fetchval("SELECT count(*) FROM events") == 0

"""What a queue promises is set in its form or by programs, and shown in lists and beside the conversation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.loop import Router
from router.promises.counting import count_clocks
from storage.pool import Pool
from tests.web.house import House, Visitor

FORM = {
    "name": "Support",
    "language": "en",
    "first_answer": "4 working hours",
    "resolution": "2 working days",
    "warn_after": "80",
    "escalate": "yes",
    "hours-mon": "9-12:30, 14-18",
}


@pytest.fixture
async def manager(house: House) -> Visitor:
    """Somebody who may change queues."""
    return await house.signed_in("manager")


async def _count(house: House) -> None:
    """As the worker does."""
    context = house.context
    await count_clocks(Router(context.pool, context.clock, context.announcer, context.router))


async def _talk(pool: Pool, **columns: Any) -> int:
    values = {"subject": "Panels", "waiting_since": datetime.now(UTC), **columns}
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    number: int = await pool.fetchval(
        f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
    )
    return number


async def test_promises_are_kept_as_they_were_written(manager: Visitor, pool: Pool) -> None:
    await manager.get("/queues/new")
    assert "The queue is saved." in (await manager.post("/queues/new", FORM)).words
    row = await pool.fetchrow("SELECT * FROM queues")
    assert row is not None
    assert row["promises"] == {
        "first_answer": "4 working hours",
        "resolution": "2 working days",
        "warn_after": 80,
        "escalate": True,
    }
    assert row["hours"] == {"mon": [["09:00", "12:30"], ["14:00", "18:00"]]}
    page = await manager.get(f"/queues/{row['id']}")
    for written in ("4 working hours", "2 working days", "09:00-12:30, 14:00-18:00"):
        assert f'value="{written}"' in page.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"first_answer": "soon"}, "length of time"),
        ({"warn_after": "200"}, "This number is too large."),
        ({"hours-mon": "nine to five"}, "These are no working hours."),
    ],
)
async def test_what_cannot_be_promised_is_refused_at_its_field(
    manager: Visitor, pool: Pool, wrong: dict[str, str], said: str
) -> None:
    await manager.get("/queues/new")
    answer = await manager.post("/queues/new", {**FORM, **wrong})
    assert answer.status == 422
    assert said in answer.words
    assert await pool.fetchval("SELECT count(*) FROM queues") == 0


async def test_programs_set_promises_too(manager: Visitor) -> None:
    await manager.get("/queues")
    queue = {"name": "Press", "promises": {"next_answer": "2h"}, "hours": {"tue": [["08:00", "12:00"]]}}
    status, made = await manager.call("POST", "/queues", queue)
    assert status == 201
    assert (made["promises"]["next_answer"], made["hours"]) == ("2h", {"tue": [["08:00", "12:00"]]})
    assert (await manager.call("POST", "/queues", {"name": "Bad", "hours": {"tue": [["9", "8"]]}}))[0] == 422
    assert (await manager.call("POST", "/queues", {"name": "Bad", "promises": {"first_answer": "0h"}}))[
        0
    ] == 422


async def test_lists_and_conversations_show_until_when_an_answer_is_due(
    house: House, manager: Visitor, pool: Pool
) -> None:
    queue = await pool.fetchval(
        'INSERT INTO queues (name, promises) VALUES (\'Support\', \'{"first_answer": "2h", "resolution": "9d"}\')'
        " RETURNING id"
    )
    talk = await _talk(pool, queue_id=queue)
    late = await _talk(pool, queue_id=queue, waiting_since=datetime.now(UTC) - timedelta(hours=5))
    await _count(house)
    words = await manager.get("/conversations?box=open")
    assert words.text.count('class="clock late"') == 1
    assert "answer due" in words.text
    page = await manager.get(f"/conversations/{talk}")
    assert "answer due" in page.words
    assert "to be closed until" in page.words
    _, found = await manager.call("GET", f"/conversations/{late}")
    assert datetime.fromisoformat(found["answer_due"]) < datetime.now(UTC)


async def test_clocks_follow_when_a_queue_promises_other_times(
    house: House, manager: Visitor, pool: Pool
) -> None:
    await manager.get("/queues")
    _, made = await manager.call("POST", "/queues", {"name": "Support", "promises": {"first_answer": "2h"}})
    talk = await _talk(pool, queue_id=made["id"])
    await _count(house)
    before = await pool.fetchval("SELECT answer_due FROM conversations WHERE id = $1", talk)
    given = {"name": "Support", "promises": {"first_answer": "3h"}}
    assert (await manager.call("PUT", f"/queues/{made['id']}", given))[0] == 200
    await _count(house)
    after = await pool.fetchval("SELECT answer_due FROM conversations WHERE id = $1", talk)
    assert after - before == timedelta(hours=1)


async def test_a_queue_that_becomes_confidential_seals_what_is_in_it(
    house: House, manager: Visitor, pool: Pool
) -> None:
    team = await house.team("HR")
    await manager.get("/queues")
    _, made = await manager.call("POST", "/queues", {"name": "HR", "team_id": team})
    talk = await _talk(pool, queue_id=made["id"])
    given = {"name": "HR", "team_id": team, "confidential": True}
    assert (await manager.call("PUT", f"/queues/{made['id']}", given))[0] == 200
    assert await pool.fetchval("SELECT sealed_at IS NOT NULL FROM conversations WHERE id = $1", talk)

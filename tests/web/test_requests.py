"""Whoever asked for a task is told how it ended."""

from __future__ import annotations

from domain.tasks import TaskMove
from tests.web.house import House


async def test_the_requester_finds_how_a_task_ended_until_they_looked(house: House) -> None:
    boss = await house.signed_in("manager", name="Mona")
    mona = await house.pool.fetchval("SELECT id FROM users WHERE role = 'manager'")
    rep = await house.signed_in("rep")
    rosa = await house.pool.fetchval("SELECT id FROM users WHERE role = 'rep'")
    contact = await house.contact()
    task = await house.task(
        contact, kind="todo", title="Count the chairs", assignee_id=rosa, requester_id=mona
    )
    page = await boss.get("/tasks?scope=asked")
    assert page.status == 200
    assert f'href="/tasks/{task}"' in page.text
    assert "Ended, and not looked at yet" not in page.words
    await rep.call("POST", f"/tasks/{task}/moves", {"move": TaskMove.ACCEPT})
    done = {"move": TaskMove.FINISH, "outcome": {"result": "done", "note": "Forty"}}
    status, _ = await rep.call("POST", f"/tasks/{task}/moves", done)
    assert status == 200
    page = await boss.get("/tasks?scope=asked")
    assert "Ended, and not looked at yet" in page.words
    _, listed = await boss.call("GET", "/tasks?scope=asked")
    assert [(one["id"], one["outcome"]["result"]) for one in listed["items"]] == [(task, "done")]
    await boss.get(f"/tasks/{task}")
    page = await boss.get("/tasks?scope=asked")
    assert "Nothing is under way" in page.words
    assert "Ended, and not looked at yet" not in page.words


async def test_looking_at_it_as_somebody_else_changes_nothing(house: House) -> None:
    other = await house.signed_in("administrator")
    mona = await house.user("manager", "Mona")
    task = await house.task(
        await house.contact(),
        kind="todo",
        requester_id=mona,
        state="declined",
        closed_at=house.context.clock.now(),
    )
    assert (await other.get(f"/tasks/{task}")).status == 200
    assert await house.pool.fetchval("SELECT outcome_seen_at FROM tasks") is None

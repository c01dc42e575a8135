"""Routers that are killed in the middle of their work lose nothing and do nothing twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

import pytest

from router.loop import run_router
from router.timers import run_timers
from storage.announce import Bell
from tests.router.world import CALLBACK, World

ROOT = Path(__file__).parents[2]
EVERY_OPEN = """
- name: every-open
  when: Opened
  then:
    - open_task: {kind: todo, title: "{contact.name}", assign: {owner: true, else_team: sales}}
    - note: seen
"""


async def start(database_url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.router.router_process",
        database_url,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.communicate()


async def until_zero(world: World, query: str) -> None:
    for _ in range(400):
        if await world.pool.fetchval(query) == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"still not zero after 40 s: {query}")


@pytest.mark.slow
async def test_killed_routers_lose_nothing_and_do_nothing_twice(world: World, database_url: str) -> None:
    await world.apply(EVERY_OPEN + CALLBACK)
    contacts = [await world.contact(f"Contact {number}") for number in range(60)]
    for contact in contacts:
        await world.consent(contact, "calls")
    held = []
    dice = random.Random(7)
    processes = [await start(database_url) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), 30)
        for kills in range(8):
            for contact in contacts:
                judged = dice.random() < 0.8
                event = await world.hit(contact, judged=judged, verdict="human" if judged else "unsure")
                if not judged:
                    held.append(event)
            await asyncio.sleep(dice.uniform(0, 0.3))
            victim = kills % 2
            await kill(processes[victim])
            processes[victim] = await start(database_url)
        for event in held:
            await world.judge(event, "human")
        await until_zero(
            world,
            "SELECT (SELECT count(*) FROM pending_events) + (SELECT count(*) FROM timers WHERE kind = 'hold')",
        )
    finally:
        for process in processes:
            await kill(process)
    assert len(held) > 50
    counts = await world.pool.fetch(
        "SELECT rules.name, count(*), count(DISTINCT (event_id)) FROM tasks JOIN rules ON rules.id = rule_id"
        " GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in counts] == [("call-openers", 60, 60), ("every-open", 480, 480)]
    assert len(await world.pool.fetch("SELECT 1 FROM events WHERE type = 'TaskOpened'")) == 540
    assert len(await world.pool.fetch("SELECT 1 FROM events WHERE type = 'Noted'")) == 480
    assert len(await world.pool.fetch("SELECT 1 FROM timers WHERE kind = 'due'")) == 540
    runs = await world.runs()
    assert (runs.count(("every-open", "acted")), runs.count(("every-open", "failed"))) == (480, 0)
    assert runs.count(("call-openers", "acted")) == 60


async def test_a_running_router_takes_events_as_they_come_and_stops_when_told(
    world: World, database_url: str
) -> None:
    await world.apply(CALLBACK)
    bell = Bell(database_url)
    bell.start()
    stop = asyncio.Event()
    loops = asyncio.gather(run_router(world.router, bell, stop), run_timers(world.router, stop))
    for number in range(5):
        await world.hit(await world.contact(f"Contact {number}"))
        world.router.announcer.touch()
    await until_zero(world, "SELECT 5 - count(*) FROM tasks")
    stop.set()
    await asyncio.wait_for(loops, 5)
    await bell.close()

"""Loops go on after outages, services are started again after they broke."""

from __future__ import annotations

import asyncio

import asyncpg

from storage.announce import Bell
from worker.loops import Loop, keep_running


async def test_a_loop_turns_while_there_is_work_then_waits_to_be_woken() -> None:
    turns = 0

    async def step() -> bool:
        nonlocal turns
        turns += 1
        return turns < 3

    loop, stop = Loop("counting", step, 60, rings=False), asyncio.Event()
    task = asyncio.create_task(loop.run(Bell("postgresql://nowhere"), stop))
    await asyncio.sleep(0.05)
    assert turns == 3
    loop.wake()
    await asyncio.sleep(0.05)
    assert turns == 4
    stop.set()
    await task


async def test_a_loop_wakes_when_the_bell_rings() -> None:
    turns = 0

    async def step() -> bool:
        nonlocal turns
        turns += 1
        return False

    bell, stop = Bell("postgresql://nowhere"), asyncio.Event()
    task = asyncio.create_task(Loop("listening", step, 60).run(bell, stop))
    await asyncio.sleep(0.05)
    bell.ring()
    await asyncio.sleep(0.05)
    stop.set()
    await task
    assert turns == 2


async def test_a_loop_waits_out_an_absent_database() -> None:
    turns = 0

    async def step() -> bool:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise ConnectionRefusedError("nobody listens")
        return False

    stop = asyncio.Event()
    task = asyncio.create_task(Loop("patient", step, 60, rings=False).run(Bell("postgresql://nowhere"), stop))
    await asyncio.sleep(0.5)
    assert turns == 3
    stop.set()
    await task


async def test_what_breaks_is_started_again() -> None:
    starts = 0
    stop = asyncio.Event()

    async def run() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise RuntimeError("broken")
        await stop.wait()

    task = asyncio.create_task(keep_running("fragile", run, stop))
    await asyncio.sleep(0.6)
    assert starts == 3
    stop.set()
    await task


async def test_a_loop_tries_again_after_a_deadlock() -> None:
    turns = 0

    async def step() -> bool:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise asyncpg.DeadlockDetectedError("two waited for each other")
        return False

    stop = asyncio.Event()
    task = asyncio.create_task(Loop("unlucky", step, 60, rings=False).run(Bell("postgresql://nowhere"), stop))
    await asyncio.sleep(0.3)
    stop.set()
    await task
    assert turns == 2

"""The loop over imports: unfinished ones are found again, and no two workers run the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from channels.mail.settings import MailSettings
from channels.mail.smtp import MailChannel
from domain.clock import SystemClock
from domain.tokens import TokenKeys
from outbox.composing import MailKitchen
from outbox.settings import OutboxSettings
from storage.announce import Announcer, Bell
from storage.pool import Pool
from worker.context import WorkerContext
from worker.work import run_imports


def context(pool: Pool, run_import: Callable[[int], Awaitable[object]]) -> WorkerContext:
    return WorkerContext(
        pool=pool,
        announcer=Announcer(pool),
        bell=Bell("postgresql://nowhere"),
        clock=SystemClock(),
        channel=MailChannel(MailSettings()),
        kitchen=MailKitchen(TokenKeys({1: bytes(32)}), "https://news.example.org", OutboxSettings()),
        run_import=run_import,
    )


async def add_import(pool: Pool, state: str) -> int:
    import_id: int = await pool.fetchval(
        "INSERT INTO imports (name, path, state) VALUES ('a.csv', '/nowhere', $1) RETURNING id", state
    )
    return import_id


async def test_waiting_imports_and_those_of_dead_workers_are_run(pool: Pool) -> None:
    wanted = [await add_import(pool, "waiting"), await add_import(pool, "running")]
    for state in ("done", "failed", "cancelled"):
        await add_import(pool, state)
    ran = []

    async def run(import_id: int) -> None:
        ran.append(import_id)
        await pool.execute("UPDATE imports SET state = 'done' WHERE id = $1", import_id)

    assert await run_imports(context(pool, run))
    assert ran == wanted
    assert not await run_imports(context(pool, run))


async def test_twins_do_not_run_the_same_import(pool: Pool) -> None:
    await add_import(pool, "waiting")
    ran = []

    async def run(import_id: int) -> None:
        ran.append(import_id)
        await asyncio.sleep(0.3)
        await pool.execute("UPDATE imports SET state = 'done' WHERE id = $1", import_id)

    await asyncio.gather(*[run_imports(context(pool, run)) for _ in range(3)])
    assert len(ran) == 1

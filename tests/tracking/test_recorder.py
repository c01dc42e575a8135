"""The recorder: groups, what happens when the database is away, refuses or dies, and hits that cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from prometheus_client import REGISTRY

from storage.fate import Fate, judge_error
from storage.pool import Pool, open_pool
from tests.tracking.town import (
    Letter,
    count_traces,
    open_recorder,
    read_counts,
    read_hits,
    send_letter,
    until,
)
from tests.tracking.wire import Wire, lay_wire
from tracking.hits import Outcome
from tracking.recorder import Recorder
from tracking.settings import TrackingSettings

HASTY = TrackingSettings(patience=0.4)


def read_metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def recorder_on_a_wire(
    database_url: str, settings: TrackingSettings = HASTY
) -> AsyncIterator[tuple[Recorder, Wire]]:
    async with lay_wire(database_url) as wire:
        pool = await open_pool(wire.url, max_size=3)
        try:
            async with open_recorder(pool, settings) as recorder:
                yield recorder, wire
        finally:
            pool.terminate()


async def put_until_recorded(recorder: Recorder, letter: Letter) -> None:
    async def recorded() -> bool:
        return await recorder.put(letter.hit()) is Outcome.PERSONAL

    await until(recorded)


async def test_hits_that_arrive_together_are_committed_together(pool: Pool) -> None:
    letters = [await send_letter(pool, level) for level in ("full", "aggregate", "none")]
    async with open_recorder(pool) as recorder:
        outcomes = await asyncio.gather(
            *(recorder.put(letter.hit()) for _ in range(100) for letter in letters)
        )
    assert outcomes == [Outcome.PERSONAL, Outcome.ANONYMOUS, Outcome.REFUSED] * 100
    hits = await read_hits(pool)
    assert len(hits) == 100
    assert len({hit["recorded_at"] for hit in hits}) < 10
    assert await read_counts(pool) == {("Opened", 0): 100}


async def test_events_of_a_group_are_numbered_in_the_order_of_arrival(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        await asyncio.gather(*(recorder.put(letter.hit("Clicked", link_no=n % 5 + 1)) for n in range(50)))
    assert [hit["link_no"] for hit in await read_hits(pool)] == [n % 5 + 1 for n in range(50)]


async def test_a_hit_that_cannot_be_written_does_not_take_others_with_it(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        poison = {
            20: letter.hit(address="no address"),  # the server refuses it
            40: letter.hit(data="{"),
            60: letter.hit(agent="\0"),
            80: letter.hit(link_no=10**6),  # the driver refuses it
            90: letter.hit(agent="\udc80"),
        }
        outcomes = await asyncio.gather(*(recorder.put(poison.get(n, letter.hit())) for n in range(100)))
    assert [n for n, outcome in enumerate(outcomes) if outcome is not Outcome.PERSONAL] == list(poison)
    assert {outcomes[n] for n in poison} == {Outcome.UNRECORDED}
    assert len(await read_hits(pool)) == 95


async def test_a_hit_waits_for_a_database_that_comes_back_in_time(pool: Pool, database_url: str) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url, TrackingSettings(patience=5)) as (recorder, wire):
        assert await recorder.put(letter.hit()) is Outcome.PERSONAL
        await wire.break_down()
        waiting = recorder.put(letter.hit())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        wire.mend()
        assert await waiting is Outcome.PERSONAL
    assert len(await read_hits(pool)) == 2


async def test_without_a_database_a_hit_is_answered_as_unrecorded_after_its_patience(
    pool: Pool, database_url: str
) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url) as (recorder, wire):
        await wire.break_down()
        before = read_metric("clytie_hits_unrecorded_total", cause="database")
        begun = asyncio.get_running_loop().time()
        assert await recorder.put(letter.hit()) is Outcome.UNRECORDED
        assert 0.3 < asyncio.get_running_loop().time() - begun < 1.5
        assert read_metric("clytie_hits_unrecorded_total", cause="database") == before + 1


async def test_hits_answered_as_unrecorded_are_recorded_late_when_the_database_returns(
    pool: Pool, database_url: str
) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url) as (recorder, wire):
        await wire.break_down()
        answers = await asyncio.gather(*(recorder.put(letter.hit()) for _ in range(5)))
        assert set(answers) == {Outcome.UNRECORDED}
        wire.mend()

        async def all_recorded() -> bool:
            return len(await read_hits(pool)) == 5

        await until(all_recorded)
    waited = await pool.fetchval("SELECT min(recorded_at - arrived_at) FROM hits")
    assert waited.total_seconds() > 0.3


async def test_late_hits_are_forgotten_in_the_end(pool: Pool, database_url: str) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url, TrackingSettings(patience=0.1, late_seconds=0.1)) as (
        recorder,
        wire,
    ):
        await wire.break_down()
        before = read_metric("clytie_hits_lost_total", cause="database")
        assert await recorder.put(letter.hit("Clicked", link_no=1)) is Outcome.UNRECORDED

        async def forgotten() -> bool:
            return read_metric("clytie_hits_lost_total", cause="database") == before + 1

        await until(forgotten)
        wire.mend()
        await put_until_recorded(recorder, letter)
    assert {hit["type"] for hit in await read_hits(pool)} == {"Opened"}


async def test_a_commit_whose_answer_got_lost_is_not_acknowledged_and_not_repeated(
    pool: Pool, database_url: str
) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url, TrackingSettings(patience=5)) as (recorder, wire):
        assert await recorder.put(letter.hit()) is Outcome.PERSONAL
        wire.deaf = True
        waiting = recorder.put(letter.hit("Clicked", link_no=1))

        async def committed() -> bool:
            return len(await read_hits(pool)) == 2

        await until(committed)
        assert not waiting.done()
        wire.cut()
        assert await waiting is Outcome.UNRECORDED
        wire.mend()
        await put_until_recorded(recorder, letter)
    assert [hit["type"] for hit in await read_hits(pool)].count("Clicked") == 1


async def test_a_silent_database_makes_nobody_wait_longer_than_its_patience(
    pool: Pool, database_url: str
) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url) as (recorder, wire):
        assert await recorder.put(letter.hit()) is Outcome.PERSONAL
        wire.deaf = True
        begun = asyncio.get_running_loop().time()
        assert await recorder.put(letter.hit()) is Outcome.UNRECORDED
        assert await recorder.put(letter.hit()) is Outcome.UNRECORDED
        assert asyncio.get_running_loop().time() - begun < 2
        await wire.break_down()


async def test_a_full_queue_answers_at_once(pool: Pool, database_url: str) -> None:
    letter = await send_letter(pool)
    async with recorder_on_a_wire(database_url, TrackingSettings(queue_limit=3, patience=0.4)) as (
        recorder,
        wire,
    ):
        await wire.break_down()
        await asyncio.sleep(0)
        futures = [recorder.put(letter.hit()) for _ in range(5)]
        assert [future.done() for future in futures] == [False, False, False, True, True]
        assert set(await asyncio.gather(*futures)) == {Outcome.UNRECORDED}


async def test_closing_commits_what_still_waits(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool) as recorder:
        futures = [recorder.put(letter.hit()) for _ in range(20)]
    assert [future.result() for future in futures] == [Outcome.PERSONAL] * 20
    assert len(await read_hits(pool)) == 20


async def test_a_group_that_lost_a_deadlock_is_committed_in_the_next_round(pool: Pool) -> None:
    letter = await send_letter(pool, "deliverability", None)
    other = await send_letter(pool, "deliverability", None)
    async with open_recorder(pool, TrackingSettings(patience=20)) as recorder:
        async with pool.acquire() as rival, rival.transaction():
            await rival.execute("SET LOCAL deadlock_timeout = '30s'")
            await rival.execute("SELECT FROM identities WHERE contact_id = $1 FOR UPDATE", other.contact_id)
            futures = [recorder.put(letter.hit()), recorder.put(other.hit())]
            await asyncio.sleep(0.3)  # the recorder holds the first row and waits for ours
            taking = asyncio.create_task(
                rival.execute("SELECT FROM identities WHERE contact_id = $1 FOR UPDATE", letter.contact_id)
            )
            await asyncio.wait_for(taking, 20)
        assert await asyncio.gather(*futures) == [Outcome.DELIVERABILITY] * 2
    assert await read_counts(pool) == {("Opened", 0): 2}


async def test_a_database_that_refuses_to_write_keeps_hits_waiting(pool: Pool) -> None:
    letter = await send_letter(pool)
    async with open_recorder(pool, TrackingSettings(patience=0.4)) as recorder:
        await pool.execute("ALTER TABLE hits RENAME TO hits_elsewhere")
        assert await recorder.put(letter.hit()) is Outcome.UNRECORDED
        await pool.execute("ALTER TABLE hits_elsewhere RENAME TO hits")
        await put_until_recorded(recorder, letter)


def test_errors_tell_what_became_of_a_group() -> None:
    fates = {
        asyncpg.DeadlockDetectedError("x"): Fate.AGAIN,
        asyncpg.SerializationError("x"): Fate.AGAIN,
        asyncpg.InvalidTextRepresentationError("x"): Fate.BAD_ROW,
        asyncpg.CheckViolationError("x"): Fate.BAD_ROW,
        asyncpg.DiskFullError("x"): Fate.REFUSED,
        asyncpg.ReadOnlySQLTransactionError("x"): Fate.REFUSED,
        asyncpg.ConnectionDoesNotExistError("x"): Fate.UNKNOWN,
        asyncpg.AdminShutdownError("x"): Fate.UNKNOWN,
        asyncpg.InterfaceError("x"): Fate.UNKNOWN,
        ConnectionResetError("x"): Fate.UNKNOWN,
        TimeoutError("x"): Fate.UNKNOWN,
        ValueError("x"): Fate.BAD_ROW,
    }
    assert {error: judge_error(error) for error in fates} == fates


async def test_nothing_is_left_behind_by_hits_that_were_refused(pool: Pool) -> None:
    letter = await send_letter(pool, "none")
    async with open_recorder(pool) as recorder:
        await asyncio.gather(*(recorder.put(letter.hit()) for _ in range(50)))
    assert await count_traces(pool) == 0

"""Readers of short messages that are killed while signed callbacks pour in: nothing that was answered is lost, nothing
is stored, told or answered twice, although the provider repeats itself."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from asyncio.subprocess import Process
from collections import Counter
from pathlib import Path

import pytest

from storage.pool import Pool
from tests.channels.sms.provider import inbound_form
from tests.web.sms_provider import Caller, open_caller

PEOPLE = 40
EACH = 8
KILLS = int(os.environ.get("CLYTIE_TEST_KILLS", "8"))
OURS = "+33700000001"
#: what everybody writes, in this order; the last word counts
WORDS = ["Bonjour", "AIDE", "Mon colis ?", "STOP", "reprendre", "Merci", "aide", "STOP"]


async def start(url: str, folder: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.inbox.sms_reader_process", url, str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )


async def write_all(caller: Caller, dice: random.Random) -> int:
    """Everybody writes, each message one or two times; gives how many were answered by 200."""
    answered = 0

    async def write(person: int) -> None:
        nonlocal answered
        for place in range(EACH):
            form = inbound_form(
                MessageSid=f"SM{person * EACH + place:032x}",
                From=f"+336399800{person:02}",
                To=OURS,
                Body=WORDS[place],
            )
            status, _ = await caller.post("/callbacks/sms/inbound", form)
            assert status == 200
            answered += 1
            if dice.random() < 0.3:
                assert (await caller.post("/callbacks/sms/inbound", form))[0] == 200
            await asyncio.sleep(dice.uniform(0, 0.4))

    await asyncio.gather(*(write(person) for person in range(PEOPLE)))
    return answered


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_what_people_write_is_stored_once_however_often_its_readers_are_killed(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CLYTIE_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    dice = random.Random(seed)
    readers = [await start(database_url, tmp_path) for _ in range(2)]
    try:
        async with open_caller(pool, tmp_path) as caller:
            writing = asyncio.create_task(write_all(caller, dice))
            for blow in range(KILLS):
                victim = readers[blow % 2]
                assert victim.stdout is not None
                await asyncio.wait_for(victim.stdout.readline(), 30)  # it is at work
                await asyncio.sleep(dice.uniform(0, 0.2))
                victim.kill()
                await victim.wait()
                readers[blow % 2] = await start(database_url, tmp_path)
            assert await writing == PEOPLE * EACH
            async with asyncio.timeout(60):
                while await pool.fetchval("SELECT count(*) FROM raw_mails WHERE state = 'stored'"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
    finally:
        for reader in readers:
            reader.kill()
            await reader.wait()
    assert await pool.fetchval("SELECT count(*) FROM raw_mails WHERE state <> 'read'") == 0
    rows = await pool.fetch(
        """SELECT f.theirs, f.provider_id, f.command, m.contact_id FROM sms_facts f JOIN messages m ON m.id = f.message_id
           WHERE m.direction = 'in'"""
    )
    assert len(rows) == len({row["provider_id"] for row in rows}) == PEOPLE * EACH
    assert set(Counter(row["theirs"] for row in rows).values()) == {EACH}
    assert await pool.fetchval("SELECT count(*) FROM events WHERE type = 'Received'") == PEOPLE * EACH
    assert await pool.fetchval("SELECT count(*) FROM contacts") == PEOPLE
    assert await pool.fetchval("SELECT count(*) FROM suppressions WHERE reason = 'opted_out'") == PEOPLE
    # two words for help and one for START, each answered once at most; to whom said STOP before it was read, never
    sent = await pool.fetch("SELECT address, count(*) FROM auto_answers GROUP BY address")
    assert len(sent) > PEOPLE // 2
    assert max(row["count"] for row in sent) <= 3
    letters = await pool.fetchval("SELECT count(*) FROM letters")
    assert letters == await pool.fetchval("SELECT count(*) FROM auto_answers")

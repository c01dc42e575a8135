"""Readers that are killed in the middle lose no mail and store none twice."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from storage.pool import Pool
from tests.inbox.post import open_post_room, write_mail
from tests.inbox.reader_process import SETTINGS

MAILS = 160


async def start(url: str, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.inbox.reader_process",
        url,
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_mails_are_stored_once_however_often_their_reader_is_killed(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(7)
    async with open_post_room(pool, tmp_path, SETTINGS) as post:
        await post.queue("Support", "support@hub.example", auto_answer="We got it.")
        for number in range(MAILS):
            raw = write_mail(
                f"p{number % 30}@client.example",
                text=f"Question {number}",
                message_id=f"{number}@client.example",
                references=[f"{number - 30}@client.example"] if number >= 30 and number % 3 else [],
                files=[("a.bin", bytes([number]))] if number % 10 == 0 else [],
            )
            sender = f"p{number % 30}@client.example"
            await post.drop(raw, "support@hub.example", sender=sender)
        kills = 0
        for _ in range(8):
            process = await start(database_url, tmp_path)
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), 30)
            await asyncio.sleep(chance.uniform(0, 0.15))
            process.kill()
            await process.wait()
            kills += 1
            if await pool.fetchval("SELECT count(*) FROM raw_mails WHERE state = 'stored'") == 0:
                break
        assert kills >= 2
        for _ in range(200):
            await post.read()
            if await pool.fetchval("SELECT count(*) FROM raw_mails WHERE state = 'stored'") == 0:
                break
            await asyncio.sleep(0.1)
        assert await pool.fetchval("SELECT count(*) FROM raw_mails WHERE state <> 'read'") == 0
        assert await pool.fetchval("SELECT count(*) FROM messages WHERE direction = 'in'") == MAILS
        assert len(await post.events("Received")) == MAILS
        assert await pool.fetchval("SELECT count(DISTINCT message_id) FROM raw_mails") == MAILS
        assert await post.count("contacts") == 30
        assert await post.count("attachments") == MAILS // 10
        # the first mail of each person is acknowledged, and each acknowledgement is a letter
        assert await post.count("letters") == await post.count("auto_answers") == 30

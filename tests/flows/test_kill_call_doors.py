"""Web processes that are killed while calls come in: whoever repeats a request goes on where the call stands.

The provider here repeats what was not answered, as the real one does at the fallback address, and sometimes what was.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
from asyncio.subprocess import Process
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from channels.twilio.signatures import SIGNATURE, sign
from inbox.lines.store import save_line
from storage.pool import Pool
from tests.flows.switch_room import LINE, OURS, PUBLIC, TOKEN

CALLERS = 40
KILLS = int(os.environ.get("CLYTIE_TEST_KILLS", "5"))
ACTION = re.compile(r'(?:action|recordingStatusCallback)="([^"]+)"')


@dataclass
class Doors:
    """Two web processes; requests go to either."""

    database_url: str
    dice: random.Random
    processes: list[Process] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    lost: int = 0  #: requests that a blow cut off

    async def start(self, place: int) -> None:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.flows.call_door", self.database_url),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert child.stdout is not None
        port = int(await asyncio.wait_for(child.stdout.readline(), 30))
        self.processes[place : place + 1] = [child]
        self.ports[place : place + 1] = [port]

    async def ask(self, session: aiohttp.ClientSession, url: str, form: dict[str, str]) -> str:
        """The answer to a request, which is repeated until there is one, and now and then after that."""
        answers: list[str] = []
        wanted = 2 if self.dice.random() < 0.3 else 1
        headers = {SIGNATURE: sign(url, form, TOKEN)}
        while len(answers) < wanted:
            address = url.replace(PUBLIC, f"http://127.0.0.1:{self.dice.choice(self.ports)}")
            try:
                async with session.post(address, data=form, headers=headers) as response:
                    text = await response.text()
            except (aiohttp.ClientError, OSError):
                self.lost += 1
                await asyncio.sleep(0.05)
                continue
            assert response.status in (200, 204), (url, response.status, text)
            answers.append(text)
        assert len(set(answers)) == 1, (url, answers)
        return answers[-1]


async def call(doors: Doors, session: aiohttp.ClientSession, number: int) -> None:
    """One caller: the menu, the phones of sales, a message."""
    sid, caller = f"CA{number:032x}", f"+336399800{number:02}"
    about = {"CallSid": sid, "From": caller, "To": OURS, "Direction": "inbound"}
    about["CallStatus"] = "in-progress"
    heard = await doors.ask(session, f"{PUBLIC}/callbacks/voice/inbound", about)
    steps = 0
    while "<Record" not in heard:
        await asyncio.sleep(doors.dice.uniform(0, 0.2))
        told = {"DialCallStatus": "no-answer"} if "<Dial" in heard else {"Digits": "1"}
        heard = await doors.ask(session, ACTION.findall(heard)[-1], about | told)
        steps += 1
        assert steps < 20, heard
    left, recorded = sorted(ACTION.findall(heard), key=lambda url: "recorded" in url)
    what = {
        "RecordingSid": f"RE{number:032x}",
        "RecordingUrl": "https://api.twilio.com/x",
        "RecordingDuration": "4",
    }
    ready = {"CallSid": sid, **what, "RecordingStatus": "completed", "RecordingSource": "RecordVerb"}
    await asyncio.gather(
        doors.ask(session, left, about | what),
        doors.ask(session, recorded, ready),
        doors.ask(session, f"{PUBLIC}/callbacks/voice/ended", about | {"CallStatus": "completed"}),
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_calls_go_on_however_often_the_processes_that_answer_them_are_killed(
    pool: Pool, database_url: str
) -> None:
    seed = int(os.environ.get("CLYTIE_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    dice = random.Random(seed)
    for name, phone in (("Sales", "+33639970003"), ("Support", "+33639970001")):
        team = await pool.fetchval("INSERT INTO teams (name) VALUES ($1) RETURNING id", name)
        await pool.execute("INSERT INTO queues (name, team_id) VALUES ($1, $2)", name, team)
        user = await pool.fetchval(
            "INSERT INTO users (email, name, role, phone) VALUES ($1 || '@x.example', $1, 'agent', $2) RETURNING id",
            name,
            phone,
        )
        await pool.execute("INSERT INTO team_members VALUES ($1, $2)", team, user)
    await save_line(pool, LINE)
    doors = Doors(database_url, dice)
    try:
        for place in range(2):
            await doors.start(place)
        async with aiohttp.ClientSession() as session:
            calls = [asyncio.create_task(call(doors, session, number)) for number in range(CALLERS)]
            for blow in range(KILLS):
                await asyncio.sleep(dice.uniform(0.02, 0.3))
                doors.processes[blow % 2].kill()
                await doors.processes[blow % 2].wait()
                await doors.start(blow % 2)
            await asyncio.gather(*calls)
    finally:
        for process in doors.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
    rows = await pool.fetch("SELECT state, result, seconds FROM calls")
    assert Counter(tuple(row) for row in rows) == {("ended", "voicemail", 4): CALLERS}
    told = await pool.fetch("SELECT message_id, array_agg(type ORDER BY id) AS types FROM events GROUP BY 1")
    assert {tuple(sorted(row["types"])) for row in told} == {("CallEnded", "Called", "Received")}
    assert len(told) == CALLERS
    assert await pool.fetchval("SELECT count(*) FROM recordings") == CALLERS
    assert await pool.fetchval("SELECT count(*) FROM contacts") == CALLERS
    open_ = await pool.fetch(
        """SELECT q.name, count(*) FROM conversations v JOIN queues q ON q.id = v.queue_id
           WHERE v.state = 'open' GROUP BY 1"""
    )
    assert [tuple(row) for row in open_] == [("Sales", CALLERS)]
    assert await pool.fetchval("SELECT count(*) FROM call_legs WHERE ended_at IS NULL AND part = 'us'") == 0
    assert doors.lost > 0

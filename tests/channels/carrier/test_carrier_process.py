"""The carrier in a process of its own: it says where it is, serves, and ends when told."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from channels.sandbox.carrier.remote import CarrierLink, RemotePhones

ROOT = Path(__file__).parents[3]


async def run(settings: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "channels.sandbox.carrier", "-"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(settings.encode())
    process.stdin.close()
    return process


async def test_the_carrier_serves_alone_and_ends_when_told() -> None:
    process = await run('{"port": 0, "numbers": [{"phone_number": "+33644600001"}]}')
    assert process.stdout is not None
    hello = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    link = CarrierLink(hello["url"], hello["account_sid"], hello["auth_token"])
    sid = await RemotePhones(link).send_text("+33639980001", "+33644600001", "Bonjour")
    assert sid.startswith("SM")
    await link.close()
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.parametrize("settings", ['{"port": -1}', '{"account_sid": "x"}', "no json"])
async def test_wrong_settings_are_explained(settings: str) -> None:
    process = await run(settings)
    assert process.stderr is not None
    assert b"cannot start" in await asyncio.wait_for(process.stderr.read(), 20)
    assert await process.wait() == 2

"""A real Postfix before our doors, and a database that goes away: no mail is lost, none is there twice."""

from __future__ import annotations

import asyncio
import smtplib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clytie.bootstrap import Doors, open_doors
from clytie.settings import load_settings
from storage.pool import Pool
from tests.cutting_proxy import Break, CuttingProxy
from tests.postfix import run_postfix
from tests.tracking.wire import lay_wire

ADDRESSES = ("sales@help.example", "support@help.example")


@asynccontextmanager
async def open_house(database_url: str, pool: Pool, var: Path, **inbox: Any) -> AsyncIterator[Doors]:
    """The doors of a house with two queues; not everything at help.example is known."""
    await pool.execute(
        "WITH q AS (INSERT INTO queues (name) SELECT unnest($1::text[]) RETURNING id, name) "
        "INSERT INTO queue_addresses (address, queue_id) SELECT name, id FROM q",
        list(ADDRESSES),
    )
    settings = load_settings(
        var=var,
        database_url=database_url,
        sandbox={"enabled": False},
        carrier={"enabled": False},
        inbox={
            "smtp": {"port": 0},
            "lmtp": {"enabled": True, "port": 0},
            "intake": {"patience": 0.5},
            **inbox,
        },
    )
    async with open_doors(settings) as doors:
        yield doors


async def send(port: int, numbers: range, recipients: tuple[str, ...] = ADDRESSES) -> None:
    def work() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            for number in numbers:
                text = (
                    f"Subject: number {number}\r\nMessage-ID: <{number}@help.example>\r\n\r\nHello {number}"
                )
                client.sendmail("sales@help.example", recipients, text)

    await asyncio.to_thread(work)


async def until(condition: Callable[[], Any], seconds: float = 25) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - other processes change it
            await asyncio.sleep(0.1)


async def read_subjects(pool: Pool) -> Counter[str]:
    rows = await pool.fetch("SELECT content FROM raw_mails")
    lines = (line for row in rows for line in row[0].split(b"\r\n\r\n")[0].split(b"\r\n"))
    return Counter(line.decode() for line in lines if line.startswith(b"Subject: "))


@pytest.mark.root
@pytest.mark.slow
async def test_postfix_as_upstream_waits_while_the_database_is_away(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    async with (
        lay_wire(database_url) as wire,
        open_house(wire.url, pool, tmp_path) as doors,
        run_postfix(f"smtp:[127.0.0.1]:{doors.mail['smtp'].port}") as postfix,
    ):
        await send(postfix.port, range(10))
        await until(lambda: pool.fetchval("SELECT count(*) = 10 FROM raw_mails"))
        await wire.break_down()
        await send(postfix.port, range(10, 20))
        await until(lambda: _said(postfix, "451 4.3.0"))
        assert postfix.queued() == 10
        wire.mend()
        await until(lambda: pool.fetchval("SELECT count(*) = 20 FROM raw_mails"))
        await until(lambda: _is_empty(postfix))
    assert await read_subjects(pool) == {f"Subject: number {number}": 1 for number in range(20)}
    assert await pool.fetchval("SELECT count(*) FROM arrivals WHERE recipients = $1", list(ADDRESSES)) == 20
    assert await pool.fetchval("SELECT DISTINCT meta->>'helo' FROM arrivals") == "relay.example"


@pytest.mark.root
@pytest.mark.slow
async def test_postfix_as_lmtp_client_delivers_to_those_we_know_and_tells_the_sender_of_the_others(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    async with (
        open_house(database_url, pool, tmp_path) as doors,
        run_postfix(f"lmtp:inet:127.0.0.1:{doors.mail['lmtp'].port}") as postfix,
    ):
        await send(postfix.port, range(5), (ADDRESSES[0], "nobody@help.example", ADDRESSES[1]))
        await until(lambda: pool.fetchval("SELECT count(*) = 10 FROM raw_mails"))
        await until(lambda: _is_empty(postfix))
    subjects = await read_subjects(pool)
    assert subjects.pop("Subject: Undelivered Mail Returned to Sender") == 5
    assert subjects == {f"Subject: number {number}": 1 for number in range(5)}
    reports = await pool.fetch("SELECT content FROM raw_mails WHERE sender = ''")
    assert all(b"Final-Recipient: rfc822; nobody@help.example" in row[0] for row in reports)
    assert all(b"Status: 5.1.1" in row[0] for row in reports)
    assert await pool.fetchval("SELECT array_agg(DISTINCT door) FROM arrivals") == ["lmtp"]


@pytest.mark.root
@pytest.mark.slow
async def test_connections_from_postfix_that_break_at_any_byte_lose_nothing(
    database_url: str, pool: Pool, tmp_path: Path
) -> None:
    async with (
        open_house(database_url, pool, tmp_path) as doors,
        CuttingProxy(doors.mail["smtp"].port).running() as proxy,
        run_postfix(f"smtp:[127.0.0.1]:{proxy.port}") as postfix,
    ):
        for number in range(12):
            proxy.breaks.append(Break("up", 60 * number))
            proxy.breaks.append(Break("down", 30 * number))
        await send(postfix.port, range(12))
        await until(lambda: pool.fetchval("SELECT count(*) = 12 FROM raw_mails"))
        await until(lambda: _is_empty(postfix))
    assert await read_subjects(pool) == {f"Subject: number {number}": 1 for number in range(12)}
    assert await pool.fetchval("SELECT count(*) FROM arrivals") == 12


async def _said(postfix: Any, words: str) -> bool:
    return words in postfix.log


async def _is_empty(postfix: Any) -> bool:
    return bool(postfix.queued() == 0)

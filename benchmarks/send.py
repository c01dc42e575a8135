"""How fast a campaign goes out: from the launch by a worker to all rows `sent` with their events, promise 3 in full.

50,000 recipients, 5 KB multipart mail with ten personal links and a pixel, one worker process, 10 connections to a
sink. Yardsticks in turn with ours, against the same kind of sink: Postfix's smtp-source with sessions kept open
(Debian's package postfix; left out where it is missing) and aiosmtplib with ready-made bytes. Messages per second,
medians. CLYTIE_BENCH_RECIPIENTS changes the number, CLYTIE_BENCH_PROFILE=FILE writes a profile of our side.
"""

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiosmtplib
import uvloop

from benchmarks.compose import newsletter
from campaigns.launch import launch_due, request_launch
from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel
from clytie.services.supervisor import Services
from domain.clock import SystemClock
from domain.tokens import TokenKeys
from outbox.composing import MailKitchen
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from storage.announce import Announcer
from storage.migrations import upgrade_async
from storage.pool import open_pool

RECIPIENTS: Final = int(os.environ.get("CLYTIE_BENCH_RECIPIENTS", "50000"))
CONNECTIONS: Final = 10
SIZE: Final = 5120
_PROFILE: Final = os.environ.get("CLYTIE_BENCH_PROFILE")

_SEED: Final = """
WITH people AS (
    INSERT INTO contacts (name, given_name, family_name, relation, country)
    SELECT 'Claire Moreau', 'Claire', 'Moreau', 'prospect', 'FR' FROM generate_series(1, $1::int)
    RETURNING id
), addressed AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT id, 'mail', 'person.' || id || '@example.net', 'person.' || id || '@example.net' FROM people
)
INSERT INTO consents (contact_id, purpose, state, since)
SELECT id, purpose, 'granted', now() FROM people, unnest(ARRAY['newsletter', 'measure']) AS purpose
"""


def run(rounds: int) -> list[dict[str, Any]]:
    """Measure `rounds` times in turn; the medians."""
    folder = Path(tempfile.mkdtemp(prefix="clytie-bench-"))
    ours: list[float] = []
    postfix: list[float] = []
    library: list[float] = []
    try:
        with Services(folder) as services:
            urls = services.start()
            _loop(_seed(urls.database_url))
            for number in range(rounds):
                ours.append(_loop(_send_campaign(urls.database_url, number)))
                if (speed := _send_by_postfix()) is not None:
                    postfix.append(speed)
                library.append(_loop(_send_by_library()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures = [_figure("send: campaign against aiosmtplib", ours, library)]
    if postfix:
        figures.insert(0, _figure("send: campaign against smtp-source", ours, postfix))
    return figures


def _figure(name: str, ours: list[float], yardstick: list[float]) -> dict[str, Any]:
    mine, theirs = statistics.median(ours), statistics.median(yardstick)
    return {"name": name, "ours": mine, "yardstick": theirs, "unit": "messages/s", "ratio": mine / theirs}


def _loop(work: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def find_program(name: str) -> str | None:
    """A program of Postfix's, on PATH or where Debian puts it."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/lib/postfix/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """A server that takes every mail, on a port of its own: Postfix's smtp-sink, else our own of the tests."""
    port = _free_port()
    program = find_program("smtp-sink")
    who = ["-u", "nobody"] if os.geteuid() == 0 else []  # it asks for that
    command = [program, *who, f"127.0.0.1:{port}", "100"] if program else [*_OWN_SINK, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the sink ended with {process.returncode}")


_OWN_SINK: Final = [sys.executable, "-m", "tests.flows.sink"]


async def _seed(database_url: str) -> None:
    await upgrade_async(database_url)
    pool = await open_pool(database_url)
    await pool.execute(_SEED, RECIPIENTS)
    await pool.execute("INSERT INTO segments (name, condition) VALUES ('everybody', $1)", {"all": []})
    await pool.execute("VACUUM ANALYZE")
    await pool.close()


async def _send_campaign(database_url: str, number: int) -> float:
    pool = await open_pool(database_url)
    kitchen = MailKitchen(TokenKeys({1: bytes(range(32))}), "https://news.example.org", OutboxSettings())
    clock, announcer = SystemClock(), Announcer(pool)
    campaign_id: int = await pool.fetchval(
        "INSERT INTO campaigns (name, segment_id, source) SELECT $1, id, $2 FROM segments LIMIT 1 RETURNING id",
        f"Campaign {number}",
        newsletter().model_dump(),
    )
    recipients = (
        await request_launch(pool, campaign_id, kitchen, clock)
    ).recipients  # the button was pressed
    with sink() as port:
        channel = MailChannel(
            MailSettings(
                port=port, encryption=Encryption.NEVER, connections=CONNECTIONS, client_name="bench.example"
            )
        )
        sender = Sender(pool, channel, kitchen.composer, OutboxSettings(), clock, announcer)
        stop = asyncio.Event()
        task = asyncio.create_task(sender.run(stop))
        await asyncio.sleep(0.5)
        profile = cProfile.Profile() if _PROFILE else None
        began = time.perf_counter()
        assert await launch_due(pool, kitchen, clock, announcer) == [campaign_id]
        launched = time.perf_counter()
        if profile:
            profile.enable()
        sender.wake()
        while await pool.fetchval(_LEFT, campaign_id):  # noqa: ASYNC110 - another session changes it
            await asyncio.sleep(0.05)
        took = time.perf_counter() - began
        if profile:
            profile.disable()
            profile.dump_stats(str(_PROFILE))
        stop.set()
        await task
        await channel.close()
    sent = await pool.fetchval(
        "SELECT count(*) FROM deliveries WHERE campaign_id = $1 AND state = 'sent'", campaign_id
    )
    told = await pool.fetchval(
        "SELECT count(*) FROM events WHERE campaign_id = $1 AND type = 'Sent'", campaign_id
    )
    if not sent == told == recipients == RECIPIENTS:
        raise RuntimeError(f"{recipients} recipients, {sent} sent, {told} told")
    await announcer.close()
    await pool.close()
    print(f"    launch {launched - began:.2f} s, all {took:.2f} s: {recipients / took:,.0f}/s", flush=True)
    return float(recipients / took)


#: Ranges with rows that are not settled; the last one goes when the last row is.
_LEFT: Final = "SELECT count(*) FROM delivery_ranges WHERE campaign_id = $1"

#: Sessions kept open (-d), as many as ours, messages of the same size.
_SOURCE: Final = [
    *("-d", "-s", str(CONNECTIONS), "-m", str(RECIPIENTS), "-l", str(SIZE)),
    *("-f", "bounces@example.org", "-t", "person@example.net"),
]


def _send_by_postfix() -> float | None:
    program = find_program("smtp-source")
    if program is None:
        return None
    with sink() as port:
        began = time.perf_counter()
        subprocess.run(
            [program, *_SOURCE, f"127.0.0.1:{port}"],
            check=True,
        )
        took = time.perf_counter() - began
    print(f"    smtp-source {RECIPIENTS / took:,.0f}/s", flush=True)
    return RECIPIENTS / took


async def _send_by_library() -> float:
    each = RECIPIENTS // CONNECTIONS // 2
    content = b"Subject: News\r\n\r\n" + (b"x" * 70 + b"\r\n") * (SIZE // 72)

    async def send(port: int) -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, use_tls=False)
        async with client:
            for _ in range(each):
                await client.sendmail("bounces@example.org", ["person@example.net"], content)

    with sink() as port:
        began = time.perf_counter()
        await asyncio.gather(*[send(port) for _ in range(CONNECTIONS)])
        took = time.perf_counter() - began
    print(f"    aiosmtplib {each * CONNECTIONS / took:,.0f}/s", flush=True)
    return each * CONNECTIONS / took


if __name__ == "__main__":
    for figure in run(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        print(figure)

"""How many mails one mail process takes per second: by SMTP, each answered 250 after its commit.

Two more figures go on until a worker process beside it has read every mail, written its message, conversation and
event, and routed it.

4 KB mails by Postfix's smtp-source (Debian's package postfix), its sessions kept open and, in a second figure, a
connection for each mail. Ours is the role as `clytie serve` runs it, before an embedded PostgreSQL with its
production settings; afterwards every mail must be there, once. Yardsticks in the same rounds, under the same load:
aiosmtpd with an empty handler as it comes (on the standard library's event loop), and the same on uvloop, which ours
runs on. All share the machine with smtp-source, ours with PostgreSQL and its disk as well, so the processor time that
each process spent per mail is given too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from benchmarks.send import find_program
from clytie.bootstrap import open_doors
from clytie.services.supervisor import Services
from clytie.settings import load_settings
from storage.migrations import upgrade

MAILS: Final = int(os.environ.get("CLYTIE_BENCH_MAILS", "5000"))
SESSIONS: Final = 20
SIZE: Final = 4096
#: Names of the yardsticks: aiosmtpd with an empty handler, by its event loop.
YARDSTICKS: Final = {"stock": "stock aiosmtpd", "bare": "aiosmtpd on uvloop"}
WAYS: Final = {"sessions kept open": ("-d",), "a connection for each mail": ()}
_ROUTED: Final = "read and routed by a worker beside, "
#: What is not read, or not routed yet.
_LEFT: Final = """
SELECT (SELECT count(*) FROM raw_mails WHERE state = 'stored') + (SELECT count(*) FROM pending_events)
"""
#: A running server: its port, its process.
Server = tuple[int, "subprocess.Popen[bytes]"]


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Medians over `rounds`. Raises RuntimeError when an answered mail is not in the database, or twice."""
    source = find_program("smtp-source")
    if source is None:
        raise RuntimeError("smtp-source is not installed (Debian's package postfix)")
    speeds: dict[tuple[str, str], list[float]] = {}
    costs: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clytie-bench-")))
        url = stack.enter_context(Services(folder / "var")).start().database_url
        upgrade(url)
        servers = {kind: stack.enter_context(_server(kind, url, folder)) for kind in ("ours", *YARDSTICKS)}
        for _ in range(rounds):
            for way, options in WAYS.items():
                for kind, (port, process) in servers.items():
                    asyncio.run(_empty(url))
                    spent = _processor_seconds(process)
                    began = time.perf_counter()
                    subprocess.run([source, *options, *_load(port)], check=True)
                    took = time.perf_counter() - began
                    if kind == "ours":
                        asyncio.run(_check(url))
                    speeds.setdefault((way, kind), []).append(MAILS / took)
                    costs.setdefault((way, kind), []).append(
                        (_processor_seconds(process) - spent) / MAILS * 1e6
                    )
                    print(f"    {way}: {kind} {MAILS / took:,.0f}/s", flush=True)
        stack.enter_context(_worker(url, folder))
        for _ in range(rounds):
            for way, options in WAYS.items():
                asyncio.run(_empty(url))
                began = time.perf_counter()
                subprocess.run([source, *options, *_load(servers["ours"][0])], check=True)
                asyncio.run(_until_routed(url))
                took = time.perf_counter() - began
                speeds.setdefault((_ROUTED + way, "ours"), []).append(MAILS / took)
                print(f"    {_ROUTED}{way}: {MAILS / took:,.0f}/s", flush=True)
        for way, kind in itertools.product(WAYS, YARDSTICKS):
            speeds[_ROUTED + way, kind] = speeds[way, kind]
    ways = (*WAYS, *(_ROUTED + way for way in WAYS))
    figures = [_speed(way, kind, speeds) for way in ways for kind in YARDSTICKS]
    return figures + [_cost(way, kind, costs) for way in WAYS for kind in YARDSTICKS]


def _load(port: int) -> list[str]:
    return [
        *("-s", str(SESSIONS), "-m", str(MAILS), "-l", str(SIZE)),
        *("-f", "sender@example.org", "-t", "help@bench.example", f"127.0.0.1:{port}"),
    ]


def _speed(way: str, kind: str, speeds: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    ours, bare = (statistics.median(speeds[way, one]) for one in ("ours", kind))
    name = (
        f"inbound: SMTP to {'' if way.startswith(_ROUTED) else 'committed, '}{way}; beside {YARDSTICKS[kind]}"
    )
    return {"name": name, "ours": ours, "yardstick": bare, "unit": "mails/s", "ratio": ours / bare}


def _cost(way: str, kind: str, costs: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    ours, bare = (statistics.median(costs[way, one]) for one in ("ours", kind))
    name = f"inbound: processor time of the process, {way}; beside {YARDSTICKS[kind]}"
    return {"name": name, "ours": ours, "yardstick": bare, "unit": "µs/mail", "ratio": bare / ours}


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE raw_mails, arrivals")
    await connection.close()


async def _until_routed(url: str) -> None:
    """Wait until every mail was read and routed. Raises RuntimeError when one ended in the quarantine."""
    connection = await asyncpg.connect(url)
    while await connection.fetchval(_LEFT):  # noqa: ASYNC110 - other processes change it
        await asyncio.sleep(0.05)
    read = await connection.fetchval("SELECT count(*) FROM raw_mails WHERE state = 'read'")
    told = await connection.fetchval("SELECT count(*) FROM events WHERE type = 'Received'")
    await connection.close()
    if read != MAILS or told < MAILS:
        raise RuntimeError(f"{MAILS} mails were answered, {read} were read, {told} told as events")


@contextlib.contextmanager
def _worker(url: str, folder: Path) -> Iterator[None]:
    environment = {
        **os.environ,
        "CLYTIE_DATABASE_URL": url,
        "CLYTIE_VAR": str(folder / "house"),
        "CLYTIE_INBOX__DOMAINS": '["bench.example"]',
        "CLYTIE_INBOX__AUTHENTICATION__CHECK": "false",  # there is no DNS to ask
    }
    with (folder / "worker.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "clytie", "role", "worker"], env=environment, stdout=output, stderr=output
        )
    time.sleep(3)  # until its loops run
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


async def _check(url: str) -> None:
    connection = await asyncpg.connect(url)
    there = await connection.fetchval("SELECT count(*) FROM raw_mails WHERE length(content) = size")
    arrivals = await connection.fetchval("SELECT count(*) FROM arrivals")
    await connection.close()
    if not there == arrivals == MAILS:
        raise RuntimeError(f"{MAILS} mails were answered, {there} are there, {arrivals} arrivals")


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def _server(kind: str, url: str, folder: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / f"{kind}.log"
    command = [sys.executable, "-m", "benchmarks.inbound", "--serve", kind, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--database", url, "--var", str(folder / "house")], stdout=output, stderr=output
        )
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"A server of the benchmark did not start:\n{log.read_text()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


class EmptyHandler:
    """The yardstick's: takes everything and keeps nothing."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Say that it was taken."""
        return "250 OK"


async def _serve(kind: str, port: int, url: str, var: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if kind in YARDSTICKS:
        server = await loop.create_server(
            lambda: SMTP(EmptyHandler(), loop=loop), "127.0.0.1", port, backlog=512
        )
        await stop.wait()
        server.close()
        return
    inbox = {"domains": ["bench.example"], "smtp": {"port": port}}
    settings = load_settings(
        var=var, database_url=url, sandbox={"enabled": False}, carrier={"enabled": False}, inbox=inbox
    )
    async with open_doors(settings):
        await stop.wait()


def main() -> None:
    """Print the figures; with --serve, be one of the measured servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=("ours", *YARDSTICKS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", default="")
    parser.add_argument("--var", type=Path, default=Path())
    arguments = parser.parse_args()
    if arguments.serve:
        serve = _serve(arguments.serve, arguments.port, arguments.database, arguments.var)
        asyncio.run(serve) if arguments.serve == "stock" else uvloop.run(serve)
    else:
        print(json.dumps(run(arguments.rounds), indent=1))


if __name__ == "__main__":
    main()

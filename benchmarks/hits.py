"""How many hits one process takes per second: pixel and redirect under wrk, each answered after its commit.

Yardsticks in the same rounds: a bare aiohttp application that answers the same bytes, and nginx (empty_gif, and
`return 302`) with an access log. The links are personal tokens of people who allowed measuring, so every hit becomes
an event with its side row; afterwards every answered hit must be in the database. One process each, uvloop for both
Python servers, one thread of wrk.

Ours shares the machine with wrk and PostgreSQL, and waits for its disk; the bare server shares it with wrk alone. On
two busy cores the ratio therefore says as much about the machine as about the process, so the processor time that
each web process spent per request is given as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
import uvloop
from aiohttp import web

from clytie.services.supervisor import Services
from domain.clock import SystemClock
from domain.tokens import TokenKeys, TokenUse
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.migrations import upgrade
from storage.partitions import make_partitions
from storage.pool import open_pool
from tracking.recorder import Recorder
from tracking.settings import TrackingSettings
from web.collector import tune_collector
from web.tracking.answers import NO_STORE
from web.tracking.doors import GIF, GIF_HEADERS, TrackingEndpoints, add_tracking_routes

#: A running server: its port, its process.
Server = tuple[int, "subprocess.Popen[bytes]"]

PEOPLE: Final = 20_000
LINKS: Final = 10
CONNECTIONS: Final = 256
SECONDS: Final = 5
TARGET: Final = "https://www.helianthe.example/offer/"
KEYS: Final = TokenKeys({1: bytes(range(32))})
WRK: Final = """
local paths = {}
local n = 0
init = function()
  for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = wrk.format("GET", line) end
end
request = function()
  n = n % #paths + 1
  return paths[n]
end
done = function(summary)
  local errors = summary.errors
  print(string.format('JSON {"requests": %d, "micros": %d, "bad": %d}', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
NGINX: Final = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log combined; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} reuseport;
    location /o/ {{ empty_gif; }}
    location /c/ {{ return 302 {target}; }}
  }}
}}
"""
_FILL: Final = f"""
INSERT INTO contacts (id, name) SELECT n, 'Person ' || n FROM generate_series(1, {PEOPLE}) n;
INSERT INTO consents (contact_id, purpose, state, since)
SELECT n, 'measure', 'granted', now() FROM generate_series(1, {PEOPLE}) n;
INSERT INTO campaigns (id, name, state) VALUES (1, 'benchmark', 'running');
INSERT INTO campaign_links (campaign_id, no, url) SELECT 1, n, '{TARGET}' || n FROM generate_series(1, {LINKS}) n;
INSERT INTO messages (id, direction, channel, contact_id, campaign_id, tracking_level)
SELECT n, 'out', 'mail', n, 1, 'full' FROM generate_series(1, {PEOPLE}) n;
INSERT INTO router_interests VALUES ('Opened'), ('Clicked');
"""


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Medians over `rounds`. Raises AssertionError when an answered hit is not in the database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clytie-bench-")))
        folder.chmod(0o755)
        urls = stack.enter_context(Services(folder / "var")).start()
        upgrade(urls.database_url)
        asyncio.run(_fill(urls.database_url))
        tokens = [KEYS.sign(TokenUse.MEASURE, 1, n) for n in range(1, PEOPLE + 1)]
        paths = {
            "pixel": [f"/o/{token}.gif" for token in tokens],
            "redirect": [f"/c/{token}.{n % LINKS + 1}" for n, token in enumerate(tokens)],
        }
        for kind, lines in paths.items():
            (folder / kind).write_text("\n".join(lines))
        (folder / "wrk.lua").write_text(WRK)
        ours = stack.enter_context(_python_server("ours", urls.database_url, folder))
        bare = stack.enter_context(_python_server("bare", "", folder))
        nginx = stack.enter_context(_nginx(folder))
        measured: dict[tuple[str, str], list[float]] = {}
        spent: dict[tuple[str, str], list[float]] = {}
        for _ in range(rounds):
            for kind in paths:
                for server, (port, process) in (("bare", bare), ("ours", ours), ("nginx", nginx)):
                    before = asyncio.run(_count(urls.database_url)) if server == "ours" else 0
                    begun = _processor_seconds(process)
                    requests, rate = _wrk(port, folder, kind)
                    micros = (_processor_seconds(process) - begun) / requests * 1e6
                    if server == "ours":
                        recorded = _settled_count(urls.database_url) - before
                        assert requests <= recorded <= requests + CONNECTIONS, (
                            f"{requests} {kind} hits were answered, {recorded} recorded"
                        )
                    measured.setdefault((kind, server), []).append(rate)
                    spent.setdefault((kind, server), []).append(micros)
    medians = {key: statistics.median(rates) for key, rates in measured.items()}
    yardsticks = {
        "bare": "bare aiohttp, same bytes, per process",
        "nginx": "nginx with access log",
    }
    costs = {key: statistics.median(micros) for key, micros in spent.items()}
    figures = [
        {
            "name": f"hits: {kind} against {text}",
            "ours": medians[kind, "ours"],
            "yardstick": medians[kind, server],
            "unit": "hits/s",
            "ratio": medians[kind, "ours"] / medians[kind, server],
        }
        for kind in paths
        for server, text in yardsticks.items()
    ]
    return figures + [
        {
            "name": f"hits: {kind}, processor time of the web process",
            "ours": costs[kind, "ours"],
            "yardstick": costs[kind, "bare"],
            "unit": "µs/hit",
            "ratio": costs[kind, "bare"] / costs[kind, "ours"],
        }
        for kind in paths
    ]


async def _fill(database_url: str) -> None:
    pool = await open_pool(database_url)
    await make_partitions(pool)
    await pool.execute(_FILL)
    await pool.execute("VACUUM ANALYZE")
    await pool.close()


async def _count(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(
            await connection.fetchval("SELECT count(*) FROM events JOIN hits ON hits.event_id = events.id")
        )
    finally:
        await connection.close()


def _settled_count(database_url: str) -> int:
    """The count once the requests that wrk cut off are committed as well."""
    time.sleep(0.3)
    return asyncio.run(_count(database_url))


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def _wrk(port: int, folder: Path, kind: str) -> tuple[int, float]:
    """Answered requests, and requests per second. Raises RuntimeError when one was not answered well."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(folder / "wrk.lua")]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"],
        env={**os.environ, "BENCH_PATHS": str(folder / kind)},
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS + 30,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    result = json.loads(line[5:])
    if result["bad"]:
        raise RuntimeError(f"{result['bad']} requests of wrk failed:\n{done.stdout}")
    return result["requests"], result["requests"] / result["micros"] * 1e6


@contextmanager
def _python_server(kind: str, database_url: str, folder: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.hits", "--serve", kind, "--var", str(folder)]
    with _server(
        lambda port: [*command, "--port", str(port), "--database", database_url], folder / f"{kind}.log"
    ) as server:
        yield server


@contextmanager
def _nginx(folder: Path) -> Iterator[Server]:
    prefix = folder / "nginx"
    prefix.mkdir(mode=0o755)
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or "nginx"

    def command(port: int) -> list[str]:
        (prefix / "nginx.conf").write_text(NGINX.format(folder=prefix, port=port, target=TARGET))
        return [program, "-p", str(prefix), "-c", str(prefix / "nginx.conf"), "-e", str(prefix / "error.log")]

    with _server(command, folder / "nginx.log") as server:
        yield server


@contextmanager
def _server(command: Callable[[int], list[str]], log: Path) -> Iterator[Server]:
    """Start a server on a free port, wait until it answers, end it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(command(port), stdout=output, stderr=output)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None:
                    break
                time.sleep(0.05)
        if process.poll() is not None:
            raise RuntimeError(f"A server of the benchmark did not start:\n{log.read_text()}")
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


async def _serve(kind: str, port: int, database_url: str, var: Path) -> None:
    app = web.Application()
    closing: list[Callable[[], Any]] = []
    if kind == "ours":
        pool = await open_pool(database_url)
        announcer, settings = Announcer(pool), TrackingSettings()
        recorder = Recorder(pool, announcer, settings)
        recorder.start()
        endpoints = TrackingEndpoints(
            pool, recorder, announcer, SystemClock(), KEYS, BlobStore(var / "blobs"), settings
        )
        add_tracking_routes(app, endpoints)
        closing = [recorder.close, announcer.close, pool.close]
    else:

        async def pixel(request: web.Request) -> web.Response:
            return web.Response(body=GIF, headers=GIF_HEADERS)

        async def redirect(request: web.Request) -> web.Response:
            headers = {"Location": TARGET, "Referrer-Policy": "no-referrer", **NO_STORE}
            return web.Response(status=302, headers=headers)

        app.router.add_get("/o/{name}", pixel)
        app.router.add_get("/c/{name}", redirect)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=60)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    if kind == "ours":
        tune_collector()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()
    for close in closing:
        await close()


def main() -> None:
    """Print the figures; with --serve, be one of the measured servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=("ours", "bare"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", default="")
    parser.add_argument("--var", type=Path, default=Path())
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(_serve(arguments.serve, arguments.port, arguments.database, arguments.var))
    else:
        print(json.dumps(run(arguments.rounds), indent=1))


if __name__ == "__main__":
    main()

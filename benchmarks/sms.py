"""How fast short messages leave, and how fast the provider's callbacks are taken.

Sending: a campaign from its launch to all rows `sent` with their events, promise 3 in full, by one worker process over
20 connections to the test carrier, with a generous rate. Yardstick in the same rounds: the provider's official client with
its own asynchronous HTTP, 20 requests at a time, to the same carrier. The carrier is a process of its own, and shares
the machine with both and with PostgreSQL; it is most of the work.

Callbacks: reports of states, and messages that arrive, posted by wrk over kept connections and signed as the provider
signs, each answered after its commit. Yardstick: a bare aiohttp application that checks the signature with the official
validator and answers 204. One process each, uvloop for both. Afterwards all that was answered must be in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import time as time_of_day
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import asyncpg
import uvloop
from aiohttp import web
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from benchmarks.hits import Server, _processor_seconds, _server
from campaigns.launch import launch
from channels.sms.settings import TwilioSettings
from channels.sms.twilio import TwilioSms
from channels.twilio.signatures import sign
from clytie.services.supervisor import Services
from domain.clock import SystemClock
from domain.messages import ChannelKind
from domain.tokens import TokenKeys, TokenUse
from inbox.arrival.intake import Intake
from outbox.composing import MailKitchen
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.texts.composing import SmsKitchen, SmsLetterComposer
from outbox.texts.hours import TextHours
from outbox.texts.traffic import SmsTraffic
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.migrations import upgrade
from storage.partitions import make_partitions
from storage.pool import open_pool
from web.callbacks.sms import SmsCallbacks, add_sms_callbacks

TEXTS: Final = int(os.environ.get("CLYTIE_BENCH_TEXTS", "4000"))
AT_ONCE: Final = 20
REPORTS: Final = 40_000  # for each round; never used up
CONNECTIONS: Final = 64
SECONDS: Final = 5
OURS: Final = "+33700000001"
ACCOUNT: Final = "AC" + "5a" * 16
TOKEN: Final = "0123456789abcdef" * 2
PUBLIC: Final = "https://hub.example"
KEYS: Final = TokenKeys({1: bytes(range(32))})
SETTINGS: Final = OutboxSettings(
    text_hours=TextHours(
        begin=time_of_day(0), end=time_of_day(23, 59, 59, 999_999), days=(1, 2, 3, 4, 5, 6, 7)
    )
)
_PEOPLE: Final = """
WITH people AS (
    INSERT INTO contacts (name, given_name, country)
    SELECT 'Claire Moreau', 'Claire', 'FR' FROM generate_series(1, $1::int) RETURNING id
), addressed AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT id, 'phone', '+3361' || to_char(id, 'FM0000000'), 'phone' FROM people
)
INSERT INTO consents (contact_id, purpose, state, since) SELECT id, 'texts', 'granted', now() FROM people
"""
#: Messages of ours that were sent, for the reports: $1 the first, $2 the last.
_SENT: Final = """
WITH written AS (
    INSERT INTO messages (id, direction, channel, contact_id)
    SELECT n, 'out', 'sms', (SELECT min(id) FROM contacts) FROM generate_series($1::bigint, $2::bigint) AS n RETURNING id
), queued AS (
    INSERT INTO deliveries (message_id, campaign_id, channel, address, state, attempt)
    SELECT id, 0, 'sms', '+33612345678', 'sent', 1 FROM written
)
INSERT INTO sms_facts (message_id, provider_id, ours, theirs)
SELECT id, 'SM' || lpad(to_hex(id), 32, '0'), '+33700000001', '+33612345678' FROM written
"""
WRK: Final = """
local asked = {}
local n = 0
init = function()
  for line in io.lines(os.getenv("BENCH_FORMS")) do
    local path, signature, body = line:match("^(%S+) (%S+) (%S+)$")
    asked[#asked + 1] = wrk.format("POST", path, {
      ["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8", ["X-Twilio-Signature"] = signature,
    }, body)
  end
end
request = function()
  n = n % #asked + 1
  return asked[n]
end
done = function(summary)
  local errors = summary.errors
  print(string.format('JSON {"requests": %d, "micros": %d, "bad": %d}', summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Medians over `rounds`. Raises RuntimeError when something answered is not in the database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clytie-bench-")))
        folder.chmod(0o755)
        urls = stack.enter_context(Services(folder / "var")).start()
        upgrade(urls.database_url)
        _loop(_fill(urls.database_url))
        return [*_run_sending(urls.database_url, rounds), *_run_callbacks(urls.database_url, folder, rounds)]


# --- sending -----------------------------------------------------------------------------------------------


def _run_sending(database_url: str, rounds: int) -> list[dict[str, Any]]:
    ours: list[float] = []
    client: list[float] = []
    for number in range(rounds):
        with _carrier() as url:
            client.append(_loop(_send_by_client(url)))
        with _carrier() as url:
            ours.append(_loop(_send_campaign(database_url, url, number)))
        print(f"    campaign {ours[-1]:,.0f}/s, official client {client[-1]:,.0f}/s", flush=True)
    return [_figure("sms: campaign against the official client", ours, client, "messages/s")]


@contextmanager
def _carrier() -> Iterator[str]:
    settings = {
        "port": 0,
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "numbers": [{"phone_number": OURS}],
        "messages_per_second": 1e6,
        "pace": 3600,  # what becomes of a message is no matter here
    }
    command = [sys.executable, "-m", "channels.sandbox.carrier", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings).encode())
        process.stdin.close()
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


class _OfficialHttp(AsyncTwilioHttpClient):  # type: ignore[misc]  # the library has no types
    """The library's own, at another address."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    async def request(self, method: str, url: str, *rest: Any, **more: Any) -> Response:
        return await super().request(method, self._url + urlsplit(url).path, *rest, **more)


async def _send_by_client(url: str) -> float:
    http = _OfficialHttp(url)
    client = Client(ACCOUNT, TOKEN, http_client=http)
    numbers = count()

    async def send() -> None:
        while (number := next(numbers)) < TEXTS:
            await client.messages.create_async(
                to=f"+3361{number:07}",
                from_=OURS,
                body="Dear Claire, we are open on Friday.",
                validity_period=14_400,
            )

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    took = time.perf_counter() - began
    await http.close()
    return TEXTS / took


async def _send_campaign(database_url: str, url: str, number: int) -> float:
    pool = await open_pool(database_url)
    clock, announcer = SystemClock(), Announcer(pool)
    kitchen = MailKitchen(KEYS, PUBLIC, SETTINGS)
    account = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "base_url": url,
        "rate": 10_000,
        "connections": AT_ONCE,
    }
    channel = TwilioSms(TwilioSettings.model_validate(account))
    settings = SETTINGS.model_copy(update={"window": 5 * AT_ONCE})
    sender = Sender(
        pool,
        channel,
        SmsKitchen(kitchen, KEYS).composer,
        settings,
        clock,
        announcer,
        kind=ChannelKind.SMS,
        letters=SmsLetterComposer(KEYS),
        traffic=SmsTraffic(settings, clock, channel.pace),
    )
    campaign_id: int = await pool.fetchval(
        """INSERT INTO campaigns (name, segment_id, channel, purpose, source)
           SELECT $1, id, 'sms', 'texts', $2 FROM segments LIMIT 1 RETURNING id""",
        f"Campaign {number}",
        {"sender": OURS, "text": "Dear {{ contact.given_name }}, we are open on Friday."},
    )
    stop = asyncio.Event()
    task = asyncio.create_task(sender.run(stop))
    await asyncio.sleep(0.5)
    began = time.perf_counter()
    assert await launch(pool, campaign_id, kitchen, clock, announcer) == TEXTS
    sender.wake()
    while await pool.fetchval(_LEFT, campaign_id):  # noqa: ASYNC110 - another session changes it
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    stop.set()
    await task
    await channel.close()
    sent = await pool.fetchval(
        "SELECT count(*) FROM deliveries WHERE campaign_id = $1 AND state = 'sent'", campaign_id
    )
    told = await pool.fetchval(
        "SELECT count(*) FROM events WHERE campaign_id = $1 AND type = 'Sent'", campaign_id
    )
    if not sent == told == TEXTS:
        raise RuntimeError(f"{TEXTS} recipients, {sent} sent, {told} told")
    await announcer.close()
    await pool.close()
    return TEXTS / took


#: Ranges with rows that are not settled; the last one goes when the last row is.
_LEFT: Final = "SELECT count(*) FROM delivery_ranges WHERE campaign_id = $1"


# --- callbacks ---------------------------------------------------------------------------------------------


def _run_callbacks(database_url: str, folder: Path, rounds: int) -> list[dict[str, Any]]:
    (folder / "wrk.lua").write_text(WRK)
    rates: dict[tuple[str, str], list[float]] = {}
    costs: dict[tuple[str, str], list[float]] = {}
    with _python_server("bare", "", folder) as bare, _python_server("ours", database_url, folder) as ours:
        for number in range(rounds):
            for kind, write in (("reports", _write_reports), ("messages", _write_messages)):
                forms = folder / kind
                first = 10_000_000 + number * REPORTS
                forms.write_text("\n".join(write(first)))
                if kind == "reports":
                    asyncio.run(_execute(database_url, _SENT, first, first + REPORTS - 1))
                for server, (port, process) in (("bare", bare), ("ours", ours)):
                    before = asyncio.run(_count(database_url, kind))
                    begun = _processor_seconds(process)
                    requests, rate = _wrk(port, folder, forms)
                    spent = (_processor_seconds(process) - begun) / requests * 1e6
                    rates.setdefault((kind, server), []).append(rate)
                    costs.setdefault((kind, server), []).append(spent)
                    if server == "ours":
                        time.sleep(0.5)  # what wrk cut off is committed as well
                        kept = asyncio.run(_count(database_url, kind)) - before
                        if not requests <= kept <= requests + CONNECTIONS:
                            raise RuntimeError(f"{requests} {kind} were answered, {kept} kept")
                print(
                    f"    {kind} {rates[kind, 'ours'][-1]:,.0f}/s, bare {rates[kind, 'bare'][-1]:,.0f}/s",
                    flush=True,
                )
    figures = [
        _figure(
            f"sms: {kind} called back, against bare aiohttp",
            rates[kind, "ours"],
            rates[kind, "bare"],
            "requests/s",
        )
        for kind in ("reports", "messages")
    ]
    return figures + [
        {
            "name": f"sms: {kind}, processor time of the web process",
            "ours": (mine := statistics.median(costs[kind, "ours"])),
            "yardstick": (theirs := statistics.median(costs[kind, "bare"])),
            "unit": "µs/request",
            "ratio": theirs / mine,
        }
        for kind in ("reports", "messages")
    ]


def _write_reports(first: int) -> Iterator[str]:
    for number in range(first, first + REPORTS):
        path = f"/callbacks/sms/status/{KEYS.sign(TokenUse.CALLBACK, 0, number)}"
        fields = {
            "MessageSid": f"SM{number:032x}",
            "MessageStatus": "delivered",
            "SmsSid": f"SM{number:032x}",
            "SmsStatus": "delivered",
            "AccountSid": ACCOUNT,
            "From": OURS,
            "To": "+33612345678",
            "ApiVersion": "2010-04-01",
        }
        yield f"{path} {sign(PUBLIC + path, fields, TOKEN)} {urlencode(fields)}"


def _write_messages(first: int) -> Iterator[str]:
    path = "/callbacks/sms/inbound"
    for number in range(first, first + REPORTS):
        fields = {
            "MessageSid": f"SM{number:032x}",
            "SmsSid": f"SM{number:032x}",
            "SmsStatus": "received",
            "AccountSid": ACCOUNT,
            "From": f"+3361{number % 10_000_000:07}",
            "To": OURS,
            "Body": "Bonjour, où est mon colis ?",
            "NumMedia": "0",
            "NumSegments": "1",
            "FromCountry": "FR",
            "ApiVersion": "2010-04-01",
        }
        yield f"{path} {sign(PUBLIC + path, fields, TOKEN)} {urlencode(fields)}"


def _wrk(port: int, folder: Path, forms: Path) -> tuple[int, float]:
    """Answered requests, and requests per second. Raises RuntimeError when one was not answered well."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(folder / "wrk.lua")]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"],
        env={**os.environ, "BENCH_FORMS": str(forms)},
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
    command = [sys.executable, "-m", "benchmarks.sms", "--serve", kind, "--var", str(folder)]
    with _server(
        lambda port: [*command, "--port", str(port), "--database", database_url], folder / f"{kind}.log"
    ) as server:
        yield server


async def _serve(kind: str, port: int, database_url: str, var: Path) -> None:
    app = web.Application()
    closing: list[Callable[[], Any]] = []
    if kind == "ours":
        pool = await open_pool(database_url)
        announcer = Announcer(pool)
        intake = Intake(pool, BlobStore(var / "blobs"), announcer)
        provider = TwilioSms(TwilioSettings.model_validate({"account_sid": ACCOUNT, "auth_token": TOKEN}))
        add_sms_callbacks(
            app, SmsCallbacks(provider, PUBLIC, intake.take, pool, SystemClock(), KEYS, announcer)
        )
        closing = [provider.close, intake.close, announcer.close, pool.close]
    else:
        validator = RequestValidator(TOKEN)

        async def answer(request: web.Request) -> web.Response:
            form = dict(await request.post())
            signature = request.headers.get("X-Twilio-Signature", "")
            if not validator.validate(PUBLIC + request.path_qs, form, signature):
                return web.Response(status=403)
            return web.Response(status=204)

        app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=60)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()
    for close in closing:
        await close()


# --- the database ------------------------------------------------------------------------------------------


async def _fill(database_url: str) -> None:
    pool = await open_pool(database_url)
    await make_partitions(pool)
    await pool.execute(_PEOPLE, TEXTS)
    await pool.execute("INSERT INTO segments (name, condition) VALUES ('everybody', $1)", {"all": []})
    await pool.execute("VACUUM ANALYZE")
    await pool.close()


async def _execute(database_url: str, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(statement, *arguments)
    await connection.execute(
        "ANALYZE messages, deliveries, sms_facts"
    )  # as the server does by itself in time
    await connection.close()


async def _count(database_url: str, kind: str) -> int:
    statement = {
        "reports": "SELECT count(*) FROM events WHERE type = 'Delivered'",
        "messages": "SELECT count(*) FROM raw_mails",
    }[kind]
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()


def _figure(name: str, ours: list[float], yardstick: list[float], unit: str) -> dict[str, Any]:
    mine, theirs = statistics.median(ours), statistics.median(yardstick)
    return {"name": name, "ours": mine, "yardstick": theirs, "unit": unit, "ratio": mine / theirs}


def _loop(work: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


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

"""How fast ready-made messages go over the wire: our SMTP channel alone, without database or composing.

5 KB messages, 10 kept-open sessions to a sink on this machine, at most 200 messages in the channel's hands, as the
outbox feeds it. Yardsticks in turn with ours: Postfix's smtp-source (Debian's package postfix; left out where it is
missing) and aiosmtplib. Messages per second, medians. CLYTIE_BENCH_WIRE_MESSAGES changes the number.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from itertools import cycle, islice
from typing import Any, Final

import aiosmtplib

from benchmarks.send import CONNECTIONS, SIZE, _figure, _loop, find_program, sink
from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel
from domain.messages import DeliveryState, Outbound, Outcome

MESSAGES: Final = int(os.environ.get("CLYTIE_BENCH_WIRE_MESSAGES", "50000"))
BATCH: Final = 50
BATCHES: Final = 4
SENDER: Final = "bounces@example.org"


def run(rounds: int) -> list[dict[str, Any]]:
    """Measure `rounds` times in turn; the medians."""
    ours: list[float] = []
    postfix: list[float] = []
    library: list[float] = []
    for _ in range(rounds):
        with sink() as port:
            ours.append(_loop(_send_by_channel(port)))
        print(f"    ours {ours[-1]:,.0f}/s", flush=True)
        if program := find_program("smtp-source"):
            with sink() as port:
                postfix.append(_send_by_postfix(program, port))
            print(f"    smtp-source {postfix[-1]:,.0f}/s", flush=True)
        with sink() as port:
            library.append(_loop(_send_by_library(port)))
        print(f"    aiosmtplib {library[-1]:,.0f}/s", flush=True)
    figures = [_figure("wire: ready-made messages against aiosmtplib", ours, library)]
    if postfix:
        figures.insert(0, _figure("wire: ready-made messages against smtp-source", ours, postfix))
    return figures


def _body(number: int) -> bytes:
    head = b"Subject: News\r\nMessage-ID: <%06d@example.org>\r\n\r\n" % number
    lines = (SIZE - len(head)) // 72
    return head + (b"x" * 70 + b"\r\n") * lines


async def _send_by_channel(port: int) -> float:
    settings = MailSettings(
        port=port, encryption=Encryption.NEVER, connections=CONNECTIONS, client_name="bench.example"
    )
    channel = MailChannel(settings)
    contents = [_body(number) + b".\r\n" for number in range(1000)]
    messages = [
        Outbound(key, 1, SENDER, f"person.{key}@example.net", content)
        for key, content in enumerate(islice(cycle(contents), MESSAGES))
    ]
    batches = iter([messages[start : start + BATCH] for start in range(0, MESSAGES, BATCH)])
    outcomes: list[Outcome] = []

    async def feed() -> None:
        for batch in batches:
            await channel.deliver(batch, outcomes.append)

    began = time.perf_counter()
    await asyncio.gather(*[feed() for _ in range(BATCHES)])
    took = time.perf_counter() - began
    await channel.close()
    sent = sum(outcome.state is DeliveryState.SENT for outcome in outcomes)
    if sent != MESSAGES:
        raise RuntimeError(f"{sent} of {MESSAGES} sent")
    return MESSAGES / took


def _send_by_postfix(program: str, port: int) -> float:
    command = [program, "-d", "-s", str(CONNECTIONS), "-m", str(MESSAGES), "-l", str(SIZE)]
    began = time.perf_counter()
    subprocess.run([*command, "-f", SENDER, "-t", "person@example.net", f"127.0.0.1:{port}"], check=True)
    return MESSAGES / (time.perf_counter() - began)


async def _send_by_library(port: int) -> float:
    each = MESSAGES // CONNECTIONS // 4  # it is slow, and steady
    content = _body(1)

    async def send() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, use_tls=False) as client:
            for number in range(each):
                await client.sendmail(SENDER, [f"person.{number}@example.net"], content)

    began = time.perf_counter()
    await asyncio.gather(*[send() for _ in range(CONNECTIONS)])
    return each * CONNECTIONS / (time.perf_counter() - began)


if __name__ == "__main__":
    for figure in run(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(figure)

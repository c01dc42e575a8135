"""How many arrived mails one worker process turns into messages, conversations and events per second.

The mix: 60% first mails of 3,000 people (an HTML part beside the text, 4 KB), 25% replies that join a conversation
of this run, 5% with a file of 20 KB, 5% bounces of a campaign's messages to their own addresses, 5% mail of lists.
The worker reads with its reading process beside it, with durable commits, PostgreSQL on the same machine; nobody is
asked about junk or authentication.

Yardstick in the same rounds: the bare loop over the same stored mails that parses each with the standard library and
commits one row for it, as a simple importer would.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Final

import uvloop

from clytie.services.supervisor import Services
from domain.clock import SystemClock
from domain.tokens import TokenKeys, TokenUse
from inbox.mails.process import ReadingProcess
from inbox.mails.reading import Reader
from inbox.reading_settings import ReadingSettings
from outbox.letters.writing import Stationery
from outbox.settings import OutboxSettings
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.migrations import upgrade
from storage.partitions import make_partitions
from storage.pool import Pool, open_pool

MAILS: Final = 4_000
PEOPLE: Final = 3_000
KEYS: Final = TokenKeys({1: b"k" * 32})

_FILL: Final = f"""
INSERT INTO campaigns (id, name, state) VALUES (1, 'Letter', 'done');
INSERT INTO contacts (id, name) OVERRIDING SYSTEM VALUE SELECT n, 'Reader ' || n FROM generate_series(1, {MAILS}) n;
INSERT INTO messages (id, direction, channel, contact_id, campaign_id)
SELECT n, 'out', 'mail', n, 1 FROM generate_series(1, {MAILS}) n;
INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state)
SELECT n, 1, n, 'mail', 'reader' || n || '@else.example', 'sent' FROM generate_series(1, {MAILS}) n;
SELECT setval(pg_get_serial_sequence('contacts', 'id'), {MAILS});
SELECT setval(pg_get_serial_sequence('messages', 'id'), {MAILS});
INSERT INTO queues (name) SELECT 'Queue ' || n FROM generate_series(1, 20) n;
INSERT INTO queue_addresses (address, queue_id) SELECT 'queue' || id || '@hub.example', id FROM queues;
"""
_KEEP: Final = """
WITH kept AS (
    INSERT INTO raw_mails (content_hash, size, content, sender)
    SELECT h, length(c), c, s FROM unnest($1::bytea[], $2::bytea[], $3::text[]) AS given(h, c, s)
    RETURNING id, content_hash
)
INSERT INTO arrivals (raw_id, door, recipients)
SELECT k.id, 'smtp', ARRAY[g.r] FROM kept k JOIN unnest($1::bytea[], $4::text[]) AS g(h, r) ON g.h = k.content_hash
"""


def run(rounds: int) -> Iterator[dict[str, Any]]:
    """The figures."""
    ours, bare = zip(*[uvloop.run(_round(number)) for number in range(rounds)], strict=True)
    yield {
        "name": "mails read into conversations",
        "unit": "mails/s",
        "ours": statistics.median(ours),
        "yardstick": statistics.median(bare),
        "ratio": statistics.median(one / other for one, other in zip(ours, bare, strict=True)),
    }


async def _round(seed: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        services = Services(folder / "var")
        urls = await asyncio.to_thread(services.start)
        try:
            await asyncio.to_thread(upgrade, urls.database_url)
            pool = await open_pool(urls.database_url)
            await make_partitions(pool)
            await pool.execute(_FILL)
            mails = list(_mails(random.Random(seed)))
            await _keep(pool, mails)
            bare = await _read_bare(pool)
            ours = await _read(pool, folder)
            await pool.close()
            return ours, bare
        finally:
            await asyncio.to_thread(services.stop)


async def _keep(pool: Pool, mails: list[tuple[bytes, str, str]]) -> None:
    await pool.execute(
        _KEEP,
        [hashlib.sha256(raw).digest() for raw, _, _ in mails],
        [raw for raw, _, _ in mails],
        [sender for _, sender, _ in mails],
        [recipient for _, _, recipient in mails],
    )


async def _read(pool: Pool, folder: Path) -> float:
    blobs, clock, settings = BlobStore(folder / "blobs"), SystemClock(), ReadingSettings()
    reader = Reader(
        pool,
        blobs,
        ReadingProcess(folder / "blobs", settings),
        clock,
        KEYS,
        Stationery(clock, KEYS, OutboxSettings(), blobs),
        Announcer(pool),
        settings,
    )
    count = await reader.read_due()  # starts the process, prepares the statements
    began = time.perf_counter()
    total = 0
    while done := await reader.read_due():
        total += done
    seconds = time.perf_counter() - began
    await reader.close()
    left = await pool.fetchval("SELECT count(*) FROM raw_mails WHERE state <> 'read'")
    if left or total + count != MAILS:
        raise RuntimeError(f"{left} of {MAILS} mails were not read")
    return total / seconds


async def _read_bare(pool: Pool) -> float:
    await pool.execute("CREATE TABLE bare (id bigint, sender text, subject text, body text)")
    rows = await pool.fetch("SELECT id, content FROM raw_mails ORDER BY id LIMIT 1000")
    began = time.perf_counter()
    async with pool.acquire() as connection:
        for row in rows:
            mail = message_from_bytes(row["content"], policy=default)
            body = mail.get_body(("plain",))
            text = body.get_content() if body is not None else ""
            await connection.execute(
                "INSERT INTO bare VALUES ($1, $2, $3, $4)",
                row["id"],
                str(mail["From"]),
                str(mail["Subject"]),
                text,
            )
    return len(rows) / (time.perf_counter() - began)


def _mails(chance: random.Random) -> Iterator[tuple[bytes, str, str]]:
    """Bytes, envelope sender and recipient of each mail."""
    begun: list[tuple[str, str]] = []
    for number in range(1, MAILS + 1):
        draw = chance.random()
        queue = f"queue{chance.randrange(1, 21)}@hub.example"
        if draw < 0.05:
            yield _bounce(number), "", f"bounces+{KEYS.sign(TokenUse.REPLY, 1, number)}@hub.example"
            continue
        sender = f"person{chance.randrange(PEOPLE)}@client.example"
        mail = EmailMessage()
        references = ""
        if draw < 0.3 and begun:
            references, sender = chance.choice(begun)
        mail["From"], mail["To"], mail["Subject"] = f"Person <{sender}>", queue, f"Question {number}"
        mail["Message-ID"] = f"<{number}@client.example>"
        if references:
            mail["In-Reply-To"] = mail["References"] = f"<{references}>"
        else:
            begun.append((f"{number}@client.example", sender))
        text = "\n".join(f"Line {line} of question {number}, which is about a parcel." for line in range(30))
        mail.set_content(f"{text}\n\nOn Monday somebody wrote:\n> Hello\n")
        mail.add_alternative(f"<p>{text}</p>", subtype="html")
        if 0.9 < draw < 0.95:
            mail.add_attachment(
                chance.randbytes(20_000), maintype="application", subtype="pdf", filename="a.pdf"
            )
        elif draw >= 0.95:
            mail["List-Id"] = "<news.client.example>"
        yield mail.as_bytes(), sender, queue


def _bounce(number: int) -> bytes:
    address = f"reader{number}@else.example"
    return (
        f"From: MAILER-DAEMON@else.example\nTo: bounces@hub.example\nSubject: Undelivered Mail\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
        f"Content-Type: text/plain\n\n<{address}>: unknown user\n\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; else.example\n\nFinal-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 unknown user\n\n--b--\n"
    ).encode()

"""A post room for tests: mails are put where the intake puts them, and read as a worker reads them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from channels.mail.parsed import Mailbox
from domain.clock import FixedClock
from domain.tokens import TokenKeys, TokenUse
from inbox.mails.process import ReadingProcess
from inbox.mails.reading import Reader
from inbox.reading_settings import ReadingSettings
from outbox.letters.writing import Letter, LetterKind, Stationery, write_letter
from outbox.settings import OutboxSettings
from storage.blobs import BlobStore
from storage.pool import Pool, transaction

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
KEYS = TokenKeys({1: b"k" * 32})
OUTBOX = OutboxSettings(reply_domain="hub.example", bounce_domain="hub.example")

_KEEP = """
WITH kept AS (
    INSERT INTO raw_mails (content_hash, size, content, blob, sender) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (content_hash) DO UPDATE SET sender = raw_mails.sender RETURNING id
)
INSERT INTO arrivals (raw_id, door, cursor, recipients, meta)
SELECT id, $6, $7, $8, $9 FROM kept RETURNING raw_id
"""


def write_mail(
    sender: str = "Ana Sousa <ana@client.example>",
    to: str = "support@hub.example",
    subject: str = "A question",
    text: str = "Where is my parcel?",
    *,
    message_id: str = "",
    references: Sequence[str] = (),
    files: Sequence[tuple[str, bytes]] = (),
    **headers: str,
) -> bytes:
    """A mail as it comes over the wire."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = "Mon, 04 May 2026 10:59:00 +0200"
    if message_id:
        mail["Message-ID"] = f"<{message_id}>"
    if references:
        mail["In-Reply-To"] = f"<{references[-1]}>"
        mail["References"] = " ".join(f"<{one}>" for one in references)
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    for name, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


@dataclass
class PostRoom:
    """A database, a reader with its process, a clock that stands still."""

    pool: Pool
    reader: Reader
    clock: FixedClock
    blobs: BlobStore

    async def drop(
        self,
        raw: bytes,
        *recipients: str,
        sender: str = "ana@client.example",
        door: str = "smtp",
        cursor: str | None = None,
        meta: Mapping[str, Any] | None = None,
        blob: bool = False,
    ) -> int:
        """Put a mail where the intake puts it; gives its number."""
        number: int = await self.pool.fetchval(
            _KEEP,
            hashlib.sha256(raw).digest(),
            len(raw),
            None if blob else raw,
            self.blobs.put(raw) if blob else None,
            sender,
            door,
            cursor,
            list(recipients),
            dict(meta or {}),
        )
        return number

    async def read(self) -> int:
        """Read until nothing is due."""
        total = 0
        while count := await self.reader.read_due():
            total += count
        return total

    async def receive(self, raw: bytes, *recipients: str, **envelope: Any) -> Any:
        """Put a mail and read it; gives the row of the message that it became, None in the quarantine."""
        number = await self.drop(raw, *(recipients or ("support@hub.example",)), **envelope)
        await self.read()
        return await self.pool.fetchrow(
            "SELECT m.*, c.subject, c.body, c.new_text, f.mailbox, f.automatic, f.junk FROM raw_mails r"
            " JOIN messages m ON m.id = r.message_id JOIN message_contents c ON c.message_id = m.id"
            " JOIN mail_facts f ON f.message_id = m.id WHERE r.id = $1",
            number,
        )

    async def row(self, table: str, id: int) -> Any:
        """A row by its id."""
        return await self.pool.fetchrow(f"SELECT * FROM {table} WHERE id = $1", id)

    async def conversation(self, id: int) -> Any:
        """The row of a conversation."""
        return await self.row("conversations", id)

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(await self.pool.fetchval(f"SELECT count(*) FROM {table}"))

    async def events(self, *types: str) -> list[Any]:
        """Events of these types, in order."""
        rows: list[Any] = await self.pool.fetch(
            "SELECT * FROM events WHERE type = ANY($1::text[]) ORDER BY id", list(types)
        )
        return rows

    async def contact(self, name: str, address: str) -> int:
        """A contact with an address."""
        id: int = await self.pool.fetchval("INSERT INTO contacts (name) VALUES ($1) RETURNING id", name)
        await self.pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', $2, $2)",
            id,
            address,
        )
        return id

    async def queue(self, name: str, *addresses: str, auto_answer: str | None = None) -> int:
        """A queue with its addresses."""
        id: int = await self.pool.fetchval(
            "INSERT INTO queues (name, from_address, auto_answer) VALUES ($1, $2, $3) RETURNING id",
            name,
            addresses[0] if addresses else None,
            auto_answer,
        )
        await self.pool.executemany(
            "INSERT INTO queue_addresses (address, queue_id) VALUES ($1, $2)",
            [(one, id) for one in addresses],
        )
        return id

    async def answer(self, conversation: int, to: str, text: str = "It is on its way.") -> Any:
        """A letter of ours in a conversation: the rows of its message and delivery, with its Message-ID."""
        letter = Letter(
            LetterKind.ANSWER,
            Mailbox("Support", "support@hub.example"),
            (Mailbox("", to),),
            "Re: A question",
            text,
            conversation_id=conversation,
        )
        async with transaction(self.pool) as connection:
            id = await write_letter(connection, letter, self.reader.stationery)
        await self.pool.execute("UPDATE deliveries SET state = 'sent' WHERE message_id = $1", id)
        return await self.pool.fetchrow(
            "SELECT m.*, f.header_id, d.address FROM messages m JOIN mail_facts f ON f.message_id = m.id"
            " JOIN deliveries d ON d.message_id = m.id WHERE m.id = $1",
            id,
        )

    async def campaign_mail(self, contact: int, address: str, *, state: str = "sent") -> tuple[int, int]:
        """A newsletter's message to somebody: campaign and message."""
        campaign: int = await self.pool.fetchval(
            "INSERT INTO campaigns (name) SELECT 'Letter ' || count(*) FROM campaigns RETURNING id"
        )
        id: int = await self.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id, campaign_id) VALUES ('out', 'mail', $1, $2)"
            " RETURNING id",
            contact,
            campaign,
        )
        await self.pool.execute(
            "INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state, reason)"
            " VALUES ($1, $2, $3, 'mail', $4, $5::text, CASE WHEN $5 = 'uncertain' THEN 'lease_expired' END)",
            id,
            campaign,
            contact,
            address,
            state,
        )
        return campaign, id

    def header_id(self, message_id: int, campaign_id: int) -> str:
        """The Message-ID of a campaign's message."""
        return f"{KEYS.sign(TokenUse.HEADER, campaign_id, message_id)}@hub.example"

    def return_path(self, message_id: int, campaign_id: int = 0) -> str:
        """Where bounces of a message go."""
        return f"bounces+{KEYS.sign(TokenUse.REPLY, campaign_id, message_id)}@hub.example"


@asynccontextmanager
async def open_post_room(
    pool: Pool, folder: Path, settings: ReadingSettings | None = None, **changes: Any
) -> AsyncIterator[PostRoom]:
    """A post room with its reading process, which is ended with it."""
    blobs = BlobStore(folder / "blobs")
    clock = FixedClock(NOW)
    settings = settings or ReadingSettings()
    reader = Reader(
        pool,
        blobs,
        ReadingProcess(folder / "blobs", settings),
        clock,
        KEYS,
        Stationery(clock, KEYS, OUTBOX, blobs),
        settings=settings,
        **changes,
    )
    try:
        yield PostRoom(pool, reader, clock, blobs)
    finally:
        await reader.close()


def delivery_report(
    recipient: str,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    words: str = "550 5.1.1 User unknown",
    original: str = "",
) -> bytes:
    """A report as Postfix writes it (RFC 3464); `original` is the Message-ID of the returned mail."""
    returned = f"Message-ID: <{original}>\n" if original else ""
    return (
        (
            "From: Mail Delivery System <MAILER-DAEMON@mx.client.example>\nTo: bounces@hub.example\n"
            "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
            f"Content-Type: text/plain\n\nThis is the mail system. <{recipient}>: {words}\n\n--b\n"
            "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.client.example\n\n"
            f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"
            f"Diagnostic-Code: smtp; {words}\n\n--b\nContent-Type: message/rfc822\n\n"
            f"From: us@hub.example\nTo: {recipient}\nSubject: May letter\n{returned}\nHello\n\n--b--\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )

"""What the test mailbox gets is signed: a campaign and letters on their whole way, verified by another implementation."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from campaigns.launch import launch
from channels.base import Received
from channels.mail.dkim.signing import Signer
from channels.mail.parsed import Mailbox
from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel
from channels.sandbox.door import SandboxDoor
from domain.clock import SystemClock
from outbox.composing import MailKitchen
from outbox.letters.composing import LetterComposer
from outbox.letters.letter import LetterFile
from outbox.sender import Sender
from storage.announce import Announcer
from storage.pool import Pool
from tests.channels.test_dkim import EDWARDS, RSA, verifies
from tests.outbox.post import KEYS, make_stationery, post
from tests.outbox.stock import BRISK, run_until, states

_PEOPLE = """
WITH people AS (
    INSERT INTO contacts (name, given_name) SELECT name, name FROM unnest($1::text[]) AS name RETURNING id
), addressed AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT id, 'mail', 'p' || id || '@example.net', 'p' || id || '@example.net' FROM people
)
INSERT INTO consents (contact_id, purpose, state, since) SELECT id, 'newsletter', 'granted', now() FROM people
"""
_CAMPAIGN = """
WITH s AS (INSERT INTO segments (name, condition) VALUES ('all', $1) RETURNING id)
INSERT INTO campaigns (name, segment_id, source) SELECT 'News', id, $2 FROM s RETURNING id
"""
SOURCE = {
    "subject": "Été 🌻 for {{ contact.given_name }}",
    "from_name": "Hélianthe, Ltd.",
    "from_address": "news@lists.firm.example",
    "html": "<html><body><p>Dear {{ contact.given_name }},</p>\n<p>.a line that begins with a dot</p>"
    "<p><a href='{{ links.unsubscribe }}'>Unsubscribe</a></p></body></html>",
}


@pytest.fixture
def arrived() -> list[bytes]:
    """What the test mailbox got, byte for byte."""
    return []


async def send_all(pool: Pool, folder: Path, arrived: list[bytes], count: int) -> None:
    """Send what is queued through the test mailbox's door, signed with two keys."""
    sign = Signer((RSA, EDWARDS)).sign_payload

    async def keep(received: Received) -> None:
        arrived.append(received.raw)

    door = SandboxDoor(keep)
    await door.start()
    channel = MailChannel(MailSettings(port=door.port, encryption=Encryption.NEVER, connections=2))
    sender = Sender(
        pool,
        channel,
        MailKitchen(KEYS, "https://hub.firm.example", BRISK, sign).composer,
        BRISK,
        SystemClock(),
        Announcer(pool),
        letters=LetterComposer(make_stationery(folder).blobs, sign),
    )

    async def done() -> bool:
        return await states(pool) == {"sent": count}

    try:
        await run_until(sender, done)
    finally:
        await channel.close()
        await door.stop()


def header(mail: Message, name: str) -> str:
    return str(mail[name]).replace("\r\n", "")


async def test_a_campaign_arrives_with_signatures_that_hold(
    pool: Pool, tmp_path: Path, arrived: list[bytes]
) -> None:
    names = ["Ada", "Zoë", 'Ł. "Quote" O\'Neil, ' + "very " * 30 + "long", ".dot", "東京 太郎"]
    await pool.execute(_PEOPLE, names)
    campaign_id = await pool.fetchval(_CAMPAIGN, {"all": []}, SOURCE)
    kitchen = MailKitchen(KEYS, "https://hub.firm.example", BRISK)
    assert await launch(pool, campaign_id, kitchen, SystemClock()) == len(names)
    await send_all(pool, tmp_path, arrived, len(names))
    assert len(arrived) == len(names)
    for raw in arrived:
        assert verifies(raw, RSA, EDWARDS) == [True, True]
        signed = header(message_from_bytes(raw), "DKIM-Signature").replace("\t", "").replace(" ", "")
        assert "list-unsubscribe:list-unsubscribe" in signed
        assert "list-unsubscribe-post:list-unsubscribe-post" in signed
        assert "d=firm.example" in signed  # From is in a subdomain: aligned


async def test_letters_arrive_with_signatures_that_hold_also_as_copies_and_from_files(
    pool: Pool, tmp_path: Path, arrived: list[bytes]
) -> None:
    stationery = make_stationery(tmp_path)
    for text, files in (
        (".\r\n..\r\n.dot\n\n\nFrom here\n\n\n", ()),
        (
            "trailing blanks   \n\t\n" * 20 + "é" * 500,
            (LetterFile("Été.pdf", "application/pdf", b"%PDF\n" * 99),),
        ),
        ("large", (LetterFile("big.bin", "", bytes(range(256)) * 2000),)),
    ):
        await post(
            pool,
            stationery,
            from_=Mailbox("Ünterstützung, " * 8, "support@firm.example"),
            to=(Mailbox("Ada", "ada@example.net"), Mailbox("Bob", "bob@example.net")),
            bcc=(Mailbox("Secret", "eve@example.net"),),
            subject="Ihre Anfrage über " + "Größen " * 30,
            text=text,
            html=f"<p>{text}</p>",
            attachments=files,
            references=tuple(f"{'r' * 200}{number}@example.net" for number in range(40)),
        )
    await send_all(pool, tmp_path, arrived, 9)
    assert len(arrived) == 9
    for raw in arrived:
        assert await asyncio.to_thread(verifies, raw, RSA, EDWARDS) == [True, True]
        assert b"eve@example.net" not in raw
        assert b"Secret" not in raw
        assert max(map(len, raw.split(b"\r\n"))) < 999


async def test_mail_of_a_domain_without_a_key_arrives_unsigned(
    pool: Pool, tmp_path: Path, arrived: list[bytes]
) -> None:
    await post(pool, make_stationery(tmp_path), from_=Mailbox("", "x@other.example"))
    await send_all(pool, tmp_path, arrived, 1)
    assert not message_from_bytes(arrived[0])["DKIM-Signature"]

"""What aiosmtplib delivers and what we deliver arrives byte for byte the same at the same server."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage

import aiosmtplib
import pytest

from channels.base import Received
from channels.mail.smtp import MailChannel
from channels.sandbox.door import SandboxDoor
from tests.channels.mails import make_message, outcomes_of

OpenChannel = Callable[..., MailChannel]


def _newsletter() -> bytes:
    message = EmailMessage()
    message["From"] = "Éditions <news@clytie.example>"
    message["To"] = "user@example.com"
    message["Subject"] = "Les nouvelles de l’été"
    message.set_content("Bonjour,\n.une ligne qui commence par un point\n..deux\n.\n" + "long " * 300 + "\n")
    message.add_alternative("<p>Bonjour</p>\n.\n", subtype="html")
    message.add_attachment(
        bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="é.bin"
    )
    return message.as_bytes().replace(b"\n", b"\r\n")


RAW_MAILS = {
    "newsletter": _newsletter(),
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\n\r\n.\r\n",
    "empty body": b"Subject: empty\r\n\r\n",
    "no headers": b"\r\njust text\r\n",
    "8-bit": "Subject: x\r\n\r\nétat œuvre ☃\r\n".encode(),
    "latin bytes": b"Subject: x\r\n\r\n\xe9\xe8\x00\xff\r\n",
    "long": b"Subject: x\r\n\r\n" + (b"z" * 900 + b"\r\n") * 300,
}


def _payload(raw: bytes) -> bytes:
    """A mail as the composer hands it over: dots doubled, ended."""
    return (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


@pytest.mark.parametrize("raw", RAW_MAILS.values(), ids=RAW_MAILS.keys())
@pytest.mark.parametrize("pipelining", [True, False])
async def test_both_clients_deliver_the_same_bytes(
    open_channel: OpenChannel, raw: bytes, pipelining: bool
) -> None:
    stored: list[Received] = []

    async def store(received: Received) -> None:
        stored.append(received)

    door = SandboxDoor(store)
    await door.start()
    channel = open_channel(door.port, pipelining=pipelining)
    ours = [
        make_message(key, "user@example.com", sender="n@clytie.example", content=_payload(raw))
        for key in (1, 2)
    ]
    await outcomes_of(channel, ours)
    await channel.close()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=door.port, start_tls=False) as client:
        await client.sendmail("n@clytie.example", ["user@example.com"], raw)
    await door.stop()
    first, second, theirs = ((mail.raw, mail.sender, mail.recipients) for mail in stored)
    assert first == second == theirs
    assert first[0] == raw

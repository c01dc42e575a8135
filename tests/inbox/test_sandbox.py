"""The test mailbox keeps what its door took, for each recipient, before the door answers."""

from __future__ import annotations

import smtplib
from asyncio import to_thread

from channels.base import Received
from channels.sandbox.door import SandboxDoor
from inbox.sandbox import SandboxMailbox
from storage.announce import Announcer
from storage.pool import Pool

MAIL = b"From: a@example.org\r\nSubject: =?utf-8?q?B=C3=A9a?=\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n"


async def test_a_mail_sent_by_smtp_is_in_the_mailbox_of_each_recipient_when_it_is_accepted(
    pool: Pool,
) -> None:
    announcer = Announcer(pool)
    door = SandboxDoor(SandboxMailbox(pool, announcer))
    await door.start()

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", door.port, timeout=10) as client:
            client.sendmail("a@example.org", ["Claire@example.org", "b@example.org"], MAIL)

    await to_thread(send)
    rows = await pool.fetch("SELECT * FROM sandbox_mails ORDER BY id")
    assert [row["recipient"] for row in rows] == ["claire@example.org", "b@example.org"]
    assert {row["message_id_header"] for row in rows} == {"<1@example.org>"}
    assert all(b"\r\nHello\r\n" in row["raw"] for row in rows)
    await door.stop()
    await announcer.close()


async def test_headers_that_no_database_takes_do_not_lose_the_mail(pool: Pool) -> None:
    announcer = Announcer(pool)
    raw = b"Subject: a\x00b\xff\xfe\r\nMessage-ID: \r\n\r\n\x00body"
    await SandboxMailbox(pool, announcer)(Received(raw, "a\x00@b", ("c@d",)))
    assert await pool.fetchval("SELECT raw FROM sandbox_mails") == raw
    await announcer.close()

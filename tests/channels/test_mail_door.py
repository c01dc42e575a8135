"""The SMTP door: it takes what is for us, answers 250 after it is stored, and never relays."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable

import pytest

from channels.mail.settings import Encryption
from channels.mail.smtp import MailChannel
from domain.messages import DeliveryState
from tests.channels.conftest import Certificate
from tests.channels.door_house import DoorHouse, wire_to
from tests.channels.mails import make_message, outcomes_of

OpenChannel = Callable[..., MailChannel]


async def test_a_mail_is_taken_as_it_was_sent_with_its_envelope_and_trace() -> None:
    house = DoorHouse()
    raw = b"Subject: hello\r\n\r\n.a dot\r\n..two\r\n\r\n.\x00\xff end without newline"

    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example") as client:
            client.sendmail("a@b.example", ["x@example.com", "y@example.com"], raw)

    async with house.door() as door:
        await asyncio.to_thread(send, door.port)
    (mail,) = house.mails
    assert mail.raw == raw + b"\r\n"
    assert (mail.sender, mail.recipients, mail.door) == (
        "a@b.example",
        ("x@example.com", "y@example.com"),
        "smtp",
    )
    assert mail.meta == {"peer": "127.0.0.1", "helo": "client.example", "protocol": "ESMTP"}


async def test_strangers_are_refused_at_rcpt_so_nothing_is_relayed_or_bounced() -> None:
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        await wire.say("MAIL FROM:<a@b.example>")
        for address in (
            "x@example.org",
            "x%example.org@example.net",
            "nobody",
            '"x@example.org"@example.net',
        ):
            assert (await wire.say(f"RCPT TO:<{address}>")).startswith("550 5.1.1")
        assert (await wire.say("DATA")).startswith("503")
    assert house.mails == []


async def test_250_waits_for_the_store() -> None:
    house = DoorHouse()
    house.gate.clear()
    async with house.door() as door, wire_to(door) as wire:
        await wire.begin()
        wire.send("Subject: x\r\n\r\n.")
        await asyncio.sleep(0.2)
        assert not wire.reader._buffer  # type: ignore[attr-defined]
        house.gate.set()
        assert await wire.read() == "250 2.0.0 taken as 1"


async def test_a_store_that_is_away_makes_the_sender_try_again(open_channel: OpenChannel) -> None:
    house = DoorHouse()
    house.away = True
    async with house.door() as door:
        channel = open_channel(door.port)
        outcome = (await outcomes_of(channel, [make_message(1, "x@example.com")]))[1]
        assert (outcome.state, outcome.reply[:9]) == (DeliveryState.DEFERRED, "451 4.3.0")
        house.away = False
        outcome = (await outcomes_of(channel, [make_message(1, "x@example.com")]))[1]
        assert outcome.state is DeliveryState.SENT
        await channel.close()
    assert len(house.mails) == 1


async def test_when_nobody_can_tell_whether_an_address_is_ours_the_sender_tries_again() -> None:
    async with DoorHouse().door() as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        await wire.say("MAIL FROM:<a@b.example>")
        assert (await wire.say("RCPT TO:<broken@example.com>")).startswith("451 4.3.0")


@pytest.mark.parametrize(
    ("path", "sender"),
    [
        ("<>", ""),
        ("<a@b.example>", "a@b.example"),
        ("<@relay.example,@other.example:a@b.example>", "a@b.example"),
        ('<"a b"@b.example>', '"a b"@b.example'),
        ("<jürgen@exämple.com> SMTPUTF8", "jürgen@exämple.com"),
        ("<a@b.example> SIZE=100 BODY=8BITMIME AUTH=<>", "a@b.example"),
    ],
)
async def test_senders_come_in_many_forms(path: str, sender: str) -> None:
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        assert (await wire.say(f"MAIL FROM:{path}")).startswith("250")
        await wire.say("RCPT TO:<x@example.com>")
        await wire.say("DATA")
        assert (await wire.say(".")).startswith("250")
    assert house.mails[0].sender == sender
    assert house.mails[0].raw == b""


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:<a@b.example\x00>",
        b"MAIL FROM:<\xff@b.example>",
        b"MAIL FROM:<a@b.example>\rRCPT TO:<x@example.com>",
        b"MAIL FROM:<" + b"a" * 900 + b"@b.example>",
        b"MAIL FROM:<((((((((>",
        b"MAIL FROM: a@b.example",
        "MAIL FROM:<a@b.example> SIZE=²".encode(),
        b"MAIL FROM:",
        b"MAIL",
        b"RCPT TO:<x@example.com>",
        b"DATA",
        b"\xff\xfe",
        b"",
        b"NONSENSE",
        b"VRFY \xff",
        b"HELP \xff\r",
        b"STARTTLS",
        b"AUTH PLAIN AGEAYg==",
        b"X" * 100_000,
    ],
)
async def test_odd_lines_are_answered_and_the_connection_goes_on(
    line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        assert (await wire.say(line))[:1] in "245"
        assert (await wire.say("RSET")).startswith("250")
        await wire.begin()
        assert (await wire.say("hello\r\n.")).startswith("250")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_pipelined_commands_are_answered_in_order() -> None:
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        offered = await wire.say("EHLO c")
        for word in ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 52428800", "ENHANCEDSTATUSCODES"):
            assert word in offered
        assert "AUTH" not in offered
        assert "STARTTLS" not in offered
        wire.send(
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\nRCPT TO:<x@example.org>\r\n"
            "RCPT TO:<y@example.com>\r\nDATA"
        )
        assert [(await wire.read())[:3] for _ in range(5)] == ["250", "250", "550", "250", "354"]
        wire.send("one\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\nDATA")
        assert [(await wire.read())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        wire.send("two\r\n.\r\nQUIT")
        assert [(await wire.read())[:3] for _ in range(2)] == ["250", "221"]
        assert await wire.closed()
    assert [mail.raw for mail in house.mails] == [b"one\r\n", b"two\r\n"]
    assert house.mails[0].recipients == ("x@example.com", "y@example.com")


async def test_our_own_sender_and_our_door_agree(open_channel: OpenChannel, certificate: Certificate) -> None:
    house = DoorHouse()
    async with house.door(certificate=certificate.cert, certificate_key=certificate.key) as door:
        channel = open_channel(
            door.port, connections=3, encryption=Encryption.REQUIRED, ca_file=certificate.cert
        )
        messages = [make_message(number, f"user{number}@example.com") for number in range(1, 101)]
        outcomes = await outcomes_of(channel, messages)
        await channel.close()
    assert {outcome.state for outcome in outcomes.values()} == {DeliveryState.SENT}
    assert len(house.mails) == 100
    assert house.mails[0].meta["tls"].startswith("TLSv1.3 ")
    assert house.mails[0].meta["protocol"] == "ESMTPS"


async def test_a_cut_at_every_step_leaves_at_most_the_mail_that_was_stored() -> None:
    steps = ["EHLO c", "MAIL FROM:<a@b.example>", "RCPT TO:<x@example.com>", "DATA", "Subject: x", ".", None]
    house = DoorHouse()
    async with house.door() as door:
        for end in range(len(steps)):
            async with wire_to(door) as wire:
                for number, step in enumerate(steps[:end]):
                    assert step is not None
                    wire.send(step)
                    if number != 4 and step != ".":
                        await wire.read()
                await wire.writer.drain()
                await asyncio.sleep(0.05)
                wire.cut()
        await asyncio.sleep(0.1)
        assert door.peers.total == 0
        assert door.room.used == 0
    assert [mail.raw for mail in house.mails] in ([b"Subject: x\r\n"], [])


async def test_stopping_cuts_connections_and_answers_nothing_that_is_not_stored() -> None:
    house = DoorHouse()
    house.gate.clear()
    async with house.door() as door, wire_to(door) as wire:
        await wire.begin()
        wire.send("hello\r\n.")
        await asyncio.sleep(0.1)
        await door.stop()
        try:
            assert await wire.read() == ""
        except ConnectionError:
            pass
        house.gate.set()
    assert house.mails == []

"""Anything may be said to a door, in any order: it answers in order, keeps its books, and logs no fault of ours."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.channels.door_house import DoorHouse

WORDS = st.sampled_from(
    [
        *(
            b"EHLO c",
            b"HELO c",
            b"LHLO c",
            b"MAIL FROM:<a@b.example>",
            b"MAIL FROM:<>",
            b"RCPT TO:<x@example.com>",
        ),
        *(b"RCPT TO:<no@example.org>", b"DATA", b".", b"..", b"text", b"RSET", b"NOOP", b"VRFY x", b"HELP"),
        *(
            b"STARTTLS",
            b"AUTH PLAIN",
            b"AUTH LOGIN",
            b"*",
            b"MAIL",
            b"RCPT TO:",
            b"",
            b"\xff\xfe",
            b"x" * 3000,
        ),
        *(
            b"MAIL FROM:<(((((>",
            b'RCPT TO:<"\\',
            b"MAIL FROM:<a@b.example> SIZE=9999999999",
            b"EXPN x",
            b"DATA x",
        ),
    ]
)
NOISE = st.lists(st.one_of(WORDS, st.binary(max_size=40)), max_size=2)
STEPS = (b"EHLO c", b"LHLO c", b"MAIL FROM:<a@b.example>", b"RCPT TO:<x@example.com>", b"DATA", b"text", b".")
LINES = st.lists(NOISE, min_size=14, max_size=14).map(
    lambda noises: [line for step, noise in zip(STEPS * 2, noises, strict=True) for line in (step, *noise)]
)
ENDS = st.sampled_from([b"\r\n", b"\n", b"\r"])
REPLY = re.compile(rb"[2345]\d\d[ -].*")


async def talk(name: str, lines: list[bytes], end: bytes) -> tuple[DoorHouse, bytes]:
    house = DoorHouse()
    async with house.door("lmtp" if name == "lmtp" else "smtp", command_seconds=2, data_seconds=2) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"".join(line + end for line in lines) + b"\r\n.\r\nQUIT\r\n")
        try:
            answers = await asyncio.wait_for(reader.read(), 5)
        except ConnectionError:
            answers = b""
        writer.transport.abort()
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert door.room.used == 0
    assert door.peers.total == 0
    return house, answers


@pytest.mark.parametrize("name", ["smtp", "lmtp"])
@given(LINES, ENDS)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_said_is_our_fault(
    name: str, caplog: pytest.LogCaptureFixture, lines: list[bytes], end: bytes
) -> None:
    with caplog.at_level(logging.WARNING, "channels"):
        house, answers = asyncio.run(talk(name, lines, end))
    assert [record.message for record in caplog.records if record.name.startswith("channels")] == []
    for answer in answers.split(b"\r\n"):
        assert not answer or REPLY.fullmatch(answer)
    for mail in house.mails:
        assert set(mail.recipients) == {"x@example.com"}
        assert mail.sender in ("", "a@b.example")
    assert answers.count(b"taken as") >= len(house.mails)

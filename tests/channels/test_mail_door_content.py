"""The content of a mail: one ending only, any bytes, bounded memory."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.mail.door.content import Flood, Hold, NoRoom, Room, TooLarge, read_content
from tests.channels.door_house import DoorHouse, wire_to

LIMIT = 1_000_000
GIGABYTE = 1 << 30


async def read(stream: bytes, *, limit: int = LIMIT, cuts: tuple[int, ...] = (), ahead: int = 32) -> bytes:
    """Read a content from a stream that arrives in pieces; `ahead`: how much is read ahead."""
    reader = asyncio.StreamReader(limit=ahead)
    hold = Hold(Room(10 * LIMIT))
    task = asyncio.create_task(read_content(reader, limit, hold))
    begin = 0
    for cut in (*sorted(cuts), len(stream)):
        reader.feed_data(stream[begin:cut])
        begin = max(begin, cut)
        await asyncio.sleep(0)
    try:
        return await asyncio.wait_for(task, 5)
    finally:
        hold.release()


def stuff(content: bytes) -> bytes:
    """As RFC 5321, 4.5.2 says, line by line."""
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


@given(
    st.lists(st.sampled_from([b"a", b".", b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"x" * 40])),
    st.lists(st.integers(0, 200), max_size=6),
)
@settings(max_examples=200)
def test_what_was_stuffed_comes_out_as_it_was_however_it_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    content = b"".join(pieces)
    content += b"" if content.endswith(b"\r\n") or not content else b"\r\n"
    if not content:
        return
    assert asyncio.run(read(stuff(content), cuts=tuple(cuts))) == content


async def test_the_shortest_contents() -> None:
    assert await read(b".\r\n") == b""
    assert await read(b"\r\n.\r\n") == b"\r\n"
    assert await read(b"..\r\n.\r\n") == b".\r\n"
    assert await read(b".unstuffed\r\n.\r\n") == b"unstuffed\r\n"


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n"]
)
async def test_nothing_but_crlf_dot_crlf_ends_a_mail(ending: bytes) -> None:
    smuggled = b"MAIL FROM:<boss@example.com>\r\nRCPT TO:<x@example.com>\r\nDATA\r\nSubject: pay\r\n"
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        await wire.begin()
        wire.send(b"Subject: one" + ending + smuggled + b".")
        assert (await wire.read()).startswith("250")
        assert (await wire.say("NOOP")).startswith("250")
    (mail,) = house.mails
    assert mail.sender == "a@b.example"
    assert b"boss@example.com" in mail.raw


async def test_lines_without_an_end_and_line_ends_of_other_systems_are_kept() -> None:
    raw = b"Subject: x\nTo: y\r\n\r\n" + b"z" * 200_000 + b"\rold mac\r\n"
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        await wire.begin()
        wire.send(raw + b".")
        assert (await wire.read()).startswith("250")
    assert house.mails[0].raw == raw


async def test_a_hundred_thousand_headers_are_a_mail_like_any_other() -> None:
    raw = b"".join(b"X-Header-%d: value\r\n" % number for number in range(100_000)) + b"\r\nbody\r\n"
    house = DoorHouse()
    async with house.door() as door, wire_to(door) as wire:
        await wire.begin()
        wire.send(raw + b".")
        assert (await wire.read()).startswith("250")
    assert house.mails[0].raw == raw


async def test_a_mail_that_is_too_large_is_refused_by_its_announcement_and_by_its_bytes() -> None:
    house = DoorHouse()
    async with house.door(size_limit=10_000) as door, wire_to(door) as wire:
        await wire.say("EHLO c")
        assert (await wire.say("MAIL FROM:<a@b.example> SIZE=10001")).startswith("552")
        await wire.begin()
        wire.send(b"x" * 10_001 + b"\r\n.")
        assert (await wire.read()).startswith("552 5.3.4")
        await wire.begin(greeting="RSET")
        assert (await wire.say(b"x" * 9_998 + b"\r\n.")).startswith("250")
    assert [len(mail.raw) for mail in house.mails] == [10_000]


async def test_when_too_many_mails_come_at_a_time_some_are_asked_to_come_later() -> None:
    house = DoorHouse()
    async with house.door(memory_limit=50_000) as door, wire_to(door) as one, wire_to(door) as other:
        await one.begin()
        one.writer.write(b"x" * 40_000)
        await other.begin()
        await asyncio.sleep(0.1)
        other.send(b"y" * 20_000 + b"\r\n.")
        assert (await other.read()).startswith("452 4.3.1")
        one.send(b"\r\n.")
        assert (await one.read()).startswith("250")
        await other.begin(greeting="RSET")
        other.send(b"y" * 20_000 + b"\r\n.")
        assert (await other.read()).startswith("250")
        assert door.room.used == 0


async def test_problems_have_names() -> None:
    with pytest.raises(TooLarge):
        await read(b"x" * 110 + b"\r\n.\r\n", limit=100)
    with pytest.raises(Flood):
        await read(b"x" * 1000, limit=100)
    reader = asyncio.StreamReader()
    reader.feed_data(b"x" * 100 + b"\r\n.\r\n")
    with pytest.raises(NoRoom):
        await read_content(reader, 1000, Hold(Room(50)))


@pytest.mark.parametrize("line", [b"x" * 65_536, b"short\r\n" * 9362], ids=["no line end", "lines"])
async def test_a_gigabyte_of_content_costs_no_more_memory_than_one_mail_may(line: bytes) -> None:
    house = DoorHouse()
    process = psutil.Process(os.getpid())
    async with house.door(size_limit=4_000_000) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n")
        before = most = process.memory_info().rss
        sent = 0
        try:
            while sent < GIGABYTE:
                writer.write(line)
                await writer.drain()
                sent += len(line)
                most = max(most, process.memory_info().rss)
        except ConnectionError:
            pass
        writer.transport.abort()
        await asyncio.sleep(0.1)
        assert sent < GIGABYTE  # the door hung up long before
        assert most - before < 32_000_000
        assert door.room.used == 0
    assert house.mails == []


async def test_a_command_line_without_an_end_is_bounded() -> None:
    async with DoorHouse().door(command_seconds=1) as door, wire_to(door) as wire:
        before = psutil.Process().memory_info().rss
        try:
            for _ in range(500):
                wire.writer.write(b"x" * 65_536)
                await wire.writer.drain()
        except ConnectionError:
            pass
        assert psutil.Process().memory_info().rss - before < 16_000_000

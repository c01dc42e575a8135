"""Servers that do what the standard does not say, as real ones do: no mail is lost, and one bad mail stops no other."""

from __future__ import annotations

import asyncio
import time

import pytest

from channels.mail.imap.ports import FolderState
from tests.channels.odd_imap import OddServer
from tests.imap_memory import Memory, mail, until, watching


@pytest.mark.parametrize("oddity", ["news before idling", "news with idling", "chatter"])
async def test_news_is_heard_however_it_comes_with_the_answer_to_idle(oddity: str) -> None:
    """A mail that arrives between the last look and IDLE is told at once, and waits for no renewal."""
    memory = Memory()
    async with OddServer(oddity).running() as server:
        server.put(mail("one"))
        async with watching(memory, server.account()):
            await until(lambda: memory.mails)
            started = time.monotonic()
            server.put(mail("two"))
            await until(lambda: len(memory.mails) == 2)
            assert time.monotonic() - started < 2
            await asyncio.sleep(0.2)
        assert server.sessions == 1
    assert memory.trouble("odd") is None


async def test_a_server_that_says_goodbye_is_visited_again() -> None:
    memory = Memory()
    async with OddServer("goodbye while idling").running() as server, watching(memory, server.account()):
        await until(lambda: server.sessions >= 3)
        server.put(mail("later"))
        await until(lambda: memory.mails)


async def test_a_server_that_refuses_idle_is_tried_again_and_loses_nothing() -> None:
    memory = Memory()
    async with OddServer("idle refused").running() as server, watching(memory, server.account()):
        await until(lambda: FolderState.FAILED in memory.states("odd"))
        server.put(mail("later"))
        await until(lambda: memory.mails)


@pytest.mark.parametrize("oddity", ["body refused", "body nil", "body missing"])
async def test_a_mail_that_the_server_cannot_give_is_put_aside_and_the_others_come(oddity: str) -> None:
    memory = Memory()
    async with OddServer(oddity).running() as server:
        server.put(*(mail(f"number {number}") for number in range(1, 6)))
        server.bad.add(3)
        async with watching(memory, server.account()):
            await until(lambda: memory.aside and len(memory.mails) == 4)
            server.put(mail("number 6"))
            await until(lambda: len(memory.mails) == 5)
    [((door, cursor), (received, reason))] = memory.aside.items()
    assert (door, cursor) == ("imap:odd", "INBOX/7/3")
    assert b"UID 3" in received.raw
    assert "the mail server cannot give it" in reason
    assert memory.offered == len(memory.mails) + 2 * 2  # numbers 1 and 2 came with each of three attempts


async def test_a_mail_that_is_given_at_the_second_attempt_is_taken_in() -> None:
    memory = Memory()
    async with OddServer("body refused").running() as server:
        server.put(mail("one"), mail("two"))
        server.bad.add(2)
        async with watching(memory, server.account()):
            await until(lambda: FolderState.FAILED in memory.states("odd"))
            server.bad.clear()
            await until(lambda: len(memory.mails) == 2)
    assert not memory.aside


@pytest.mark.parametrize("oddity", ["no uidnext", "odd dates", "unasked answers", "no idle"])
async def test_an_oddity_costs_no_mail(oddity: str) -> None:
    memory = Memory()
    async with OddServer(oddity).running() as server:
        server.put(*(mail(f"number {number}") for number in range(5)))
        async with watching(memory, server.account(poll_seconds=0.1)):
            await until(lambda: len(memory.mails) == 5)
            server.put(mail("number 5"))
            await until(lambda: len(memory.mails) == 6)
        assert server.sessions == 1
    assert memory.subjects == [f"number {number}" for number in range(6)]


async def test_a_mail_that_the_server_forgets_to_list_is_not_skipped() -> None:
    memory = Memory()
    async with OddServer("sizes left out").running() as server:
        server.put(*(mail(f"number {number}") for number in range(1, 5)))
        server.bad.add(3)
        async with watching(memory, server.account()):
            await until(lambda: len(memory.mails) == 4)
    assert memory.subjects == [f"number {number}" for number in range(1, 5)]


async def test_a_size_that_is_a_lie_neither_truncates_nor_floods() -> None:
    memory = Memory()
    async with OddServer().running() as server:
        server.put(
            mail("said to be small", "x" * 5_000_000), mail("said to be large", "y" * 100), mail("true")
        )
        server.sizes = {1: 1_100_000, 2: 3_000_000}
        async with watching(memory, server.account(size_limit=2_000_000)):
            await until(lambda: len(memory.aside) == 2 and len(memory.mails) == 1)
        async with watching(memory, server.account(name="patient", size_limit=8_000_000)):
            await until(lambda: len(memory.mails) == 4)
    sizes = {received.cursor: len(received.raw) for received in memory.mails.values()}
    assert sizes["INBOX/7/1"] > 5_000_000
    assert sizes["INBOX/7/2"] < 200


async def test_flags_are_never_asked_for_and_never_set_when_the_mailbox_is_to_be_kept() -> None:
    memory = Memory()
    async with OddServer().running() as server:
        server.put(mail("one"))
        async with watching(memory, server.account()):
            await until(lambda: memory.mails)
        said = " ".join(server.commands)
    assert "EXAMINE" in said
    assert not any(word in said for word in ("SELECT", "STORE", "SEEN", "FLAGS", "BODY["))


async def test_a_server_that_keeps_telling_of_nothing_is_not_asked_without_end() -> None:
    memory = Memory()
    async with OddServer("news with idling").running() as server, watching(memory, server.account()):
        await until(lambda: "IDLE" in server.commands)
        await asyncio.sleep(0.6)
        assert server.commands.count("IDLE") < 10


@pytest.mark.parametrize("since", ["all", "now"])
async def test_a_next_uid_that_is_too_high_costs_no_mail(since: str) -> None:
    memory = Memory()
    async with OddServer().running() as server:
        server.uidnext = 1_000_000
        server.put(mail("number 1"), mail("number 2"))
        async with watching(memory, server.account(since=since)):
            await until(lambda: FolderState.WATCHING in memory.states("odd"))
            server.put(mail("number 3"))
            await until(lambda: "number 3" in memory.subjects)
        server.put(mail("number 4"))
        async with watching(memory, server.account(since=since)):
            await until(lambda: "number 4" in memory.subjects)
    assert memory.subjects == [f"number {number}" for number in range(1 if since == "all" else 3, 5)]


async def test_a_server_that_gives_uids_anew_is_named() -> None:
    memory = Memory()
    async with OddServer().running() as server:
        server.put(*(mail(f"number {number}") for number in range(1, 4)))
        async with watching(memory, server.account()):
            await until(lambda: len(memory.mails) == 3)
        del server.mails[3]  # restored from a copy
        async with watching(memory, server.account()):
            await until(lambda: memory.trouble("odd"))
    trouble = memory.trouble("odd")
    assert trouble is not None
    assert (trouble.trouble, trouble.state) == ("protocol", FolderState.WATCHING)
    assert "counts on from 3, although 3 was read" in trouble.words


async def test_a_server_that_ends_every_visit_is_visited_ever_more_rarely() -> None:
    memory = Memory()
    async with OddServer("goodbye while idling").running() as server:
        async with watching(memory, server.account(retry_seconds=0.1, retry_longest=60)):
            await asyncio.sleep(1.5)
        assert 2 <= server.sessions <= 6

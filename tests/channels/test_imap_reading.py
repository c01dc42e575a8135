"""Reading mailboxes of a real Dovecot: what is taken in, what is done in the mailbox afterwards, what is shown."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from channels.mail.imap.ports import FolderState, Position
from channels.mail.imap.words import Trouble
from tests.dovecot import MASTER, Dovecot
from tests.imap_memory import Memory, mail, until, watching

_numbers = count(1)


@pytest.fixture
def user() -> str:
    """A user whose mailbox nobody used yet."""
    return f"reader{next(_numbers)}@clytie.example"


async def test_mails_are_taken_in_once_in_order_and_no_flag_changes(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail(f"number {number}") for number in range(7)])
    memory = Memory()
    account = dovecot.account(user, batch_mails=3)
    async with watching(memory, account):
        await until(lambda: len(memory.mails) == 7)
    async with watching(memory, account):  # a restart
        dovecot.put(user, [mail("number 7")])
        await until(lambda: len(memory.mails) == 8)
    assert memory.subjects == [f"number {number}" for number in range(8)]
    assert memory.offered == 8
    with dovecot.client(user) as client:
        assert client.search("UNSEEN") == list(range(1, 9))


async def test_idle_brings_a_new_mail_within_two_seconds(dovecot: Dovecot, user: str) -> None:
    memory = Memory()
    async with watching(memory, dovecot.account(user, poll_seconds=600)):
        await until(lambda: FolderState.WATCHING in memory.states(user.partition("@")[0]))
        await asyncio.sleep(0.3)  # now the server is idling
        for number in range(3):
            started = time.monotonic()
            await asyncio.to_thread(dovecot.put, user, [mail(f"number {number}")])
            await until(lambda number=number: len(memory.mails) == number + 1)  # type: ignore[misc]
            assert time.monotonic() - started < 2


async def test_idle_is_renewed_before_the_server_grows_tired(dovecot: Dovecot, user: str) -> None:
    memory = Memory()
    async with watching(memory, dovecot.account(user, idle_seconds=0.1)):
        await until(lambda: memory.states(user.partition("@")[0]).count(FolderState.WATCHING) >= 4)
        dovecot.put(user, [mail("after renewals")])
        await until(lambda: memory.mails)
    assert memory.trouble(user.partition("@")[0]) is None


async def test_a_server_that_cannot_idle_is_asked_again_and_again(dovecot: Dovecot, user: str) -> None:
    memory = Memory()
    async with watching(memory, dovecot.account(user, idle=False, poll_seconds=0.1)):
        await until(lambda: FolderState.WATCHING in memory.states(user.partition("@")[0]))
        dovecot.put(user, [mail("polled")])
        await until(lambda: memory.mails)


async def test_read_mails_are_taken_in_all_the_same(dovecot: Dovecot, user: str) -> None:
    """Somebody's phone may be faster: flags are no truth."""
    dovecot.put(user, [mail("one"), mail("two")])
    with dovecot.client(user) as client:
        client.add_flags([1], [rb"\Seen", rb"\Answered"])
    memory = Memory()
    async with watching(memory, dovecot.account(user)):
        await until(lambda: len(memory.mails) == 2)


async def test_the_envelope_and_where_it_lay_are_told(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [b"Return-Path: <bounce@shop.example>\r\nFrom: Shop <hi@shop.example>\r\n\r\nhi\r\n"])
    memory = Memory()
    async with watching(memory, dovecot.account(user)):
        await until(lambda: memory.mails)
    with dovecot.client(user) as client:
        uidvalidity = client.folder_status("INBOX", "UIDVALIDITY")[b"UIDVALIDITY"]
    [received] = memory.mails.values()
    assert (received.sender, received.recipients) == ("bounce@shop.example", (user,))
    assert received.door == f"imap:{user.partition('@')[0]}"
    assert received.cursor == f"INBOX/{uidvalidity}/1"
    assert received.meta["direction"] == "in"
    assert abs(datetime.fromisoformat(received.meta["received_at"]) - datetime.now(UTC)) < timedelta(
        minutes=2
    )


async def test_a_sent_folder_gives_mail_that_went_out(dovecot: Dovecot, user: str) -> None:
    """The server says which folder holds sent mail, whatever its language."""
    dovecot.put(user, [mail("from a phone")], "Gesendete Objekte")
    memory = Memory()
    account = dovecot.account(user, folders=[{"name": "INBOX"}, {"name": "\\Sent", "direction": "out"}])
    async with watching(memory, account):
        await until(lambda: memory.mails)
    [received] = memory.mails.values()
    assert received.meta["direction"] == "out"
    assert received.recipients == ()


async def test_a_shared_mailbox_of_another_user_is_read_through_a_shared_folder(
    dovecot: Dovecot, user: str
) -> None:
    owner = user.replace("reader", "team")
    dovecot.put(owner, [mail("for the team")])
    with dovecot.client(owner) as client:
        client.setacl("INBOX", user, "lr")
    memory = Memory()
    account = dovecot.account(user, folders=[{"name": f"shared/{owner}/INBOX"}], address=owner)
    async with watching(memory, account):
        await until(lambda: memory.mails)
    assert [received.recipients for received in memory.mails.values()] == [(owner,)]


async def test_a_mailbox_is_read_under_another_login(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail("for the owner")])
    memory = Memory()
    async with watching(memory, dovecot.account(MASTER, name="by-master", mailbox=user)):
        await until(lambda: memory.mails)
    assert [received.recipients for received in memory.mails.values()] == [(user,)]


@pytest.mark.parametrize(
    ("folder", "unseen", "left", "moved"),
    [
        ({"after": "seen"}, 0, 5, 0),
        ({"after": "move", "move_to": "Done"}, 0, 0, 5),
        ({"after": "delete"}, 0, 0, 0),
    ],
)
async def test_the_courtesy_comes_after_the_commit(
    dovecot: Dovecot, user: str, folder: dict[str, str], unseen: int, left: int, moved: int
) -> None:
    dovecot.put(user, [mail("older")], "Done")
    dovecot.put(user, [mail(f"number {number}") for number in range(5)])
    memory = Memory()
    lying: list[int] = []

    def look(position: Position) -> None:
        with dovecot.client(user) as client:
            lying.append(len(client.search("UNSEEN")))

    memory.before_move = look
    async with watching(memory, dovecot.account(user, folders=[folder])):
        await until(lambda: FolderState.WATCHING in memory.states(user.partition("@")[0]))
    assert lying[0] == lying[1] == 5  # at the folder's first sight, and when the batch was committed
    assert len(memory.mails) == 5
    with dovecot.client(user) as client:
        assert (len(client.search("ALL")), len(client.search("UNSEEN"))) == (left, unseen)
        client.select_folder("Done")
        assert len(client.search("ALL")) == moved + 1


async def test_a_courtesy_that_fails_harms_nothing_and_is_shown(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail("one"), mail("two")])
    memory = Memory()
    account = dovecot.account(user, folders=[{"after": "move", "move_to": "Nowhere"}])
    async with watching(memory, account):
        await until(lambda: FolderState.WATCHING in memory.states(account.name))
    assert memory.subjects == ["one", "two"]
    trouble = memory.trouble(account.name)
    assert trouble is not None
    assert (trouble.state, trouble.trouble) == (FolderState.WATCHING, Trouble.COURTESY)
    assert "move" in trouble.words


async def test_a_folder_that_may_only_be_read_is_read(dovecot: Dovecot, user: str) -> None:
    owner = user.replace("reader", "warden")
    dovecot.put(owner, [mail("for the team")])
    with dovecot.client(owner) as client:
        client.setacl("INBOX", user, "lr")
    memory = Memory()
    account = dovecot.account(user, folders=[{"name": f"shared/{owner}/INBOX", "after": "delete"}])
    async with watching(memory, account):
        await until(lambda: FolderState.WATCHING in memory.states(account.name))
    assert memory.subjects == ["for the team"]
    trouble = memory.trouble(account.name)
    assert trouble is not None
    assert trouble.trouble == Trouble.COURTESY


async def test_only_what_arrives_from_now_on_is_taken_when_that_is_wanted(
    dovecot: Dovecot, user: str
) -> None:
    dovecot.put(user, [mail("old")])
    memory = Memory()
    async with watching(memory, dovecot.account(user, since="now")):
        await until(lambda: FolderState.WATCHING in memory.states(user.partition("@")[0]))
        dovecot.put(user, [mail("new")])
        await until(lambda: memory.mails)
    assert memory.subjects == ["new"]


async def test_mail_before_a_day_is_left_out_also_when_the_folder_is_made_anew(
    dovecot: Dovecot, user: str
) -> None:
    long_ago = datetime(2019, 5, 1, tzinfo=UTC)
    memory = Memory()
    account = dovecot.account(user, since="2020-01-01", folders=[{"name": "Team"}])
    for _ in range(2):
        dovecot.put(user, [mail("new")], "Team")
        with dovecot.client(user, "Team") as client:
            client.append("Team", mail("old"), msg_time=long_ago)
        async with watching(memory, account):
            await until(lambda: FolderState.WATCHING in memory.states(account.name))
        with dovecot.client(user, None) as client:
            client.delete_folder("Team")
        memory.statuses.clear()
        await asyncio.sleep(1.1)  # UIDVALIDITY counts in seconds
    assert memory.subjects == ["new", "new"]


async def test_a_mail_that_is_too_large_is_put_aside_and_the_next_follow(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail("small")])
    dovecot.put(user, [mail("huge", "x" * 70 + ("y" * 70 + "\r\n") * 2000)])
    dovecot.put(user, [mail("next")])
    memory = Memory()

    def left() -> list[int]:
        with dovecot.client(user) as client:
            return list(client.search("ALL"))

    async with watching(memory, dovecot.account(user, size_limit=100_000, folders=[{"after": "delete"}])):
        await until(lambda: len(memory.mails) == 2)
        await until(lambda: left() == [2])  # what is not here in whole is not deleted there
    [(received, reason)] = memory.aside.values()
    assert received.raw.startswith(b"Subject: huge\r\n")
    assert len(received.raw) == 65536
    assert "larger than allowed" in reason
    assert left() == [2]


async def test_a_large_mail_comes_in_pieces(dovecot: Dovecot, user: str) -> None:
    large = mail("large", "\r\n".join(f"{number:070d}" for number in range(40_000)))
    dovecot.put(user, [large])
    memory = Memory()
    async with watching(memory, dovecot.account(user)):
        await until(lambda: memory.mails)
    [received] = memory.mails.values()
    assert received.raw == large


async def test_a_poisonous_mail_does_not_stop_the_next(dovecot: Dovecot, user: str) -> None:
    poison = [
        bytes(range(1, 256)) * 20,
        b"\xff\xfe" * 500,
        b"From: \xe9\xe8 <a@b\r\nSubject: =?utf-8?q?=FF?=\r\nReturn-Path: <\r\n\r\n\x80\x81",
        b"\r\n",
        b"Return-Path: =?x?b?" + b"A" * 9000 + b"?=\r\n\r\n",
    ]
    dovecot.put(user, [*poison, mail("healthy")])
    memory = Memory()
    async with watching(memory, dovecot.account(user)):
        await until(lambda: len(memory.mails) == 6)
    assert memory.subjects[-1] == "healthy"
    assert not memory.aside


async def test_a_mail_with_nul_bytes_on_the_server_comes_in(dovecot: Dovecot, user: str) -> None:
    """IMAP knows no NUL in ordinary literals; the server sends what it may, and the next mail follows."""
    dovecot.put(user, [mail("first")])
    folder = dovecot.base / "home" / user / "Maildir" / "new"
    (folder / "1600000000.M1P1.host").write_bytes(b"Subject: nul\r\n\r\na\0b\0\0c\r\n")
    memory = Memory()
    async with watching(memory, dovecot.account(user)):
        await until(lambda: len(memory.mails) == 2)
    dovecot.put(user, [mail("last")])
    async with watching(memory, dovecot.account(user)):
        await until(lambda: len(memory.mails) == 3)
    assert memory.subjects == ["first", "nul", "last"]


async def test_a_mail_that_the_intake_cannot_bear_is_put_aside_after_some_attempts(
    dovecot: Dovecot, user: str
) -> None:
    dovecot.put(user, [mail("one"), mail("poison"), mail("three")])
    memory = Memory()

    def choke(received: object) -> None:
        if b"poison" in getattr(received, "raw", b""):
            raise ValueError("cannot be written")

    memory.before_take = choke
    async with watching(memory, dovecot.account(user)):
        await until(lambda: memory.aside)
    assert sorted(memory.subjects) == ["one", "three"]
    [(received, reason)] = memory.aside.values()
    assert b"poison" in received.raw
    assert "cannot be written" in reason


async def test_mail_waits_in_its_mailbox_while_nothing_can_be_stored(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail("one"), mail("two")])
    memory = Memory()
    account = dovecot.account(user, folders=[{"after": "delete"}])

    def away(received: object) -> None:
        raise ConnectionError("the database is away")

    memory.before_take = away
    async with watching(memory, account):
        await until(lambda: memory.states(account.name).count(FolderState.FAILED) >= 5)
        trouble = memory.trouble(account.name)
        assert trouble is not None
        assert trouble.trouble == Trouble.STORAGE
        assert not memory.aside
        memory.before_take = lambda received: None
        await until(lambda: len(memory.mails) == 2)
        await until(lambda: memory.states(account.name)[-1] is FolderState.WATCHING)
    with dovecot.client(user) as client:
        assert client.search("ALL") == []


async def test_a_crash_between_commit_and_position_doubles_nothing(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail(f"number {number}") for number in range(4)])
    memory = Memory()
    crashes = iter(range(3))

    def crash(position: Position) -> None:
        if position.uid and next(crashes, None) is not None:
            raise ConnectionError("cut off")

    memory.before_move = crash
    account = dovecot.account(user)
    async with watching(memory, account):
        await until(lambda: any(position.uid == 4 for position in memory.positions.values()))
    trouble = memory.trouble(account.name)
    assert trouble is not None
    assert trouble.trouble == Trouble.STORAGE
    assert memory.offered == 16  # fetched four times,
    assert len(memory.mails) == 4  # taken in once


async def test_a_mail_deleted_meanwhile_holds_nothing_up(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail(f"number {number}") for number in range(6)])
    memory = Memory()
    removed = iter([1])

    def remove(received: object) -> None:
        if next(removed, None):
            with dovecot.client(user) as client:
                client.add_flags([3, 4], [rb"\Deleted"])
                client.uid_expunge([3, 4])

    memory.before_take = remove
    async with watching(memory, dovecot.account(user, batch_mails=2)):
        await until(lambda: len(memory.mails) == 4)
        await until(lambda: any(position.uid == 6 for position in memory.positions.values()))
    assert memory.subjects == ["number 0", "number 1", "number 4", "number 5"]


async def test_gaps_of_millions_of_uids_are_crossed(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail("before")])
    listing = dovecot.base / "home" / user / "Maildir" / "dovecot-uidlist"
    head, rest = listing.read_text().split("\n", 1)
    listing.write_text(re.sub(r" N\d+", " N90000000", head) + "\n" + rest)
    for index in listing.parent.glob("dovecot.index*"):
        index.unlink()
    dovecot.put(user, [mail("after")])
    memory = Memory()
    async with watching(memory, dovecot.account(user)):
        await until(lambda: len(memory.mails) == 2)
    assert [cursor.rpartition("/")[2] for _, cursor in memory.mails] == ["1", "90000000"]


async def test_the_progress_through_an_old_mailbox_is_shown_and_resumed(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail(f"number {number}") for number in range(1000)])
    memory = Memory()
    account = dovecot.account(user, batch_mails=50)
    async with watching(memory, account) as mailboxes:
        await until(lambda: len(memory.mails) >= 300)
        [status] = mailboxes.statuses
        assert (status.state, status.total) == (FolderState.READING, 1000)
        assert status.done >= 200
    taken = len(memory.mails)
    async with watching(memory, account) as mailboxes:
        await until(lambda: mailboxes.statuses[0].total is not None)
        assert (mailboxes.statuses[0].total or 0) <= 1000 - taken + 50
        await until(lambda: len(memory.mails) == 1000)
    assert len(set(memory.subjects)) == 1000
    assert memory.offered <= 1050

"""From a real Dovecot through a proxy that cuts into the real intake: no mail is lost, none is there twice.

CLYTIE_TEST_KILLS sets how often the mail process is killed (8), CLYTIE_TEST_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from channels.mail.imap.accounts import Mailboxes
from channels.mail.imap.ports import FolderState, Position
from channels.mail.imap.settings import ImapAccount
from inbox.arrival.imap_ledger import ImapLedger
from inbox.arrival.intake import Intake
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.cutting_proxy import Break, CuttingProxy, Direction
from tests.dovecot import Dovecot
from tests.imap_memory import mail, until

KILLS = int(os.environ.get("CLYTIE_TEST_KILLS", "8"))
SEED = int(os.environ.get("CLYTIE_TEST_SEED", "0")) or random.randrange(1 << 32)
_numbers = count(1)


@pytest.fixture
def user() -> str:
    return f"flow{next(_numbers)}@clytie.example"


class House:
    """The intake and the ledger of a deployment, in this process."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool = pool
        announcer = Announcer(pool)
        self.intake = Intake(pool, BlobStore(folder), announcer)
        self.ledger = ImapLedger(pool, announcer)

    @asynccontextmanager
    async def watching(self, *accounts: ImapAccount) -> AsyncIterator[Mailboxes]:
        mailboxes = Mailboxes(
            accounts, take=self.intake.take, refuse=self.ledger.put_aside, ledger=self.ledger
        )
        mailboxes.start()
        try:
            yield mailboxes
        finally:
            await mailboxes.close()

    async def read(self, account: ImapAccount, seconds: float = 30) -> None:
        """Watch until everything is in."""
        async with self.watching(account) as mailboxes:
            await until(lambda: mailboxes.statuses[0].state is FolderState.WATCHING, seconds)

    async def arrivals(self, account: ImapAccount) -> list[tuple[int, str]]:
        """(raw_id, cursor) of what came from an account."""
        rows = await self.pool.fetch(
            "SELECT raw_id, cursor FROM arrivals WHERE door = $1 ORDER BY id", account.door
        )
        return [(row["raw_id"], row["cursor"]) for row in rows]

    async def count_mails(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM raw_mails"))


@pytest.fixture
async def house(pool: Pool, tmp_path: Path) -> AsyncIterator[House]:
    opened = House(pool, tmp_path)
    yield opened
    await opened.intake.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_connection_cut_at_every_step_loses_and_doubles_nothing(
    dovecot: Dovecot, user: str, house: House, direction: Direction
) -> None:
    """Cut before, inside and after every chunk of an undisturbed visit: greeting, login, sizes, bodies, flags, IDLE."""
    large = mail("large", "\r\n".join(f"{number:070d}" for number in range(20_000)))
    dovecot.put(user, [mail("first"), mail("second", "z" * 5000), large, b"no headers at all\r\n"])
    async with CuttingProxy(dovecot.port).running() as proxy:

        def account(name: str) -> ImapAccount:
            return dovecot.account(
                user,
                name=name,
                port=proxy.port,
                batch_mails=2,
                folders=[{"after": "seen"}],
                retry_seconds=0.005,
                retry_longest=0.02,
            )

        await house.read(account("whole"))
        expected = sorted(cursor for _, cursor in await house.arrivals(account("whole")))
        places = proxy.traffic[0].places(direction)
        assert len(places) > 40
        places = random.Random(SEED).sample(places, 60) if len(places) > 60 else places
        for place in places:
            # Cut there, then a little later: what is fetched after a cut is cut as well.
            proxy.breaks.extend(Break(direction, place + more) for more in (0, 7))
            name = f"cut-{direction}-{place}"
            await house.read(account(name))
            proxy.breaks.clear()
            assert sorted(cursor for _, cursor in await house.arrivals(account(name))) == expected, place
    assert await house.count_mails() == 4


async def test_a_mailbox_made_anew_is_read_again_and_nothing_is_there_twice(
    dovecot: Dovecot, user: str, house: House
) -> None:
    """UIDVALIDITY changes: after a restored backup, or a folder that was deleted and made again."""
    account = dovecot.account(user, folders=[{"name": "Team"}])
    old = [mail(f"number {number}") for number in range(5)]
    dovecot.put(user, old, "Team")
    await house.read(account)
    before = await house.ledger.position(account.name, "Team")
    with dovecot.client(user, None) as client:
        client.delete_folder("Team")
    await asyncio.sleep(1.1)  # UIDVALIDITY counts in seconds
    dovecot.put(user, [mail("came while nobody watched"), *old[2:]], "Team")
    await house.read(account)
    after = await house.ledger.position(account.name, "Team")
    assert before is not None
    assert after is not None
    assert after.uidvalidity != before.uidvalidity
    assert after.uid == 4
    assert await house.count_mails() == 6
    assert len(await house.arrivals(account)) == 9


async def test_a_mailbox_made_anew_under_our_eyes_is_noticed(
    dovecot: Dovecot, user: str, house: House
) -> None:
    account = dovecot.account(user, folders=[{"name": "Team"}], idle_seconds=0.5)
    dovecot.put(user, [mail("one")], "Team")
    async with house.watching(account) as mailboxes:
        await until(lambda: mailboxes.statuses[0].state is FolderState.WATCHING)
        with dovecot.client(user, None) as client:
            client.delete_folder("Team")
        await asyncio.sleep(1.1)
        dovecot.put(user, [mail("two")], "Team")
        for _ in range(500):
            if await house.count_mails() == 2:
                break
            await asyncio.sleep(0.02)
    assert await house.count_mails() == 2


async def test_mail_without_message_id_and_twice_the_same_bytes_are_told_apart_by_content(
    dovecot: Dovecot, user: str, house: House
) -> None:
    dovecot.put(user, [mail("no id"), mail("no id either"), mail("no id")])
    account = dovecot.account(user)
    await house.read(account)
    arrivals = await house.arrivals(account)
    assert len(arrivals) == 3
    assert len({raw_id for raw_id, _ in arrivals}) == 2


async def test_a_crash_between_commit_and_position_is_recognised_by_the_cursor(
    dovecot: Dovecot, user: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    dovecot.put(user, [mail(f"number {number}") for number in range(20)])
    account = dovecot.account(user, batch_mails=5)
    move, crashes = house.ledger.move, iter(range(6))

    async def crash(account: str, folder: str, position: Position) -> None:
        if position.uid and next(crashes, None) is not None:
            raise ConnectionError("cut off")
        await move(account, folder, position)

    monkeypatch.setattr(house.ledger, "move", crash)
    await house.read(account)
    assert len(await house.arrivals(account)) == await house.count_mails() == 20


async def test_a_thousand_old_mails_are_read_with_interruptions(
    dovecot: Dovecot, user: str, house: House
) -> None:
    dovecot.put(user, [mail(f"number {number}") for number in range(1000)])
    account = dovecot.account(user, batch_mails=40)
    pauses = random.Random(SEED)
    for _ in range(6):
        async with house.watching(account):
            await asyncio.sleep(pauses.uniform(0.02, 0.2))
    await house.read(account)
    assert len(await house.arrivals(account)) == await house.count_mails() == 1000
    position = await house.ledger.position(account.name, "INBOX")
    assert position is not None
    assert position.uid == 1000


async def test_how_a_folder_is_doing_is_there_for_people_to_see(
    dovecot: Dovecot, user: str, house: House
) -> None:
    dovecot.put(user, [mail("one"), mail("large", "x" * 70_000)])
    good = dovecot.account(user, name="good", size_limit=20_000)
    bad = dovecot.account(user, name="bad", password="wrong")
    async with house.watching(good, bad) as mailboxes:
        await until(lambda: [status.state.value for status in mailboxes.statuses] == ["watching", "failed"])
        states: dict[str, Any] = {}
        async with asyncio.timeout(10):  # between two attempts; during one it is connecting
            while "bad" not in states or states["bad"].state is not FolderState.FAILED:
                await asyncio.sleep(0.05)
                states = {watched.status.account: watched.status for watched in await house.ledger.states()}
    assert (states["good"].state, states["good"].done) == (FolderState.WATCHING, 2)
    assert states["good"].contact_at is not None
    assert (states["bad"].state, states["bad"].trouble) == (FolderState.FAILED, "login")
    stopped = {watched.status.state for watched in await house.ledger.states()}
    assert stopped == {FolderState.STOPPED}
    [aside] = await house.pool.fetch("SELECT state, reason FROM raw_mails WHERE reason IS NOT NULL")
    assert aside["state"] == "quarantined"
    assert "larger than allowed" in aside["reason"]
    await house.ledger.forget_others([("good", "INBOX")])
    assert [watched.status.account for watched in await house.ledger.states()] == ["good"]


def _start_mail_process(database_url: str, var: Path, account: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The role `mail` as it runs in production, with one mailbox and no other door."""
    environment = {
        **os.environ,
        "CLYTIE_DATABASE_URL": database_url,
        "CLYTIE_VAR": str(var),
        "CLYTIE_SANDBOX__ENABLED": "false",
        "CLYTIE_INBOX__SMTP__ENABLED": "false",
        "CLYTIE_INBOX__IMAP": json.dumps([account]),
    }
    return subprocess.Popen([sys.executable, "-m", "clytie", "role", "mail"], env=environment)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_mail_process_that_is_killed_has_every_mail_before_its_position_once(
    dovecot: Dovecot, user: str, house: House, database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    account = dovecot.account(user, batch_mails=20, folders=[{"after": "seen"}])
    settings = account.model_dump(mode="json", exclude_defaults=True) | {
        "password": account.password.get_secret_value()
    }
    total = 0
    for blow in range(KILLS):
        mails = chance.randrange(100, 300)
        await asyncio.to_thread(
            dovecot.put, user, [mail(f"number {total + number}") for number in range(mails)]
        )
        total += mails
        process = _start_mail_process(database_url, tmp_path, settings)
        try:
            before = len(await house.arrivals(account))
            for _ in range(3000):
                if len(await house.arrivals(account)) > before or process.poll() is not None:
                    break
                await asyncio.sleep(0.005)
            await asyncio.sleep(chance.uniform(0, 0.15))
        finally:
            process.send_signal(signal.SIGKILL)
            assert await asyncio.to_thread(process.wait, 10) == -signal.SIGKILL, f"blow {blow}, seed {SEED}"
        position = await house.ledger.position(account.name, "INBOX")
        uids = [int(cursor.rpartition("/")[2]) for _, cursor in await house.arrivals(account)]
        assert len(uids) == len(set(uids)), f"seed {SEED}"
        if position is not None:
            assert set(range(1, position.uid + 1)) <= set(uids), f"seed {SEED}"
    await house.read(account, 60)
    assert len(await house.arrivals(account)) == await house.count_mails() == total, f"seed {SEED}"

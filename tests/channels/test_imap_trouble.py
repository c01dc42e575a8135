"""What happens when a mailbox cannot be read: it is said in words with a remedy, tried again, and others go on."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.mail.imap.ports import FolderState
from channels.mail.imap.settings import ImapAccount
from channels.mail.imap.words import REMEDIES, Trouble
from tests.cutting_proxy import Break, CuttingProxy
from tests.dovecot import PASSWORD, Dovecot
from tests.imap_memory import Memory, mail, until, watching

_numbers = count(1)


@pytest.fixture
def user() -> str:
    return f"trouble{next(_numbers)}@clytie.example"


@pytest.mark.parametrize(
    ("changes", "trouble", "says"),
    [
        ({"password": "wrong"}, Trouble.LOGIN, "refused the login"),
        ({"port": 1}, Trouble.UNREACHABLE, "refused"),
        ({"host": "no-such-host.invalid"}, Trouble.UNREACHABLE, "no-such-host.invalid"),
        ({"encryption": "implicit"}, Trouble.TLS, "TLS with 127.0.0.1"),
        ({"encryption": "required"}, Trouble.TLS, "certificate"),
        ({"folders": [{"name": "Nowhere"}]}, Trouble.FOLDER, "Nowhere"),
        ({"folders": [{"name": "\\Junk"}]}, Trouble.FOLDER, "Junk"),
        ({"password_file": "/nowhere/secret"}, Trouble.SETTINGS, "/nowhere/secret"),
        ({"encryption": "required", "ca_file": "/nowhere/ca.pem"}, Trouble.SETTINGS, "ca_file"),
    ],
)
async def test_a_broken_account_says_why_and_stops_no_other(
    dovecot: Dovecot, user: str, changes: dict[str, object], trouble: Trouble, says: str
) -> None:
    dovecot.put(user, [mail("of the other account")])
    memory = Memory()
    broken = dovecot.account(user, **{"name": "broken", **changes})
    async with watching(memory, broken, dovecot.account(user)):
        await until(lambda: memory.mails and memory.states("broken").count(FolderState.FAILED) >= 2)
    status = memory.trouble("broken")
    assert status is not None
    assert (status.trouble, REMEDIES[Trouble(status.trouble)] != "") == (trouble, True)
    assert says in status.words
    assert any(one.again_at is not None for one in memory.statuses if one.account == "broken")


async def test_a_password_file_is_read_again_at_each_login(
    dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    dovecot.put(user, [mail("one")])
    secret = tmp_path / "secret"
    secret.write_text("old\n")
    memory = Memory()
    account = dovecot.account(user, password_file=secret)
    async with watching(memory, account):
        await until(lambda: FolderState.FAILED in memory.states(account.name))
        secret.write_text(f"{PASSWORD}\n")
        await until(lambda: memory.mails)


@pytest.mark.parametrize("encryption", ["implicit", "required", "opportunistic"])
async def test_mail_comes_through_tls_with_the_certificate_checked(
    dovecot: Dovecot, user: str, encryption: str
) -> None:
    dovecot.put(user, [mail("sealed")])
    memory = Memory()
    port = dovecot.tls_port if encryption == "implicit" else dovecot.port
    account = dovecot.account(
        user, encryption=encryption, port=port, plain_login=False, ca_file=dovecot.certificate
    )
    async with watching(memory, account):
        await until(lambda: FolderState.WATCHING in memory.states(account.name))
        await asyncio.sleep(0.3)  # idling
        dovecot.put(user, [mail("told through TLS")])
        await until(lambda: len(memory.mails) == 2, 3)


async def test_a_server_that_falls_silent_is_noticed_and_left(dovecot: Dovecot, user: str) -> None:
    dovecot.put(user, [mail("one")])
    memory = Memory()
    async with CuttingProxy(dovecot.port).running() as proxy:
        account = dovecot.account(user, port=proxy.port, read_seconds=0.4, connect_seconds=0.4)
        proxy.breaks.extend(Break("down", after, silent=True) for after in (0, 200, 900))
        async with watching(memory, account):
            await until(lambda: memory.mails)
            trouble = memory.trouble(account.name)
            assert trouble is not None
            assert trouble.trouble == Trouble.SILENT


async def test_a_connection_that_dies_in_idle_is_noticed_when_idle_is_renewed(
    dovecot: Dovecot, user: str
) -> None:
    memory = Memory()
    async with CuttingProxy(dovecot.port).running() as proxy:
        account = dovecot.account(user, port=proxy.port, read_seconds=0.4, idle_seconds=0.5)
        async with watching(memory, account):
            await until(lambda: FolderState.WATCHING in memory.states(account.name))
        passed = proxy.traffic[0].chunks["down"]
        proxy.breaks.append(Break("down", sum(passed), silent=True))
        dovecot.put(user, [mail("nobody tells")])
        async with watching(memory, account):
            await until(lambda: memory.mails)
        assert len(proxy.traffic) >= 2


async def test_attempts_grow_rarer(dovecot: Dovecot, user: str) -> None:
    memory = Memory()
    account = dovecot.account(user, port=1, retry_seconds=0.05, retry_longest=0.4)
    started = time.monotonic()
    async with watching(memory, account):
        await until(lambda: memory.states(account.name).count(FolderState.FAILED) >= 6)
    assert time.monotonic() - started > 0.4  # at least half of 0.05 + 0.1 + 0.2 + 0.4 + 0.4


async def test_stopping_does_not_wait_for_a_server(dovecot: Dovecot, user: str) -> None:
    memory = Memory()
    async with CuttingProxy(dovecot.port).running() as proxy:
        proxy.breaks.extend(Break("down", after, silent=True) for after in (0, 0))
        idle = dovecot.account(user, name="idle")
        hung = dovecot.account(user, name="hung", port=proxy.port)
        async with watching(memory, idle, hung):
            await until(lambda: FolderState.WATCHING in memory.states("idle"))
            started = time.monotonic()
        assert time.monotonic() - started < 1


def test_settings_say_what_is_missing() -> None:
    minimal = {"name": "a", "host": "mail.example", "username": "a@b.example"}
    for changes, says in (
        ({}, "one of password, password_file and oauth"),
        ({"password": "x", "password_file": "y"}, "one of password, password_file and oauth"),
        ({"password": "x", "encryption": "never"}, "in the clear"),
        ({"password": "x", "folders": [{"after": "move"}]}, "move_to"),
        ({"password": "x", "folders": [{}, {}]}, "named twice"),
        ({"password": "x", "idle_seconds": 1800}, "1740"),
        ({"oauth": {"client_id": "x"}}, "token_url"),
        (
            {
                "oauth": {
                    "client_id": "x",
                    "provider": "microsoft",
                    "flow": "application",
                    "client_secret": "y",
                }
            },
            "tenant",
        ),
        ({"oauth": {"client_id": "x", "provider": "google", "flow": "application"}}, "client_secret"),
    ):
        with pytest.raises(ValidationError, match=says):
            ImapAccount.model_validate({**minimal, **changes})

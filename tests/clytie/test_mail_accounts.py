"""Mailboxes from the command line: the first login, its tokens in the database, folders, how watches are doing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.mail.imap.examination import check_account
from channels.mail.imap.ports import FolderState, FolderStatus
from channels.mail.oauth.settings import OAuthSettings, grant_name
from channels.mail.oauth.tokens import Grant, Tokens
from channels.mail.oauth.wire import ProviderAway
from clytie.grants import DatabaseGrants
from clytie.mailboxes import find_login
from clytie.settings import Settings
from domain.errors import ConfigurationError, InvalidInput, Unavailable
from inbox.arrival.imap_ledger import ImapLedger
from storage.announce import Announcer
from storage.pool import Pool, open_pool
from tests.dovecot import Dovecot
from tests.oauth_provider import Provider

KEYS = [bytes(range(32))]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


async def run_clytie(*arguments: str, typed: str = "", **environment: str) -> tuple[int | None, str]:
    """Run the command; its exit code and everything it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "clytie",
        *arguments,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(typed.encode()), 50)
    return process.returncode, output.decode()


def environment(database_url: str, tmp_path: Path, *accounts: dict[str, Any]) -> dict[str, str]:
    return {
        "CLYTIE_DATABASE_URL": database_url,
        "CLYTIE_REDIS_URL": "redis://127.0.0.1:1",
        "CLYTIE_VAR": str(tmp_path),
        "CLYTIE_TOKEN_KEYS": json.dumps({"1": KEYS[0].hex()}),
        "CLYTIE_INBOX__IMAP": json.dumps(accounts),
    }


async def test_a_person_logs_in_once_and_the_tokens_are_there_for_every_process(
    provider: Provider, database_url: str, pool: Pool, tmp_path: Path
) -> None:
    account = {
        "name": "support",
        "host": "mail.example",
        "username": "anna@clytie.example",
        "oauth": provider.settings(),
    }
    code, said = await run_clytie("mail", "login", "support", **environment(database_url, tmp_path, account))
    assert code == 0, said
    assert "WDJB-MJHT" in said
    assert "“support” is logged in" in said
    tokens = Tokens(
        OAuthSettings.model_validate(provider.settings()), "anna@clytie.example", DatabaseGrants(pool, KEYS)
    )
    assert await tokens.access_token() in provider.access
    code, said = await run_clytie("mail", "login", "sales", **environment(database_url, tmp_path, account))
    assert code == 1
    assert "support" in said


async def test_a_person_consents_in_a_browser(
    provider: Provider, database_url: str, pool: Pool, tmp_path: Path
) -> None:
    account = {
        "name": "support",
        "host": "mail.example",
        "username": "anna@clytie.example",
        "oauth": provider.settings(),
    }
    code, said = await run_clytie(
        "mail",
        "login",
        "support",
        "--browser",
        typed="http://localhost/?code=1&state=guessed\n",
        **environment(database_url, tmp_path, account),
    )
    assert code == 1
    assert f"{provider.url}/consent?" in said
    assert "another login" in said


async def test_tokens_lie_encrypted_and_are_refreshed_once_for_all_processes(
    provider: Provider, pool: Pool
) -> None:
    settings = OAuthSettings.model_validate(provider.settings())
    user = "anna@clytie.example"
    stores = [DatabaseGrants(pool, KEYS) for _ in range(4)]
    async with stores[0].hold(grant_name(settings, user)) as held:
        assert held.grant is None
        await held.keep(Grant(refresh_token=provider.grant_refresh(user)))
    given = await asyncio.gather(*(Tokens(settings, user, store).access_token() for store in stores))
    assert len(set(given)) == len(provider.requests) == 1
    secret = await pool.fetchval("SELECT secret FROM oauth_grants")
    assert b"refresh" not in secret
    assert given[0].encode() not in secret


async def test_a_database_that_is_away_is_told_apart_from_a_provider_that_is(
    provider: Provider, pool: Pool
) -> None:
    settings = OAuthSettings.model_validate(provider.settings(token_url="http://127.0.0.1:1/token"))
    async with DatabaseGrants(pool, KEYS).hold(grant_name(settings, "anna")) as held:
        await held.keep(Grant(refresh_token="x"))
    with pytest.raises(ProviderAway):
        await Tokens(settings, "anna", DatabaseGrants(pool, KEYS)).access_token()
    pool.terminate()
    with pytest.raises(Unavailable):
        await Tokens(settings, "anna", DatabaseGrants(pool, KEYS)).access_token()


async def test_rotated_keys_still_open_a_login_and_foreign_ones_say_what_to_do(
    provider: Provider, pool: Pool
) -> None:
    async with DatabaseGrants(pool, KEYS).hold("anna") as held:
        await held.keep(Grant(refresh_token="secret"))
    async with DatabaseGrants(pool, [b"\x07" * 32, *KEYS]).hold("anna") as held:
        assert held.grant == Grant(refresh_token="secret")
    async with DatabaseGrants(pool, [b"\x08" * 32]).hold("anna") as held:
        with pytest.raises(ConfigurationError, match="clytie mail login"):
            _ = held.grant
        await held.keep(Grant(refresh_token="again"))  # a new login mends it
    async with DatabaseGrants(pool, [b"\x08" * 32]).hold("anna") as held:
        assert held.grant == Grant(refresh_token="again")


async def test_providers_that_take_their_time_leave_the_database_to_others(
    database_url: str, pool: Pool
) -> None:
    small = await open_pool(database_url, max_size=3)
    grants = DatabaseGrants(small, KEYS)

    async def wait_for_the_provider(name: str) -> None:
        async with grants.hold(name):
            await asyncio.sleep(3600)

    tasks = [asyncio.create_task(wait_for_the_provider(f"login {number}")) for number in range(6)]
    await asyncio.sleep(0.5)
    assert await asyncio.wait_for(small.fetchval("SELECT 1"), 5) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await small.close()


async def test_folders_are_listed_as_the_settings_want_them(
    dovecot: Dovecot, database_url: str, tmp_path: Path
) -> None:
    user = "lister@clytie.example"
    dovecot.put(user, [b"Subject: x\r\n\r\n"], "Équipe/Été")
    account = dovecot.account(user)
    values = account.model_dump(mode="json", exclude_defaults=True)
    values["password"] = account.password.get_secret_value()
    code, said = await run_clytie("mail", "folders", "lister", **environment(database_url, tmp_path, values))
    assert code == 0, said
    assert {"INBOX", "Équipe/Été", "Gesendete Objekte  (Sent)"} <= set(said.splitlines())
    values["password"] = "wrong"
    code, said = await run_clytie("mail", "folders", "lister", **environment(database_url, tmp_path, values))
    assert code == 1
    assert "refused the login" in said


async def test_how_watches_are_doing_is_told(database_url: str, pool: Pool, tmp_path: Path) -> None:
    known = environment(database_url, tmp_path)
    code, said = await run_clytie("mail", "accounts", **known)
    assert (code, "No mailbox is watched" in said) == (0, True)
    ledger = ImapLedger(pool, Announcer(pool))
    await ledger.tell(FolderStatus("support", "INBOX", FolderState.READING, done=20, total=100))
    await ledger.tell(
        FolderStatus(
            "sales", "INBOX", FolderState.FAILED, trouble="login", words="mail.example refused the login"
        )
    )
    code, said = await run_clytie("mail", "accounts", **known)
    assert "support, INBOX: reading 20 of 100" in said
    assert "refused the login" in said
    assert "app password" in said


async def test_an_account_is_examined_with_a_remedy_for_each_fault(dovecot: Dovecot) -> None:
    user = "examined@clytie.example"
    dovecot.put(user, [b"Subject: x\r\n\r\n"])
    folders = [{"name": "INBOX", "after": "move", "move_to": "Done"}, {"name": "Nowhere"}]
    findings = await check_account(dovecot.account(user, folders=folders))
    assert [finding.good for finding in findings] == [True, False, True, False]
    assert "Done" in findings[1].says
    assert all(finding.remedy for finding in findings if not finding.good)
    [finding] = await check_account(dovecot.account(user, password="wrong"))
    assert (finding.good, "refused the login" in finding.says) == (False, True)
    with dovecot.client(user) as client:
        assert client.search("UNSEEN") == [1]


def test_logins_are_found_among_accounts_and_relays() -> None:
    oauth = {"client_id": "x", "provider": "google"}
    settings = Settings.model_validate(
        {
            "mail": {"host": "smtp.gmail.com", "username": "news@x.example", "oauth": oauth},
            "inbox": {"imap": [{"name": "a", "host": "h", "username": "anna@x.example", "oauth": oauth}]},
        }
    )
    assert find_login(settings, "a").username == "anna@x.example"
    assert find_login(settings, "smtp.gmail.com").username == "news@x.example"
    with pytest.raises(InvalidInput, match=r"smtp\.gmail\.com, a"):
        find_login(settings, "b")

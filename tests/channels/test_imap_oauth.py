"""XOAUTH2 against a real Dovecot that asks a small provider about every token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from channels.mail.imap.ports import FolderState
from channels.mail.imap.settings import ImapAccount
from channels.mail.imap.words import Trouble
from channels.mail.oauth.settings import grant_name
from channels.mail.oauth.tokens import Grant, Tokens
from tests.dovecot import Dovecot, run_dovecot
from tests.grants_memory import MemoryGrants
from tests.imap_memory import Memory, mail, until, watching
from tests.oauth_provider import Provider

_numbers = count(1)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().running() as running:
        yield running


@pytest.fixture
def server(provider: Provider) -> Any:
    with run_dovecot(introspection_url=f"{provider.url}/introspect") as running:
        yield running


def prepare(
    server: Dovecot, provider: Provider, owner: str = "", **changes: Any
) -> tuple[ImapAccount, dict[str, Tokens]]:
    """An account of a user who has logged in at the provider; the tokens are for `owner`."""
    user = f"anna{next(_numbers)}@clytie.example"
    account = server.account(user, oauth=provider.settings(), **changes)
    assert account.oauth is not None
    grants = MemoryGrants()
    grants.kept[grant_name(account.oauth, user)] = Grant(refresh_token=provider.grant_refresh(owner or user))
    return account, {account.name: Tokens(account.oauth, user, grants)}


async def test_a_mailbox_is_read_with_tokens_that_are_refreshed(server: Dovecot, provider: Provider) -> None:
    account, tokens = prepare(server, provider)
    server.put(account.username, [mail("one")])
    memory = Memory()
    async with watching(memory, account, tokens=tokens):
        await until(lambda: memory.mails)
    assert len(provider.requests) == 1
    async with watching(memory, account, tokens=tokens):  # the token is still good
        await until(lambda: memory.states(account.name).count(FolderState.WATCHING) >= 2)
    assert len(provider.requests) == 1
    provider.access.clear()  # the server refuses it now, before its time
    server.put(account.username, [mail("two")])
    async with watching(memory, account, tokens=tokens):
        await until(lambda: len(memory.mails) == 2)
    assert len(provider.requests) == 2


async def test_a_token_for_somebody_else_is_refused_in_words(server: Dovecot, provider: Provider) -> None:
    account, tokens = prepare(server, provider, owner="bert@clytie.example")
    memory = Memory()
    async with watching(memory, account, tokens=tokens):
        await until(lambda: memory.states(account.name).count(FolderState.FAILED) >= 2)
    trouble = memory.trouble(account.name)
    assert trouble is not None
    assert trouble.trouble == Trouble.LOGIN
    assert "access token" in trouble.words
    assert "{" not in trouble.words


async def test_a_withdrawn_consent_asks_for_a_new_login(server: Dovecot, provider: Provider) -> None:
    account, tokens = prepare(server, provider)
    provider.revoke()
    memory = Memory()
    async with watching(memory, account, tokens=tokens):
        await until(lambda: memory.trouble(account.name))
    trouble = memory.trouble(account.name)
    assert trouble is not None
    assert trouble.trouble == Trouble.CONSENT
    assert "clytie mail login" in trouble.words


async def test_a_shared_mailbox_is_opened_with_the_token_of_the_login(
    server: Dovecot, provider: Provider
) -> None:
    """As at Microsoft 365: the token is the person's, the name said to the server is the mailbox's."""
    account, tokens = prepare(server, provider, owner="team@clytie.example", mailbox="team@clytie.example")
    server.put("team@clytie.example", [mail("for the team")])
    memory = Memory()
    async with watching(memory, account, tokens=tokens):
        await until(lambda: memory.mails)
    [received] = memory.mails.values()
    assert received.recipients == ("team@clytie.example",)

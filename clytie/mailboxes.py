"""The mailboxes that are read by IMAP, wired: intake, ledger in the database, tokens. Part of the role `mail`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from channels.base import Received
from channels.mail.imap.accounts import Mailboxes
from channels.mail.imap.settings import ImapAccount
from channels.mail.oauth.settings import OAuthSettings
from channels.mail.oauth.tokens import Tokens
from clytie.grants import DatabaseGrants
from clytie.keys import load_root_keys
from clytie.settings import Settings
from domain.errors import InvalidInput
from inbox.arrival.imap_ledger import ImapLedger
from storage.announce import Announcer
from storage.pool import Pool


@asynccontextmanager
async def open_imap(
    settings: Settings, pool: Pool, announcer: Announcer, take: Callable[[Received], Awaitable[object]]
) -> AsyncIterator[Mailboxes]:
    """Every enabled account's folders, watched until the end of the block."""
    accounts = [account for account in settings.inbox.imap if account.enabled]
    ledger = ImapLedger(pool, announcer)
    await ledger.forget_others(
        [(account.name, folder.name) for account in accounts for folder in account.folders]
    )
    grants = open_grants(settings, pool)
    mailboxes = Mailboxes(
        accounts,
        take=take,
        refuse=ledger.put_aside,
        ledger=ledger,
        tokens={
            account.name: Tokens(account.oauth, account.username, grants)
            for account in accounts
            if account.oauth is not None
        },
    )
    mailboxes.start()
    try:
        yield mailboxes
    finally:
        await mailboxes.close()


def open_grants(settings: Settings, pool: Pool) -> DatabaseGrants:
    """Where the tokens of mail providers are kept."""
    keys = load_root_keys(settings.token_keys, settings.var)
    return DatabaseGrants(pool, [keys[number] for number in sorted(keys, reverse=True)])


def open_tokens(settings: Settings, pool: Pool, oauth: OAuthSettings, username: str) -> Tokens:
    """The access tokens of one login, for IMAP and SMTP alike."""
    return Tokens(oauth, username, open_grants(settings, pool))


def find_account(settings: Settings, name: str) -> ImapAccount:
    """The account of this name. Raises InvalidInput."""
    for account in settings.inbox.imap:
        if account.name == name:
            return account
    known = ", ".join(account.name for account in settings.inbox.imap) or "none is set"
    raise InvalidInput("ACCOUNT", f"there is no IMAP account “{name}”.", f"Accounts: {known}.")


@dataclass(frozen=True, slots=True)
class OAuthLogin:
    """Somebody who logs in at a provider: for a mailbox, or for a server that takes outgoing mail."""

    oauth: OAuthSettings
    username: str


def find_login(settings: Settings, name: str) -> OAuthLogin:
    """The login by OAuth of the IMAP account or the relay of this name. Raises InvalidInput."""
    relays = settings.mail.servers if settings.mail is not None else ()
    logins = {
        **{relay.called: (relay.oauth, relay.username) for relay in relays},
        **{account.name: (account.oauth, account.username) for account in settings.inbox.imap},
    }
    oauth, username = logins.get(name, (None, ""))
    if oauth is None:
        known = ", ".join(name for name, (oauth, _) in logins.items() if oauth) or "none is set"
        raise InvalidInput("ACCOUNT", f"no account “{name}” logs in by OAuth.", f"Accounts that do: {known}.")
    return OAuthLogin(oauth, username)

"""The doctor at everything that we log in at: servers that take our mail, and mailboxes that are read by IMAP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import asyncpg

from channels.mail.imap.examination import check_account
from channels.mail.imap.settings import ImapAccount
from channels.mail.oauth.settings import OAuthSettings
from channels.mail.oauth.tokens import TokenSource
from channels.mail.oauth.wire import ProviderAway
from channels.mail.settings import RelaySettings
from clytie.attach import reach_servers
from clytie.commands.doctor_relay import examine_relay
from clytie.mailboxes import open_tokens
from clytie.settings import Settings
from domain.errors import ClytieError, Unavailable
from domain.findings import Finding
from storage.pool import Pool, open_pool

#: Gives the tokens of a login by OAuth. Raises Unavailable when the database cannot be asked.
_FindTokens = Callable[[OAuthSettings, str], Awaitable[TokenSource]]
_ASK_AGAIN: Final = "Mend what it says, then run this again; nothing was tried at the mail server."


async def examine_logins(settings: Settings) -> AsyncIterator[Finding]:
    """Every relay, with all that is found of it, and a line for each mailbox that is in order."""
    relays = settings.mail.servers if settings.mail is not None else ()
    if not relays:
        yield Finding("Mail", True, "no server is set; every mail goes to the test mailbox")
    async with _open_tokens(settings) as find:
        for relay in relays:
            for finding in await _check_relay(relay, find):
                yield finding
        accounts = [account for account in settings.inbox.imap if account.enabled]
        for found in await asyncio.gather(*(_check_mailbox(account, find) for account in accounts)):
            for finding in found:
                yield finding


async def _check_relay(relay: RelaySettings, find: _FindTokens) -> list[Finding]:
    token, trouble = "", None
    if relay.oauth is not None:
        subject = f"Mail {relay.called} login"
        try:
            token = await (await find(relay.oauth, relay.username)).access_token()
        except (Unavailable, ProviderAway) as error:
            trouble = Finding(subject, None, f"no access token for {relay.username} now: {error}", _ASK_AGAIN)
        except ClytieError as error:
            remedy = f"Run `clytie mail login {relay.called}`, or mend the settings of oauth."
            trouble = Finding(subject, False, f"no access token for {relay.username}: {error}", remedy)
    found = await asyncio.to_thread(lambda: list(examine_relay(relay, token)))
    return found if trouble is None else [*found, trouble]


async def _check_mailbox(account: ImapAccount, find: _FindTokens) -> list[Finding]:
    """What is not in order, else that the mailbox is."""
    try:
        tokens = await find(account.oauth, account.username) if account.oauth is not None else None
    except Unavailable as error:
        return [
            Finding(f"Mailbox {account.name}", None, f"its login cannot be looked up: {error}", _ASK_AGAIN)
        ]
    found = await check_account(account, tokens)
    folders = ", ".join(folder.name for folder in account.folders)
    return [one for one in found if not one.good] or [
        Finding(found[0].subject, True, f"{found[0].says}; read: {folders}")
    ]


@asynccontextmanager
async def _open_tokens(settings: Settings) -> AsyncIterator[_FindTokens]:
    """The database is asked only when somebody logs in by OAuth, once for all of them."""
    async with AsyncExitStack() as stack:
        reached: list[Pool | Unavailable] = []
        turn = asyncio.Lock()

        async def reach() -> Pool | Unavailable:
            try:
                urls = await stack.enter_async_context(reach_servers(settings))
                pool = await open_pool(urls.database_url, max_size=2)
            except (ClytieError, OSError, asyncpg.PostgresError) as error:
                return Unavailable(f"the database cannot be asked: {error}")
            stack.callback(pool.terminate)
            return pool

        async def find(oauth: OAuthSettings, username: str) -> TokenSource:
            async with turn:
                if not reached:
                    reached.append(await reach())
            if isinstance(reached[0], Unavailable):
                raise reached[0]
            return open_tokens(settings, reached[0], oauth, username)

        yield find

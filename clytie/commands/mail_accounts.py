"""`clytie mail login`, `folders` and `accounts`: the mailboxes that are read by IMAP, and logins by OAuth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from channels.mail.imap.examination import list_folders
from channels.mail.imap.words import REMEDIES, Trouble, diagnose
from channels.mail.oauth.login import (
    await_device_login,
    exchange_code,
    read_code,
    start_consent,
    start_device_login,
)
from channels.mail.oauth.settings import Flow, OAuthSettings, grant_name
from channels.mail.oauth.tokens import Grant
from channels.mail.oauth.wire import ProviderAway
from clytie.attach import reach_servers
from clytie.bootstrap import Core, open_core
from clytie.commands.output import say
from clytie.mailboxes import find_account, find_login, open_grants, open_tokens
from clytie.settings import Settings, load_settings
from domain.errors import ClytieError, Unavailable
from inbox.arrival.imap_ledger import ImapLedger

Account = Annotated[str, typer.Argument(help="The account's name in the settings.")]


def add_commands(app: typer.Typer) -> None:
    """Put the commands under `clytie mail`."""
    app.command()(login)
    app.command()(folders)
    app.command()(accounts)


def login(
    account: Account,
    browser: Annotated[
        bool,
        typer.Option("--browser", help="Consent in a browser and paste its address, without a device code."),
    ] = False,
) -> None:
    """Log in at the mail provider (OAuth 2.0) once; from then on the tokens are renewed by themselves."""
    asyncio.run(_login(load_settings(), account, browser))


def folders(account: Account) -> None:
    """List the folders of a mailbox as the server names them."""
    asyncio.run(_folders(load_settings(), account))


def accounts() -> None:
    """Show how the watch on each folder is doing."""
    asyncio.run(_accounts(load_settings()))


async def _login(settings: Settings, name: str, browser: bool) -> None:
    found = find_login(settings, name)
    oauth = found.oauth
    if oauth.flow is Flow.APPLICATION:
        say("The application logs in by itself here (flow `application`); checking that it may.")
        async with _reach(settings) as (known, core):
            await open_tokens(known, core.pool, oauth, found.username).access_token()
    else:
        try:
            use_browser = browser or not oauth.endpoints.device_url
            grant = await (_consent(oauth, found.username) if use_browser else _type_code(oauth))
        except ProviderAway as error:
            raise Unavailable(str(error)) from error
        async with (
            _reach(settings) as (known, core),
            open_grants(known, core.pool).hold(grant_name(oauth, found.username)) as held,
        ):
            await held.keep(grant)
    say(f"“{name}” is logged in. The tokens are kept in the database, encrypted.")


async def _type_code(oauth: OAuthSettings) -> Grant:
    code = await start_device_login(oauth)
    say(f"Open {code.url} as the mailbox's user and type the code {code.user_code}")
    say("Waiting …")
    return await await_device_login(oauth, code)


async def _consent(oauth: OAuthSettings, username: str) -> Grant:
    consent = start_consent(oauth, username)
    say(f"Open this address as {username} and consent:")
    say(consent.url)
    say("The browser ends on an address that begins with the redirect address; it need not show a page.")
    pasted = await asyncio.to_thread(typer.prompt, "Paste that address")
    return await exchange_code(oauth, read_code(pasted, consent.state), consent)


async def _folders(settings: Settings, name: str) -> None:
    account = find_account(settings, name)
    try:
        if account.oauth is None:
            listed = await list_folders(account)
        else:
            async with _reach(settings) as (known, core):
                tokens = open_tokens(known, core.pool, account.oauth, account.username)
                listed = await list_folders(account, tokens)
    except ClytieError:
        raise
    except Exception as error:
        found = diagnose(error, account.host)
        raise Unavailable(f"{found.words} {found.remedy}") from error
    for folder in listed:
        say(f"{folder.name}  ({folder.special})" if folder.special else folder.name)


async def _accounts(settings: Settings) -> None:
    async with _reach(settings) as (_, core):
        states = await ImapLedger(core.pool, core.announcer).states()
    if not states:
        say("No mailbox is watched. Set inbox.imap, then start `clytie serve`.")
    for watched in states:
        status = watched.status
        progress = f" {status.done} of {status.total}" if status.total and status.state == "reading" else ""
        contact = f", last contact {status.contact_at:%Y-%m-%d %H:%M:%S} UTC" if status.contact_at else ""
        say(f"{status.account}, {status.folder}: {status.state}{progress}{contact}")
        if status.trouble:
            say(f"   {status.trouble}: {status.words}")
            say(f"   {REMEDIES[Trouble(status.trouble)]}")


@asynccontextmanager
async def _reach(settings: Settings) -> AsyncIterator[tuple[Settings, Core]]:
    async with reach_servers(settings) as urls:
        known = settings.model_copy(update={"database_url": urls.database_url})
        async with open_core(known, connections=2) as core:
            yield known, core

"""Looking at an account as the watch would: connection, TLS, login, every folder. Nothing is changed, nothing is read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from imapclient import IMAPClient

from channels.mail.imap.connection import close, connect, folder_name, log_in, open_folder
from channels.mail.imap.settings import After, FolderSettings, ImapAccount
from channels.mail.imap.words import REMEDIES, Trouble, diagnose
from channels.mail.oauth.tokens import TokenSource
from domain.findings import Finding

_READ_ONLY: Final = {"after": After.KEEP, "move_to": ""}


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """A folder as the server lists it; `special` is what the server says it is for, e.g. `Sent`."""

    name: str
    special: str


async def check_account(account: ImapAccount, tokens: TokenSource | None = None) -> list[Finding]:
    """What is found of this account, each with its remedy; never raises. `tokens` when it logs in by OAuth."""
    subject = f"Mailbox {account.name}"
    try:
        secret = await find_secret(account, tokens)
        return await asyncio.to_thread(lambda: list(_examine(account, secret, subject)))
    except Exception as error:
        found = diagnose(error, account.host)
        return [Finding(subject, False, found.words, found.remedy)]


async def list_folders(account: ImapAccount, tokens: TokenSource | None = None) -> list[ServerFolder]:
    """Every folder that the login sees. Raises what the watch would raise."""
    secret = await find_secret(account, tokens)
    return await asyncio.to_thread(lambda: _with_client(account, secret, _list))


async def find_secret(account: ImapAccount, tokens: TokenSource | None, refused: str = "") -> str:
    """The password, or an access token other than the one that was refused. Raises ClytieError, OSError."""
    if tokens is None:
        return account.read_password()
    return await tokens.access_token(not_this=refused)


def _examine(account: ImapAccount, secret: str, subject: str) -> Iterator[Finding]:
    client = connect(account, _keep)
    try:
        log_in(client, account, secret)
        news = "tells of new mail by itself" if client.has_capability("IDLE") else "is asked for new mail"
        yield Finding(subject, True, f"{account.username} logs in at {account.host}, which {news}")
        for folder in account.folders:
            yield from _examine_folder(client, account, folder, subject)
    finally:
        close(client)


def _examine_folder(
    client: IMAPClient, account: ImapAccount, folder: FolderSettings, subject: str
) -> Iterator[Finding]:
    place = f"{subject}, folder {folder.name}"
    try:
        opened = open_folder(client, folder.model_copy(update=_READ_ONLY))
        if folder.move_to and not client.folder_exists(folder_name(client, folder.move_to)):
            yield Finding(
                place, False, f"there is no folder “{folder.move_to}” to move to", REMEDIES[Trouble.COURTESY]
            )
    except Exception as error:
        found = diagnose(error, account.host)
        yield Finding(place, False, found.words, found.remedy)
    else:
        yield Finding(place, True, f"{opened.exists} mails")


def _with_client(
    account: ImapAccount, secret: str, work: Callable[[IMAPClient], list[ServerFolder]]
) -> list[ServerFolder]:
    client = connect(account, _keep)
    try:
        log_in(client, account, secret)
        return work(client)
    finally:
        close(client)


def _list(client: IMAPClient) -> list[ServerFolder]:
    ignored = {
        b"\\hasnochildren",
        b"\\haschildren",
        b"\\marked",
        b"\\unmarked",
        b"\\subscribed",
        b"\\noinferiors",
    }
    found = []
    for flags, _, name in client.list_folders():
        lowered = {flag.lower() for flag in flags}
        if b"\\noselect" not in lowered and b"\\nonexistent" not in lowered:
            special = sorted(flag.decode().lstrip("\\") for flag in flags if flag.lower() not in ignored)
            found.append(ServerFolder(str(name), ", ".join(special)))
    return found


def _keep(connection: socket.socket, farewell: Callable[[], object]) -> None:
    """Nobody interrupts an examination."""

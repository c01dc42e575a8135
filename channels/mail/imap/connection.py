"""One IMAP connection: TCP with keepalive, TLS, login, and the folder opened. Blocking; runs in its thread."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, IMAPClientReadOnlyError, LoginError

from channels.mail.imap.settings import After, FolderSettings, ImapAccount
from channels.mail.oauth.xoauth2 import explain_challenge, initial_response
from channels.mail.settings import Encryption
from domain.errors import ConfigurationError

#: A peer that vanished is noticed after 60 + 4 x 15 seconds, also while nothing is said (IDLE).
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
_SPECIAL: Final = {name: f"\\{name}".encode() for name in ("Sent", "Archive", "Junk", "Trash", "Drafts")}


class LoginRefused(Exception):
    """The server does not let us in; the words are its own."""


class FolderMissing(Exception):
    """The folder cannot be opened; the words are the server's."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the server says of an opened folder. `uidnext` is 0 when it does not say (an old server)."""

    uidvalidity: int
    uidnext: int
    exists: int


def make_tls(account: ImapAccount) -> ssl.SSLContext:
    """The TLS context of an account. Raises ConfigurationError when ca_file cannot be read."""
    try:
        context = ssl.create_default_context(cafile=account.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca_file: {account.ca_file} holds no certificates: {error}") from error
    if not account.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def connect(account: ImapAccount, adopt: Callable[[socket.socket, Callable[[], object]], None]) -> IMAPClient:
    """Connect and encrypt. `adopt` is given the socket as soon as there is one, and what closes the connection.

    Raises OSError (ssl.SSLError among them), IMAPClientError, ConfigurationError.
    """
    tls = make_tls(account)
    host, port = account.place
    implicit = account.encryption is Encryption.IMPLICIT
    client = IMAPClient(
        host,
        port,
        ssl=implicit,
        ssl_context=tls if implicit else None,
        timeout=SocketTimeout(account.connect_seconds, account.read_seconds),
    )
    try:
        adopt(client.socket(), partial(close, client))
        client.normalise_times = False
        _keep_alive(client.socket())
        if account.encryption in (Encryption.REQUIRED, Encryption.OPPORTUNISTIC):
            _start_tls(client, account, tls)
            adopt(client.socket(), partial(close, client))
    except BaseException:
        close(client)
        raise
    return client


def log_in(client: IMAPClient, account: ImapAccount, secret: str) -> None:
    """Log in with the password, or with the access token. Raises LoginRefused, IMAPClientError, OSError."""
    try:
        if account.oauth is not None:
            _log_in_by_token(client, account, secret)
        elif account.mailbox:
            client.plain_login(account.username, secret, account.mailbox)
        elif secret.isascii() and account.username.isascii():
            client.login(account.username, secret)
        else:  # LOGIN is ASCII only
            client.plain_login(account.username, secret)
    except LoginError as error:
        if isinstance(error.__context__, IMAPClient.AbortError):  # the connection broke: no refusal
            raise error.__context__ from None
        raise LoginRefused(_bare(str(error))) from error
    if client.has_capability("ID"):  # some providers open no folder for clients without a name (RFC 2971)
        with contextlib.suppress(ValueError):
            client.id_({"name": "Clytie"})


def open_folder(client: IMAPClient, folder: FolderSettings) -> Opened:
    """Open the folder; for reading only when nothing is done in it, or nothing may be.

    Raises FolderMissing, IMAPClientError, OSError.
    """
    name = folder_name(client, folder.name)
    try:
        said = _select(client, name, readonly=folder.after is After.KEEP)
    except IMAPClient.AbortError:
        raise
    except IMAPClientError as error:
        raise FolderMissing(_bare(str(error))) from error
    return Opened(int(said.get(b"UIDVALIDITY", 0)), int(said.get(b"UIDNEXT", 0)), int(said.get(b"EXISTS", 0)))


def _select(client: IMAPClient, name: str, *, readonly: bool) -> dict[bytes, Any]:
    try:
        return dict(client.select_folder(name, readonly=readonly))
    except IMAPClientReadOnlyError:  # the login may only read here; the courtesy will say so
        return dict(client.select_folder(name, readonly=True))


def folder_name(client: IMAPClient, name: str) -> str:
    r"""The folder's name on the server: `\Sent` and its like are looked up. Raises FolderMissing."""
    flag = _SPECIAL.get(name.removeprefix("\\")) if name.startswith("\\") else None
    if flag is None:
        return name
    found = client.find_special_folder(flag)
    if found is None:
        raise FolderMissing(f"the server marks no folder as {name}; name it in the settings")
    return str(found)


def close(client: IMAPClient) -> None:
    """Let go of the socket; never raises."""
    with contextlib.suppress(Exception):
        client.shutdown()


def _start_tls(client: IMAPClient, account: ImapAccount, tls: ssl.SSLContext) -> None:
    if client.has_capability("STARTTLS"):
        client.starttls(tls)
        client.socket().settimeout(account.read_seconds)
    elif account.encryption is Encryption.REQUIRED:
        raise ssl.SSLError(f"{account.host} does not offer STARTTLS, which is required")
    elif not account.plain_login:
        raise ssl.SSLError(f"{account.host} does not offer STARTTLS, so the login is not sent")


def _log_in_by_token(client: IMAPClient, account: ImapAccount, token: str) -> None:
    user = account.mailbox or account.username
    refusals: list[str] = []
    try:
        client.sasl_login("XOAUTH2", partial(_answer, initial_response(user, token), refusals))
    except LoginError as error:
        if refusals and not isinstance(error.__context__, IMAPClient.AbortError):
            raise LoginRefused(f"{refusals[0]}; the server says: {_bare(str(error))}") from error
        raise


def _answer(first: bytes, refusals: list[str], challenge: bytes) -> bytes:
    """The first answer is the token; a second challenge is a refusal in JSON, answered by nothing."""
    if not challenge and not refusals:
        return first
    refusals.append(explain_challenge(challenge))
    return b""


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _bare(words: str) -> str:
    """The server's words without the library's."""
    return re.sub(r"^(\w+ failed: |b')+|'$", "", words).strip()[:500]

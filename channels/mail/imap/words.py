"""What went wrong with a mailbox, as a word, a sentence and a remedy; one table for the status, the log and `clytie doctor`."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from channels.mail.imap.connection import FolderMissing, LoginRefused
from channels.mail.oauth.wire import LoginNeeded, ProviderAway, Refused
from domain.errors import ClytieError, ConfigurationError, Unavailable


class Trouble(StrEnum):
    """Why a folder is not read right now."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    LOGIN = "login"
    CONSENT = "consent"
    OAUTH = "oauth"
    FOLDER = "folder"
    LOST = "lost"
    SILENT = "silent"
    PROTOCOL = "protocol"
    SETTINGS = "settings"
    STORAGE = "storage"
    COURTESY = "courtesy"


#: What an administrator does about each. Where it says “by itself”, nothing has to be done at once.
REMEDIES: Final = {
    Trouble.UNREACHABLE: "Check host and port, and that this machine may reach them; tried again by itself.",
    Trouble.TLS: "Check encryption and port; for a certificate of your own authority set ca_file.",
    Trouble.LOGIN: "Check username and password; many providers want an app password or OAuth, and IMAP switched on "
    "for the mailbox.",
    Trouble.CONSENT: "Run `clytie mail login` for this account.",
    Trouble.OAUTH: "Check the registration of the application at the provider: client_id, client_secret, permissions.",
    Trouble.FOLDER: "Check the folder's name (`clytie mail folders` lists them) and the login's rights on it.",
    Trouble.LOST: "The connection broke; it is opened again by itself, and nothing is lost.",
    Trouble.SILENT: "The server stopped answering; it is tried again by itself, and nothing is lost.",
    Trouble.PROTOCOL: "The server answered in a way that is not understood; it is tried again by itself.",
    Trouble.SETTINGS: "Correct the setting that it names.",
    Trouble.STORAGE: "Mail waits in its mailbox until the database takes it; tried again by itself.",
    Trouble.COURTESY: "The mail is safe here. Check that the target folder exists and that the login may change it.",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A word of Trouble, and the details in words."""

    trouble: Trouble
    words: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.trouble]


class StorageAway(ClytieError):
    """The mail could not be kept here; it stays in its mailbox."""


def diagnose(error: BaseException, host: str) -> Diagnosis:
    """What an error means; any error has an answer."""
    words = str(error) or type(error).__name__
    if isinstance(error, (StorageAway, Unavailable)):
        return Diagnosis(Trouble.STORAGE, words)
    if isinstance(error, LoginNeeded):
        return Diagnosis(Trouble.CONSENT, words)
    if isinstance(error, Refused):
        return Diagnosis(Trouble.OAUTH, words)
    if isinstance(error, ProviderAway):
        return Diagnosis(Trouble.UNREACHABLE, words)
    if isinstance(error, ConfigurationError):
        return Diagnosis(Trouble.SETTINGS, words)
    if isinstance(error, LoginRefused):
        return Diagnosis(Trouble.LOGIN, f"{host} refused the login: {words}")
    if isinstance(error, FolderMissing):
        return Diagnosis(Trouble.FOLDER, words)
    return _diagnose_network(error, host, words)


def _diagnose_network(error: BaseException, host: str, words: str) -> Diagnosis:
    if isinstance(error, ssl.SSLError):
        return Diagnosis(Trouble.TLS, f"TLS with {host}: {words}")
    if isinstance(error, TimeoutError):
        return Diagnosis(Trouble.SILENT, f"{host} did not answer in time")
    if isinstance(error, (socket.gaierror, ConnectionRefusedError)):
        return Diagnosis(Trouble.UNREACHABLE, f"{host}: {words}")
    if isinstance(error, (IMAPClient.AbortError, ConnectionError)):
        silent = "timed out" in words
        return Diagnosis(Trouble.SILENT if silent else Trouble.LOST, f"{host}: {words}"[:500])
    if isinstance(error, IMAPClientError):
        return Diagnosis(Trouble.PROTOCOL, f"{host}: {words}"[:500])
    if isinstance(error, OSError):
        return Diagnosis(Trouble.UNREACHABLE, f"{host}: {words}")
    return Diagnosis(Trouble.PROTOCOL, f"{type(error).__name__}: {words}"[:500])

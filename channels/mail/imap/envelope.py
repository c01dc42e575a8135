"""From bytes in a mailbox to `Received`: what the envelope was, as far as a mailbox still tells it."""

from __future__ import annotations

import re
from typing import Final

from channels.base import Received
from channels.mail.imap.fetching import Entry, Fetched
from channels.mail.imap.settings import FolderSettings, ImapAccount

_LOOK: Final = 1 << 16
_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n")
_RETURN_PATH: Final = re.compile(
    rb"^Return-Path:[ \t]*<?([^<>\s]{0,320})>?[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)


def receive(account: ImapAccount, folder: FolderSettings, uidvalidity: int, mail: Fetched) -> Received:
    """The mail as a door hands it in. meta: account, folder, direction, received_at (the server's date)."""
    entry, raw = mail.entry, mail.raw or b""
    return Received(
        raw=raw,
        sender=envelope_sender(raw),
        recipients=(account.recipient,) if account.recipient and folder.direction == "in" else (),
        door=account.door,
        cursor=f"{folder.name}/{uidvalidity}/{entry.uid}",
        meta=_meta(account, folder, entry),
    )


def stand_in(
    account: ImapAccount, folder: FolderSettings, uidvalidity: int, mail: Fetched, why: str
) -> Received:
    """For a mail that cannot be taken in: what there is of it, else a note that says where it lies."""
    received = receive(account, folder, uidvalidity, mail)
    if received.raw:
        return received
    note = (
        f"Subject: Unreadable mail in {_printable(folder.name)}\r\n\r\n"
        f"Account {account.name}, folder {_printable(folder.name)}, UIDVALIDITY {uidvalidity}, UID {mail.entry.uid}, "
        f"{mail.entry.size} bytes: {_printable(why)}\r\n"
    )
    return Received(note.encode(), "", received.recipients, received.door, received.cursor, received.meta)


def envelope_sender(raw: bytes) -> str:
    """The envelope's sender as the last server noted it in Return-Path; empty for <>, and when nobody noted it."""
    headers = _END_OF_HEADERS.split(raw[:_LOOK], maxsplit=1)[0]
    found = _RETURN_PATH.search(headers)
    return _printable(found[1].decode("utf-8", "replace")) if found else ""


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _meta(account: ImapAccount, folder: FolderSettings, entry: Entry) -> dict[str, str]:
    meta = {"account": account.name, "folder": folder.name, "direction": folder.direction}
    if entry.arrived_at is not None:
        meta["received_at"] = entry.arrived_at.isoformat()
    return meta

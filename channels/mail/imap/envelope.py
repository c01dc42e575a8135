"""From bytes in a mailbox to `Received`: what the envelope was, as far as a mailbox still tells it."""

from __future__ import annotations

import re
from email.header import Header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from typing import Final

from channels.base import Received
from channels.mail.imap.fetching import Entry, Fetched
from channels.mail.imap.settings import FolderSettings, ImapAccount

_LOOK: Final = 1 << 16
_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n")


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
    """The envelope's sender as the last server noted it in Return-Path, else the author. Never raises."""
    try:
        headers = BytesHeaderParser(policy=compat32).parsebytes(_END_OF_HEADERS.split(raw[:_LOOK], 1)[0])
        for name in ("Return-Path", "Sender", "From"):
            value = headers.get(name)
            if value is not None:
                found = getaddresses([_text(value)])
                return _plain(found[0][1]) if found else ""
    except Exception:  # the stdlib's parsers promise nothing for hostile bytes
        return ""
    return ""


def _text(value: str | Header) -> str:
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _plain(address: str) -> str:
    return "".join(character for character in address if character.isprintable())[:320]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _meta(account: ImapAccount, folder: FolderSettings, entry: Entry) -> dict[str, str]:
    meta = {"account": account.name, "folder": folder.name, "direction": folder.direction}
    if entry.arrived_at is not None:
        meta["received_at"] = entry.arrived_at.isoformat()
    return meta

"""The envelope of a mail that came without one (from a file, a folder, an mbox): read from its headers.

Only trace headers and addressees are looked at, in the order of their worth; nothing is decoded.
"""

from __future__ import annotations

import re
from typing import Final

from channels.base import Received

_HEADER: Final = re.compile(rb"^([!-9;-~]{1,76}):[ \t]*((?:.*(?:\r?\n[ \t].*)*))", re.MULTILINE)
_ADDRESS: Final = re.compile(rb"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")
_SENDERS: Final = (b"return-path", b"sender", b"from")
_RECIPIENTS: Final = ((b"delivered-to", b"x-original-to", b"envelope-to"), (b"to", b"cc"))
_HEAD_LIMIT: Final = 262_144  #: bytes of headers that are looked at
_COUNT_LIMIT: Final = 100  #: addressees


def read_envelope(raw: bytes) -> Received:
    """Bytes of a mail to what is known of its envelope; empty where its headers are silent. Never raises.

    `Return-Path: <>` gives the empty sender of bounces, whatever From says.
    """
    head = re.split(rb"\r?\n\r?\n", raw[:_HEAD_LIMIT], maxsplit=1)[0]
    values: dict[bytes, list[bytes]] = {}
    for name, value in _HEADER.findall(head):
        values.setdefault(name.lower(), []).append(value)
    sender = ""
    for header in _SENDERS:
        if header in values:
            found = _ADDRESS.search(values[header][0])
            sender = _text(found[0]) if found else ""
            break
    recipients: tuple[str, ...] = ()
    for group in _RECIPIENTS:
        addresses = [
            a for header in group for value in values.get(header, ()) for a in _ADDRESS.findall(value)
        ]
        if addresses:
            recipients = tuple(dict.fromkeys(_text(address) for address in addresses[:_COUNT_LIMIT]))
            break
    return Received(raw=raw, sender=sender, recipients=recipients, door="file")


def _text(address: bytes) -> str:
    return address.decode("utf-8", "replace").replace("\0", "")

"""The envelope of a mail that came without one (from a file, a folder, an mbox): read from its headers.

Only trace headers and addressees are looked at, in the order of their worth; nothing is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from channels.base import Received

_HEADER: Final = re.compile(rb"^([!-9;-~]{1,76}):[ \t]*((?:.*(?:\r?\n[ \t].*)*))", re.MULTILINE)
_ADDRESS: Final = re.compile(rb"[^\s<>,;:\"()]{1,64}@[^\s<>,;:\"()]{1,255}")
_SENDERS: Final = (b"return-path", b"sender", b"from")
_RECIPIENTS: Final = ((b"delivered-to", b"x-original-to", b"envelope-to"), (b"to", b"cc"))
HEAD_LIMIT: Final = 262_144  #: bytes of headers that are looked at
_COUNT_LIMIT: Final = 100  #: addressees


def read_envelope(raw: bytes) -> Received:
    """Bytes of a mail to what is known of its envelope; empty where its headers are silent. Never raises.

    `Return-Path: <>` gives the empty sender of bounces, whatever From says.
    """
    values = _headers(raw)
    sender = ""
    for header in _SENDERS:
        if header in values:
            found = _ADDRESS.search(values[header][0])
            sender = _text(found[0]) if found else ""
            break
    recipients: tuple[str, ...] = ()
    for group in _RECIPIENTS:
        if recipients := _addresses(values, group):
            break
    return Received(raw=raw, sender=sender, recipients=recipients, door="file")


def named_addresses(raw: bytes, *, authors: bool = False) -> tuple[str, ...]:
    """Every address that a mail's headers name as one it went to; with `authors` those that it came from too. Never raises.

    Whoever forwards mail writes an envelope of their own: whom a mail was for, its headers may tell better.
    """
    values = _headers(raw)
    groups = [header for group in _RECIPIENTS for header in group]
    return _addresses(values, (*groups, *_SENDERS) if authors else groups)


def _headers(raw: bytes) -> dict[bytes, list[bytes]]:
    head = re.split(rb"\r?\n\r?\n", raw[:HEAD_LIMIT], maxsplit=1)[0]
    values: dict[bytes, list[bytes]] = {}
    for name, value in _HEADER.findall(head):
        values.setdefault(name.lower(), []).append(value)
    return values


def _addresses(values: Mapping[bytes, list[bytes]], headers: Iterable[bytes]) -> tuple[str, ...]:
    found = [one for header in headers for value in values.get(header, ()) for one in _ADDRESS.findall(value)]
    return tuple(dict.fromkeys(_text(address) for address in found[:_COUNT_LIMIT]))


def _text(address: bytes) -> str:
    return address.decode("utf-8", "replace").replace("\0", "")

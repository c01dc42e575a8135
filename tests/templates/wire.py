"""Reads what a plan emits the way a receiving server and a mail client do."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import cast


def received(content: bytes) -> bytes:
    """Undo SMTP's DATA: check the end, take the doubled dots away (RFC 5321, 4.5.2)."""
    assert content.endswith(b"\r\n.\r\n")
    lines = content[:-3].split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


def parsed(content: bytes) -> EmailMessage:
    """Parse a DATA payload."""
    return read(received(content))


def read(message: bytes) -> EmailMessage:
    """Parse a message."""
    return message_from_bytes(message, policy=default)


def part(message: EmailMessage, subtype: str) -> str:
    """Give the text or HTML part with \\n line ends, without the last line's end."""
    body = message.get_body((subtype,))
    assert body is not None
    content = cast(str, body.get_content())
    return re.sub(r"\r\n?", "\n", content).removesuffix("\n")


def display_name(content: bytes, header: str) -> str:
    """Give the name in an address header. (The stdlib's new parser keeps blanks between encoded words of a name.)"""
    raw = str(message_from_bytes(received(content), policy=policy.compat32)[header])
    name, _ = parseaddr(re.sub(r"\r?\n", "", raw))
    return str(make_header(decode_header(name)))

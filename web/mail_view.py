"""A mail of the test mailbox as people look at it: headers, text part, HTML. Its HTML is never trusted.

The standard library's `policy.default` raises on some malformed mails, so `compat32` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message


@dataclass(frozen=True, slots=True)
class MailView:
    """The parts a page shows."""

    from_words: str
    headers: Sequence[tuple[str, str]]
    text: str
    html: str


def decode_words(value: str) -> str:
    """A header's value with its encoded words decoded (RFC 2047), as far as that is possible."""
    try:
        return str(make_header(decode_header(" ".join(value.split()))))
    except (LookupError, ValueError):
        return value


def read_mail(raw: bytes) -> MailView:
    """Take a mail apart; never raises, whatever the bytes."""
    message: Message = message_from_bytes(raw, policy=policy.compat32)
    parts = {"text/plain": "", "text/html": ""}
    for part in message.walk():
        kind = part.get_content_type()
        if kind in parts and not parts[kind] and part.get_filename() is None:
            parts[kind] = _content(part)
    return MailView(
        from_words=decode_words(str(message.get("From", ""))),
        headers=[(name, decode_words(str(value))) for name, value in message.items()],
        text=parts["text/plain"],
        html=parts["text/html"],
    )


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset, "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")

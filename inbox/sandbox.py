"""What the test mailbox keeps: a row per recipient of each mail that its SMTP door took."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import compat32
from typing import Final

from channels.base import Received
from storage.announce import Announcer
from storage.pool import Pool

_KEEP: Final = """
INSERT INTO sandbox_mails (sender, recipient, message_id_header, subject, raw)
SELECT $1, recipient, $3, $4, $5 FROM unnest($2::text[]) AS recipient
"""
_LIMIT: Final = 998  # characters of a header that are kept beside the raw mail


class SandboxMailbox:
    """The store behind the test mailbox's door: when it returns, the mail is committed."""

    def __init__(self, pool: Pool, announcer: Announcer) -> None:
        self._pool = pool
        self._announcer = announcer

    async def __call__(self, received: Received) -> None:
        """Keep one mail for each of its recipients."""
        headers = message_from_bytes(received.raw.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n", policy=compat32)
        await self._pool.execute(
            _KEEP,
            _text(received.sender),
            [_text(recipient).lower() for recipient in received.recipients],
            _text(headers.get("Message-ID", "")).strip(),
            _text(headers.get("Subject", "")),
            received.raw,
        )
        self._announcer.touch()


def _text(value: object) -> str:
    """A header as text that PostgreSQL takes: no NUL, no lone surrogate."""
    return str(value).replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:_LIMIT]

"""From a claimed letter to the message that will go out: its bytes as they were written, signed, dots doubled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from channels.mail.dots import stuff
from domain.contacts import IdentityKind
from domain.errors import NotFound
from domain.messages import Outbound
from outbox.addresses import LETTERS
from outbox.composing import Sign
from outbox.queue import Claimed
from storage.blobs import BlobStore


class LetterComposer:
    """Composes letters (outbox.composing.Composer). One that has lost its bytes is refused as `content_invalid`."""

    wants_fields = False

    def __init__(self, blobs: BlobStore, sign: Sign | None = None) -> None:
        self._blobs = blobs
        self._sign = sign

    def compose(self, rows: Sequence[Any], now: datetime) -> list[Claimed]:
        """See Composer."""
        return [self._compose(row) for row in rows]

    def _compose(self, row: Any) -> Claimed:
        claimed = Claimed(
            row["message_id"],
            row["attempt"],
            row["claim"],
            LETTERS,
            row["contact_id"] or 0,
            row["email"],
            IdentityKind.MAIL.value,
        )
        mail = self._read(row["content"], row["blob"])
        if mail is None or row["sender"] is None:
            claimed.refusal = "content_invalid"
            return claimed
        payload = stuff(mail) if self._sign is None else self._sign(stuff(mail))
        claimed.message = Outbound(
            claimed.message_id,
            claimed.attempt + 1,
            row["sender"],
            row["email"],
            payload,
            row["utf8"],
            options={"from": row["author"] or ""},
        )
        return claimed

    def _read(self, content: bytes | None, blob: str | None) -> bytes | None:
        if content is not None or blob is None:
            return content
        try:
            return self._blobs.path(blob).read_bytes()
        except (OSError, NotFound):
            return None

"""From a claimed letter to the message that will go out: its bytes as they were written, signed, dots doubled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from channels.mail.sending.dots import stuff
from domain.contacts import IdentityKind
from domain.errors import NotFound
from domain.messages import Outbound
from outbox.addresses import LETTERS
from outbox.composing import Sign
from outbox.queue import Claimed
from storage.blobs import BlobStore

#: Seconds for which the payload of a large letter is kept for its copies, which are claimed together.
_KEPT: Final = 10.0


class LetterComposer:
    """Composes letters (outbox.composing.Composer). One that has lost its bytes is refused as `content_invalid`.

    The copies of a large letter share one payload: read, signed and held once.
    """

    wants_fields = False

    def __init__(self, blobs: BlobStore, sign: Sign | None = None) -> None:
        self._blobs = blobs
        self._sign = sign
        self._shared: tuple[str, bytes, float] = ("", b"", 0.0)  # the last file, its payload, and until when

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
        payload = self._payload(row["content"], row["blob"])
        if payload is None or row["sender"] is None:
            claimed.refusal = "content_invalid"
            return claimed
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

    def _payload(self, content: bytes | None, blob: str | None) -> bytes | None:
        if content is not None:
            return self._seal(content)
        if blob is None:
            return None
        name, payload, until = self._shared
        if name != blob or until < time.monotonic():
            try:
                payload = self._seal(self._blobs.path(blob).read_bytes())
            except (OSError, NotFound):
                return None
            self._shared = blob, payload, time.monotonic() + _KEPT
        return payload

    def _seal(self, mail: bytes) -> bytes:
        payload = stuff(mail)
        return payload if self._sign is None else self._sign(payload)

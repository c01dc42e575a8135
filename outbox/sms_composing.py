"""From a claimed short message to what the channel takes: its text as it was written, with the token of its reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.contacts import IdentityKind
from domain.messages import Outbound
from domain.tokens import TokenKeys, TokenUse
from outbox.addresses import LETTERS
from outbox.queue import Claimed


class SmsLetterComposer:
    """Composes letters of channel `sms` (outbox.composing.Composer). One without text is refused as `content_invalid`."""

    wants_fields = False

    def __init__(self, tokens: TokenKeys) -> None:
        self._tokens = tokens

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
            IdentityKind.PHONE.value,
        )
        if row["content"] is None or row["sender"] is None:
            claimed.refusal = "content_invalid"
            return claimed
        token = self._tokens.sign(TokenUse.CALLBACK, LETTERS, claimed.message_id)
        claimed.message = Outbound(
            claimed.message_id,
            claimed.attempt + 1,
            row["sender"],
            row["email"],
            row["content"],
            True,
            options={**(row["options"] or {}), "token": token},
        )
        return claimed

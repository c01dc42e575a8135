"""From a claimed short message to what the channel takes: its text and the token of its reports.

A letter's text is what was written; that of a campaign is made from its plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels.sms.lookalikes import replace_lookalikes
from channels.sms.segments import count
from domain.contacts import IdentityKind
from domain.errors import ClytieError
from domain.messages import Outbound
from domain.tokens import TokenKeys, TokenUse
from outbox.addresses import LETTERS
from outbox.composing import MailKitchen
from outbox.queue import Claimed, TextFacts
from outbox.texts.files import FILES, FileAddresses
from templates.texts import SmsTemplate, TextPlan, read_text_source


class SmsLetterComposer:
    """Composes letters of channel `sms` (outbox.composing.Composer). One without text is refused as `content_invalid`,
    one whose files the provider could not fetch as `media_unreadable`."""

    wants_fields = False

    def __init__(self, tokens: TokenKeys, files_below: str = "") -> None:
        """`files_below`: the address below which the provider fetches files of ours; empty when it cannot reach us."""
        self._tokens = tokens
        self._files = FileAddresses(tokens, files_below)

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
        options: dict[str, str] = row["options"] or {}
        if FILES in options and not self._files.exist:
            claimed.refusal = "media_unreadable"
            return claimed
        token = self._tokens.sign(TokenUse.CALLBACK, LETTERS, claimed.message_id)
        claimed.message = Outbound(
            claimed.message_id,
            claimed.attempt + 1,
            row["sender"],
            row["email"],
            row["content"],
            True,
            options={**self._files.with_files(options, claimed.message_id), "token": token},
        )
        claimed.text = _facts(claimed.message, row["content"].decode("utf-8", "replace"))
        return claimed


class SmsComposer:
    """Composes the short messages of a campaign from its plan (outbox.composing.Composer)."""

    def __init__(self, campaign_id: int, plan: TextPlan, source: SmsTemplate, tokens: TokenKeys) -> None:
        self.wants_fields = "fields" in source.text
        self._campaign_id = campaign_id
        self._plan = plan
        self._source = source
        self._tokens = tokens
        self._options = {} if source.validity is None else {"validity": str(source.validity)}

    def compose(self, rows: Sequence[Any], now: datetime) -> list[Claimed]:
        """See Composer. The reasons are `contact_gone` and `content_invalid`."""
        return [self._compose(row) for row in rows]

    def _compose(self, row: Any) -> Claimed:
        message_id = row["message_id"]
        claimed = Claimed(
            message_id,
            row["attempt"],
            row["claim"],
            self._campaign_id,
            row["contact_id"],
            row["email"],
            IdentityKind.PHONE.value,
            zone=row.get("timezone") or "",
        )
        if row["name"] is None:
            claimed.refusal = "contact_gone"
            return claimed
        sign = self._tokens.sign
        try:
            text = self._plan.write(row, sign(TokenUse.UNSUBSCRIBE, self._campaign_id, message_id))
        except ClytieError:
            claimed.refusal = "content_invalid"
            return claimed
        if self._source.lookalikes:
            text = replace_lookalikes(text).text
        claimed.message = Outbound(
            message_id,
            claimed.attempt + 1,
            self._source.sender,
            row["email"],
            text.encode(),
            True,
            options={**self._options, "token": sign(TokenUse.CALLBACK, self._campaign_id, message_id)},
        )
        claimed.text = _facts(claimed.message, text)
        return claimed


def _facts(message: Outbound, text: str) -> TextFacts:
    parts = count(text)
    return TextFacts(message.sender, parts.encoding.value, max(1, parts.segments))


class SmsKitchen:
    """What composing campaigns of short messages takes beside the campaign."""

    def __init__(self, kitchen: MailKitchen, tokens: TokenKeys) -> None:
        self._kitchen = kitchen
        self._tokens = tokens

    async def composer(self, campaign: Mapping[str, Any]) -> SmsComposer:
        """Compile the plan of a running campaign (id, name, source). Raises InvalidInput for a template that the
        launch would have refused."""
        source = read_text_source(campaign["source"])
        mail = source.as_mail()
        plan = await self._kitchen.plan(mail, self._kitchen.context(campaign["id"], campaign["name"], mail))
        return SmsComposer(campaign["id"], TextPlan(plan), source, self._tokens)

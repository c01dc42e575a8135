"""From a claimed row to the message that will go out: tokens, envelope, Message-ID, content from the plan.

What is measured follows from the level that the message was launched with (tracking/statement.py has the other
half): full: pixel and links name the message; deliverability: the pixel alone does; aggregate: both name only the
campaign; none: no pixel, plain links.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from pydantic import ValidationError

from channels.mail import verp
from domain.contacts import IdentityKind
from domain.errors import ClytieError, InvalidInput
from domain.messages import Outbound, TrackingLevel
from domain.tokens import TokenKeys, TokenUse
from outbox.queue import Claimed
from outbox.settings import OutboxSettings
from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.plan import Plan
from templates.source import MailTemplate

_MAIL: Final = IdentityKind.MAIL.value

#: Puts signatures in front of a finished payload of DATA (channels.mail.dkim.signing.Signer.sign_payload).
Sign = Callable[[bytes], bytes]


class Composer(Protocol):
    """Composes the messages of one campaign. `wants_fields`: it looks at contacts' own fields."""

    wants_fields: bool

    def compose(self, rows: Sequence[Any], now: datetime) -> list[Claimed]:
        """Turn claimed rows (outbox.queue.claim) into messages, in order. Never raises for one recipient's sake:
        a row that cannot be composed carries a `refusal`."""
        ...


class MailComposer:
    """Composes mail from a compiled plan. The envelope's sender is a VERP."""

    def __init__(
        self,
        campaign_id: int,
        plan: Plan,
        source: MailTemplate,
        tokens: TokenKeys,
        settings: OutboxSettings,
        sign: Sign | None = None,
    ) -> None:
        domain = source.from_address.rpartition("@")[2]
        self.wants_fields = any(
            "fields" in part for part in (source.subject, source.preheader, source.html, source.text or "")
        )
        self._campaign_id = campaign_id
        self._plan = plan
        self._tokens = tokens
        self._seal = sign
        self._options = MappingProxyType({"from": source.from_address})
        self._campaign_token = tokens.sign(TokenUse.MEASURE, campaign_id)
        bounce_domain = settings.bounce_domain or domain
        sample = verp.encode(settings.bounce_local, bounce_domain, self._campaign_token)
        self._bounce_head, self._bounce_tail = sample.split(self._campaign_token)
        self._id_tail = f"@{settings.message_id_domain or domain}"

    def compose(self, rows: Sequence[Any], now: datetime) -> list[Claimed]:
        """See Composer. The reasons are `contact_gone` and `content_invalid`."""
        return [self._compose(row, now) for row in rows]

    def _compose(self, row: Any, now: datetime) -> Claimed:
        message_id, address = row["message_id"], row["email"]
        claimed = Claimed(
            message_id, row["attempt"], row["claim"], self._campaign_id, row["contact_id"], address, _MAIL
        )
        if row["name"] is None:
            claimed.refusal = "contact_gone"
            return claimed
        sign = self._tokens.sign
        level = row["tracking_level"]
        pixel: str | None
        link: str | None
        if level == TrackingLevel.FULL:
            pixel = link = sign(TokenUse.MEASURE, self._campaign_id, message_id)
        elif level == TrackingLevel.NONE:
            pixel = link = None
        else:
            pixel = link = self._campaign_token
            if level == TrackingLevel.DELIVERABILITY:
                pixel = sign(TokenUse.MEASURE, self._campaign_id, message_id)
        recipient = Recipient(
            address=address,
            contact=row,
            message_id=sign(TokenUse.HEADER, self._campaign_id, message_id) + self._id_tail,
            unsubscribe_token=sign(TokenUse.UNSUBSCRIBE, self._campaign_id, message_id),
            pixel_token=pixel,
            link_token=link,
        )
        try:
            content, utf8, eightbit = self._plan.compose(recipient, now)
        except ClytieError:
            claimed.refusal = "content_invalid"
            return claimed
        if self._seal is not None:
            content = self._seal(content)
        sender = (
            f"{self._bounce_head}{sign(TokenUse.REPLY, self._campaign_id, message_id)}{self._bounce_tail}"
        )
        claimed.message = Outbound(
            message_id, claimed.attempt + 1, sender, address, content, utf8, eightbit, self._options
        )
        return claimed


class MailKitchen:
    """What composing a campaign takes beside the campaign: keys, public address, settings."""

    def __init__(
        self, tokens: TokenKeys, base_url: str, settings: OutboxSettings, sign: Sign | None = None
    ) -> None:
        self._tokens = tokens
        self._sign = sign
        self._base_url = base_url
        self._settings = settings

    @property
    def settings(self) -> OutboxSettings:
        """The outbox's settings."""
        return self._settings

    def context(
        self, campaign_id: int, name: str, source: MailTemplate, assets: Collection[str] | None = None
    ) -> CampaignContext:
        """What the templates of a campaign may know of it; `assets` are the files that exist (None: not checked)."""
        organisation = self._settings.organisation
        return CampaignContext(
            name=name,
            base_url=self._base_url,
            sender={
                "name": organisation or source.from_name or source.from_address,
                "email": source.from_address,
                "postal_address": self._settings.postal_address,
                "website": self._settings.website.rstrip("/") or self._base_url,
            },
            asset_token=self._tokens.sign(TokenUse.MEASURE, campaign_id),
            list_id=f"clytie.{source.from_address.rpartition('@')[2]}",
            assets=assets,
        )

    async def composer(self, campaign: Mapping[str, Any]) -> MailComposer:
        """Compile the plan of a running campaign (id, name, source). Raises InvalidInput for a template that the
        launch would have refused."""
        source = read_source(campaign["source"])
        context = self.context(campaign["id"], campaign["name"], source)
        plan = await self.plan(source, context)
        return MailComposer(campaign["id"], plan, source, self._tokens, self._settings, self._sign)

    async def plan(self, source: MailTemplate, context: CampaignContext) -> Plan:
        """Compile a template that was checked (templates.preview) before."""
        return await asyncio.to_thread(compile_plan, source, context)


def read_source(source: object) -> MailTemplate:
    """A campaign's template as it was stored. Raises InvalidInput naming the first part that is not right."""
    try:
        return MailTemplate.model_validate(source)
    except ValidationError as error:
        first = error.errors()[0]
        part = ".".join(str(step) for step in first["loc"]) or "source"
        raise InvalidInput(part, first["msg"].removeprefix("Value error, ") + ".") from error

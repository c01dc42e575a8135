"""A campaign's short message as one reader would get it, and sending it to a phone of one's own to look at it there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from campaigns.drafts import Campaign
from channels.sms.lookalikes import replace_lookalikes
from channels.sms.segments import Segments, count, split
from domain.clock import Clock
from domain.errors import InvalidInput
from domain.messages import ChannelKind
from outbox.composing import MailKitchen
from outbox.letters.letter import LetterKind
from outbox.texts.letters import SmsLetter, write_sms
from storage.announce import Announcer
from storage.pool import Pool
from storage.unit_of_work import unit_of_work
from templates.preview import preview
from templates.texts import read_text_source

_SUPPRESSED: Final = "SELECT reason FROM suppressions WHERE kind = 'phone' AND address = $1"


@dataclass(frozen=True, slots=True)
class TextPreview:
    """A text as its reader's phone gets it: from `sender`, in these parts."""

    sender: str
    text: str
    segments: Segments
    parts: tuple[str, ...]


async def preview_text(campaign: Campaign, kitchen: MailKitchen, reader: Mapping[str, Any]) -> TextPreview:
    """Write the text for one contact. Raises InvalidInput for another channel, and for a template that cannot be used
    or cannot be filled for this contact."""
    if campaign.channel is not ChannelKind.SMS:
        raise InvalidInput("channel", "this campaign does not go by short messages.")
    source = read_text_source(campaign.source)
    mail = source.as_mail()
    trial = await asyncio.to_thread(
        preview, mail, kitchen.context(campaign.id, campaign.name, mail), [reader]
    )
    rendered = trial.rendered[0]
    if rendered is None:
        refusal = trial.refusals[0][1]
        raise InvalidInput(
            refusal.field,
            refusal.problem,
            "Give the field a value for those who lack it, with |default('…'), or narrow the segment.",
        )
    text = rendered.text.strip("\n")
    if source.lookalikes:
        text = replace_lookalikes(text).text
    return TextPreview(source.sender, text, count(text), tuple(split(text)))


async def send_trial(
    pool: Pool,
    clock: Clock,
    shown: TextPreview,
    to: str,
    author_id: int,
    announcer: Announcer | None = None,
) -> int:
    """Send a text as it was shown to a phone of ours; gives the message's id. It is no part of the campaign.

    Raises InvalidInput naming `to`, `text` or `sender`.
    """
    letter = SmsLetter(LetterKind.NOTIFICATION, shown.sender, to, shown.text, author_id=author_id)
    async with unit_of_work(pool, announcer) as work:
        message_id = await write_sms(work.connection, letter, clock)
        number = await work.connection.fetchval(
            "SELECT address FROM deliveries WHERE message_id = $1", message_id
        )
        if await work.connection.fetchval(_SUPPRESSED, number):
            raise InvalidInput(
                "to",
                f"nothing would reach {number}: it is on the do-not-contact list.",
                "Use another number.",
            )
    if announcer is not None:
        announcer.touch()
    return message_id

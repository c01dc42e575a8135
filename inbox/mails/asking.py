"""What has to be looked up to decide about a batch of mails, and what has to be locked meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from inbox.mails.arrived import Arrived, address_of
from inbox.mails.known import Asked
from inbox.mails.understanding import short_id

#: ancestors that may be on their way in beside the mail; the database has room for so many locks only
_NEAREST: Final = 5
#: how long an answer may be here before a copy of the mail that it answers
_BEFORE: Final = timedelta(days=7)


def what_is_asked(batch: Sequence[Arrived]) -> Asked:
    """Everything that deciding about these mails looks up."""
    asked = Asked()
    for one in batch:
        understood, mail = one.understood, one.understood.mail
        returned = short_id(understood.report.message_id)
        ids = {mail.message_id, returned, *understood.ancestors} - {""}
        asked.header_ids |= ids
        nearest = understood.ancestors[:_NEAREST]
        asked.locks |= {mail.message_id, returned, *nearest} - {""}
        tokens = (*one.bounced, *one.named.values())
        asked.message_ids |= {*one.answered, *(token.message_id for token in tokens if token.message_id)}
        boxes = [*mail.to, *mail.cc, *mail.bcc, *mail.reply_to, *((mail.sender,) if mail.sender else ())]
        written = [box.address for box in boxes]
        failed = [recipient.address for recipient in understood.report.recipients]
        asked.addresses |= {address_of(text) for text in (*written, *failed, *one.recipients)} - {""}
        if one.author:
            asked.locks.add(one.author)
        if one.outgoing:
            people = {address_of(box.address) for box in (*mail.to, *mail.cc, *mail.bcc)} - {""}
            asked.locks |= people
            if mail.message_id:
                asked.sent_ids.add(mail.message_id)
                asked.sent_to |= people
                asked.sent_since = min(asked.sent_since or one.at, one.at - _BEFORE)
        if one.copier is not None:
            asked.user_ids.add(one.copier)
    return asked

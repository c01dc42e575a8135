"""Short messages that people write to one person: prepared, counted, priced, sent; in a conversation or as the first word."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from channels.sms.content import LONGEST
from channels.sms.costs import estimate
from channels.sms.numbers import read_number
from contacts.directory import load_contacts
from domain.consent import ConsentState, Purpose
from domain.errors import InvalidInput, NotFound
from domain.messages import ChannelKind
from inbox.desk.answers import Sent
from inbox.texts.answers import (
    SmsAnswer,
    SmsPrepared,
    TextPost,
    Weighed,
    prepare_first_sms,
    prepare_sms_answer,
    send_sms_answer,
    tidy,
    weigh,
)
from inbox.texts.starting import Started, find_talk, start_sms
from web.access.people import Person
from web.context import WebContext
from web.i18n import N_
from web.queries.conversations import find_conversation
from web.work.conversations import agent_of, desk_of, see_conversation
from web.work.senders import Sender, list_senders, sender_of_queue

_LAST: Final = """
SELECT channel FROM messages WHERE conversation_id = $1 ORDER BY direction = 'in' DESC, id DESC LIMIT 1
"""
_CONSENT: Final = "SELECT state FROM consents WHERE contact_id = $1 AND purpose = $2"
_BEGUN_BY: Final = "SELECT channel FROM conversations WHERE id = $1"


@dataclass(frozen=True, slots=True)
class TextDesk:
    """What a short message to one person begins with. `sender`: the one that is proposed, empty when there is none."""

    prepared: SmsPrepared
    sender: str
    senders: tuple[Sender, ...]

    @property
    def is_possible(self) -> bool:
        """Whether there is a number to write to, and one to write from."""
        return bool(self.prepared.phones and self.senders)

    @property
    def takes_files(self) -> bool:
        """Whether pictures and files can go with it."""
        return any(one.takes_files for one in self.senders if one.value == self.sender)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a text takes on its way to one number; no amount when no price is known there."""

    weighed: Weighed
    amount: Decimal | None
    currency: str
    too_long: bool  #: for what providers take in one message


async def reply_channel(context: WebContext, conversation_id: int) -> ChannelKind:
    """What the other side used last, or what the conversation began by: a call is answered by a short message."""
    last = await context.pool.fetchval(_LAST, conversation_id)
    kind = ChannelKind(last or await context.pool.fetchval(_BEGUN_BY, conversation_id) or ChannelKind.MAIL)
    return ChannelKind.MAIL if kind is ChannelKind.MAIL else ChannelKind.SMS


async def prepare_text(context: WebContext, conversation_id: int, queue_id: int | None) -> TextDesk:
    """What an answer by SMS in a conversation begins with."""
    prepared = await prepare_sms_answer(context.pool, conversation_id)
    return await _with_senders(context, prepared, queue_id)


async def prepare_first_text(context: WebContext, contact_id: int) -> TextDesk:
    """What a first message to a contact begins with."""
    return await _with_senders(context, await prepare_first_sms(context.pool, contact_id), None)


async def _with_senders(context: WebContext, prepared: SmsPrepared, queue_id: int | None) -> TextDesk:
    senders = await list_senders(context)
    sender = prepared.sender or await sender_of_queue(context, queue_id)
    if sender and sender not in [one.value for one in senders]:
        senders.insert(0, Sender(sender))  # it was one of ours when it was written to
    return TextDesk(prepared, sender, tuple(senders))


def count_text(context: WebContext, text: str, to: str = "") -> Counted:
    """Count a text that is being written, and say what it costs on its way to this number."""
    text = tidy(text)
    weighed, prices, too_long = weigh(text), context.texts.prices, len(text) > LONGEST
    try:
        number = read_number(to, None, "to").e164
    except InvalidInput:
        return Counted(weighed, None, prices.currency, too_long)
    found = estimate(text, [number], prices)
    return Counted(weighed, found.amount if found.is_complete else None, prices.currency, too_long)


async def answer_by_text(context: WebContext, person: Person, conversation_id: int, given: SmsAnswer) -> Sent:
    """Send a short message in a conversation.

    Raises NotFound, InvalidInput, and inbox.desk.answers.NewsCameIn when there is a message that its author has not seen.
    """
    found = await see_conversation(context, person, conversation_id)
    desk = await prepare_text(context, conversation_id, found["queue_id"])
    _check_sender(desk, given.sender)
    if not given.sender and not desk.prepared.sender and desk.sender:
        given = replace(given, sender=desk.sender)
    return await send_sms_answer(
        desk_of(context, person),
        conversation_id,
        agent_of(person),
        given,
        _post(context),
    )


def _post(context: WebContext) -> TextPost:
    return TextPost(context.answer_files, context.blobs, context.settings.undo_seconds)


async def begin_by_text(context: WebContext, person: Person, contact_id: int, given: SmsAnswer) -> Started:
    """Write to a contact first; an open talk between the same numbers that this person may see goes on.

    Raises NotFound, InvalidInput.
    """
    if contact_id not in await load_contacts(context.pool, [contact_id]):
        raise NotFound(f"There is no contact {contact_id}.")
    desk = await prepare_first_text(context, contact_id)
    _check_sender(desk, given.sender)
    sender, to = given.sender or desk.sender, given.to.strip() or desk.prepared.to
    given = replace(given, to=to, sender=sender)
    room = desk_of(context, person)
    talk = await find_talk(room, contact_id, read_number(to, None, "to").e164, sender) if to else None
    if talk is not None and await find_conversation(context.pool, person, talk) is None:
        talk = None  # others see to that one
    return await start_sms(
        room,
        agent_of(person),
        contact_id,
        given,
        _post(context),
        default_queue=context.reading.queue,
        go_on=talk,
    )


def _check_sender(desk: TextDesk, sender: str) -> None:
    if sender and sender not in [one.value for one in desk.senders]:
        raise InvalidInput(
            "sender", N_("This is none of our numbers and names."), N_("Choose one from the list.")
        )


async def may_promote(context: WebContext, contact_id: int) -> bool:
    """Whether the contact agreed to news by SMS; anybody may be answered."""
    state: str | None = await context.pool.fetchval(_CONSENT, contact_id, Purpose.TEXTS.value)
    return state == ConsentState.GRANTED

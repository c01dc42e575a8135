"""What a mail becomes, decided from what it says and what the house knows. Pure: nothing is loaded or stored.

What one mail changes is written back to `Known`, so that the next mail of the batch sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from channels.mail.bounces import Kind
from channels.mail.joining import Way
from channels.mail.parsed import Mailbox
from domain.events import EventType, NewEvent
from inbox.mails.arrived import Arrived, address_of
from inbox.mails.consequences import read_effects, tell_effect
from inbox.mails.deeds import Deed, EffectKind, Numbers
from inbox.mails.known import Earlier, Known, Thread
from inbox.mails.placing import (
    campaign_message,
    choose_queue,
    earlier_messages,
    is_confidential,
    our_addresses,
    place,
    queue_beside,
    takes_part,
)
from inbox.mails.steps import CLOSED, OPEN, WAITING, begin, enter, make_contact, take_part, tell, wait_for_us

MOST_RECIPIENTS: Final = 20  #: people on whose timelines a mail that we sent elsewhere is told

_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
_REPORTS: Final = frozenset({Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERED})


@dataclass(frozen=True, slots=True)
class House:
    """What deciding takes beside the mail. `is_ours` knows the domains that are taken in as a whole; what came before
    `history_before` belongs to the past: nobody is asked to answer it."""

    is_ours: Callable[[str], bool]
    history_before: datetime = _LONG_AGO


def decide(arrived: Arrived, known: Known, numbers: Numbers, house: House) -> Deed:
    """What is to be done about one mail."""
    header_id = arrived.understood.mail.message_id
    if arrived.copier is not None and not _is_by_copier(arrived, known, house):
        arrived.copier = None
    copy = find_copy(arrived, known)
    if copy is not None:
        return Deed(arrived, copy.id, stored=False)
    deed = Deed(arrived, next(numbers.messages), automatic=arrived.understood.automatic)
    deed.history = arrived.at < house.history_before
    kind = arrived.understood.report.kind
    if kind in _REPORTS and not arrived.outgoing:
        deed.effects = read_effects(arrived, known)
    if arrived.outgoing:
        _note_outgoing(deed, known, numbers, house)
    elif any(one.proven for one in deed.effects):
        _report(deed, known, numbers)
    elif arrived.judgement:
        _filter(deed, known, numbers)
    elif kind in _REPORTS:
        _report(deed, known, numbers)
    elif kind is Kind.AUTO_REPLY:
        _note_auto_reply(deed, known, numbers)
    else:
        _receive(deed, known, numbers, house)
    message = Earlier(
        deed.message_id,
        deed.direction,
        deed.contact_id,
        None,
        deed.conversation_id,
        digest=arrived.understood.digest,
    )
    known.remember(header_id, message)
    return deed


def find_copy(arrived: Arrived, known: Known) -> Earlier | None:
    """The message that this mail is another copy of: the same Message-ID, author and words.

    What left the house by itself comes back by a folder of sent mail as it was changed on its way, so there our own
    Message-ID is enough. A letter of ours that comes in by a door was sent to one of our own addresses, and so was what
    a colleague sent to nobody outside: as sent mail it is in no conversation.
    """
    header_id = arrived.understood.mail.message_id
    if not header_id:
        return None
    for message in known.by_header.get(header_id, ()):
        among_us = message.direction == "out" and message.conversation_id is None
        if message.digest == arrived.understood.digest and (arrived.outgoing or not among_us):
            return message
        if arrived.outgoing and message.direction == "out":
            return message
    return campaign_message(arrived, known, header_id) if arrived.outgoing else None


def _receive(deed: Deed, known: Known, numbers: Numbers, house: House) -> None:
    """Ordinary mail: a conversation goes on, or begins."""
    arrived = deed.arrived
    sender = arrived.author
    contact = known.contacts.get(sender) if sender else None
    if contact is None and sender and deed.automatic is None and sender not in known.queue_addresses:
        contact = make_contact(deed, known, numbers, sender, arrived.understood.mail.sender)
    deed.contact_id = contact
    placement = place(arrived, known, sender, contact)
    deed.mailbox, queue_id = choose_queue(arrived, known)
    thread = placement.thread
    if placement.way is not Way.JOIN or thread is None:
        queue_id = queue_beside(placement, known, queue_id)
        thread = begin(deed, known, numbers, queue_id, state=CLOSED if deed.history else OPEN)
        deed.greets = placement.way is Way.NEW and deed.automatic is None and not deed.history
    if placement.way is Way.ASK and placement.thread is not None:
        deed.placement = (placement.thread.id, placement.reason)
    wait_for_us(thread, deed)
    thread.queue_id = thread.queue_id or queue_id
    mail = arrived.understood.mail
    if deed.automatic is None or thread.fresh:
        ours = our_addresses(arrived, known, house.is_ours)
        take_part(deed, known, thread, [sender] if sender else [], ours)
        take_part(deed, known, thread, (address_of(box.address) for box in (*mail.to, *mail.cc)), ours)
    tell(deed, known, EventType.RECEIVED, placement)
    answered = placement.answers
    if answered is not None and answered.campaign_id is not None and deed.automatic is None:
        deed.events.append(
            NewEvent(
                EventType.ANSWERED,
                arrived.at,
                contact_id=deed.contact_id,
                message_id=answered.id,
                campaign_id=answered.campaign_id,
                conversation_id=deed.conversation_id,
                data={"by": deed.message_id},
            )
        )


def _filter(deed: Deed, known: Known, numbers: Numbers) -> None:
    """Junk: a conversation that nobody works on, no contact, an event of another type."""
    deed.contact_id = known.contacts.get(deed.arrived.author)
    deed.mailbox, queue_id = choose_queue(deed.arrived, known)
    thread = begin(deed, known, numbers, queue_id, state=CLOSED)
    thread.junk = True
    if deed.arrived.author:
        take_part(deed, known, thread, [deed.arrived.author], set())
    tell(deed, known, EventType.FILTERED)


def _report(deed: Deed, known: Known, numbers: Numbers) -> None:
    """A bounce, a complaint or a report of delivery: told on the message that it is about."""
    deed.mailbox, queue_id = choose_queue(deed.arrived, known)
    deed.automatic = deed.automatic or deed.arrived.understood.report.kind.value
    proven = [one for one in deed.effects if one.proven]
    deed.contact_id = next((one.contact_id for one in proven if one.contact_id), None)
    thread = next(
        (known.threads[one.conversation_id] for one in proven if one.conversation_id in known.threads), None
    )
    if thread is not None:
        enter(deed, thread)
        if any(one.kind is EffectKind.BOUNCED for one in proven):
            wait_for_us(thread, deed)  # what we wrote did not arrive: somebody has to see to it
    elif not proven:
        # nobody knows which message of ours it is about; a complaint is for a person to look into
        complaint = deed.arrived.understood.report.kind is Kind.COMPLAINT
        thread = begin(deed, known, numbers, queue_id, state=OPEN if complaint else CLOSED)
    deed.events += [tell_effect(one, deed.arrived.at, deed.message_id) for one in deed.effects]


def _note_auto_reply(deed: Deed, known: Known, numbers: Numbers) -> None:
    """An out-of-office answer is an event, not a reply: the conversation's state stays as it is."""
    arrived = deed.arrived
    deed.contact_id = known.contacts.get(arrived.author)
    deed.mailbox, queue_id = choose_queue(arrived, known)
    deed.automatic = deed.automatic or "auto_reply"
    placement = place(arrived, known, arrived.author, deed.contact_id)
    if placement.way is Way.JOIN and placement.thread is not None:
        enter(deed, placement.thread)
    about = placement.answers or next(
        (message for message, token in earlier_messages(arrived, known) if token), None
    )
    if deed.contact_id is None and about is not None:
        deed.contact_id = about.contact_id
    queue_id = queue_beside(placement, known, queue_id)
    if deed.conversation_id is None and (deed.contact_id is None or is_confidential(known, queue_id)):
        begin(deed, known, numbers, queue_id, state=CLOSED)
    tell(deed, known, EventType.AUTO_REPLIED, placement)


def _note_outgoing(deed: Deed, known: Known, numbers: Numbers, house: House) -> None:
    """What one of us sent from elsewhere belongs on the timelines of those who got it."""
    arrived, mail = deed.arrived, deed.arrived.understood.mail
    deed.direction = "out"
    users = {address: number for number, address in known.users.items()}
    deed.author_id = arrived.copier if arrived.copier in known.users else users.get(arrived.author)
    deed.mailbox = arrived.author
    ours = our_addresses(arrived, known, house.is_ours) | {arrived.author}
    contacts = {
        address: known.contacts.get(address) or make_contact(deed, known, numbers, address, box)
        for address, box in _people_outside(arrived, ours).items()
    }
    deed.contact_id = next(iter(contacts.values()), None)
    thread = _thread_of_recipients(arrived, known, contacts)
    answered = None if thread is not None else _thread_of_answer(arrived, known, contacts)
    if answered is not None:  # who owes an answer now is settled already
        enter(deed, answered)
        take_part(deed, known, answered, contacts, ours)
    elif thread is None and contacts:
        written = (arrived.author, *(address_of(box.address) for box in (*mail.to, *mail.cc)))
        queue_id = next((known.queue_addresses[one] for one in written if one in known.queue_addresses), None)
        thread = begin(deed, known, numbers, queue_id, state=CLOSED if deed.history else WAITING)
        thread.assignee_id = deed.author_id
    if thread is not None:
        enter(deed, thread)
        if not thread.junk and not deed.history:
            thread.state, thread.waiting_since = WAITING, None
        take_part(deed, known, thread, contacts, ours)
    for contact in dict.fromkeys(contacts.values()):
        deed.events.append(
            NewEvent(
                EventType.SENT,
                arrived.at,
                contact_id=contact,
                message_id=deed.message_id,
                conversation_id=deed.conversation_id,
                case_id=deed.case_id,
                actor_id=deed.author_id,
                data={"via": "outside", "mailbox": deed.mailbox},
            )
        )


def _thread_of_answer(arrived: Arrived, known: Known, contacts: dict[str, int]) -> Thread | None:
    """The conversation that began with an answer to this mail, which was read first."""
    thread = known.threads.get(known.answers.get(arrived.understood.mail.message_id, 0))
    if thread is not None and any(takes_part(thread, *pair) for pair in contacts.items()):
        return thread
    return None


def _is_by_copier(arrived: Arrived, known: Known, house: House) -> bool:
    """Whether a mail to a personal Bcc address is told as sent by its user: one who works here, to somebody outside, and
    not in a name whose domain denies it. Any other is ordinary mail: the address may have got about."""
    ours = our_addresses(arrived, known, house.is_ours) | {arrived.author}
    if arrived.copier not in known.users or arrived.authentication.get("dmarc") == "fail":
        return False
    return bool(_people_outside(arrived, ours))


def _people_outside(arrived: Arrived, ours: set[str]) -> dict[str, Mailbox]:
    """Whom a mail of ours was sent to, by address."""
    mail = arrived.understood.mail
    people: dict[str, Mailbox] = {}
    for box in (*mail.to, *mail.cc, *mail.bcc):
        address = address_of(box.address)
        if address and address not in ours and len(people) < MOST_RECIPIENTS:
            people.setdefault(address, box)
    return people


def _thread_of_recipients(arrived: Arrived, known: Known, contacts: dict[str, int]) -> Thread | None:
    for message, _ in earlier_messages(arrived, known):
        thread = known.threads.get(message.conversation_id or 0)
        if thread is not None and any(takes_part(thread, *pair) for pair in contacts.items()):
            return thread
    return None

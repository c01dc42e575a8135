"""The steps that a mail takes into the house: its contact, its conversation, who takes part, what is told. Pure.

Each changes the deed, and `Known` with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from channels.mail.parsed import Mailbox
from domain.conversations import ConversationState
from domain.events import EventType, NewEvent
from inbox.mails.deeds import Deed, NewContact, Numbers
from inbox.mails.known import Known, Thread
from inbox.mails.placing import Placement

MOST_PARTIES: Final = 50  #: people who take part because a mail names them

OPEN, WAITING, CLOSED = (one.value for one in ConversationState)


def make_contact(deed: Deed, known: Known, numbers: Numbers, address: str, box: Mailbox | None) -> int:
    """Somebody whom we did not know, with the name of the header; a colleague by our own list of users."""
    number = next(numbers.contacts)
    name = " ".join(box.name.split()) if box is not None else ""
    relation = "employee" if address in known.ours else "other"
    given = box.address if box is not None else address
    deed.contacts.append(NewContact(number, name or address, address, given, relation))
    known.contacts[address] = number
    return number


def begin(deed: Deed, known: Known, numbers: Numbers, queue_id: int | None, *, state: str = OPEN) -> Thread:
    """A conversation of its own for the mail, which enters it."""
    arrived = deed.arrived
    thread = Thread(
        id=next(numbers.conversations),
        contact_id=deed.contact_id,
        case_id=None,
        queue_id=queue_id,
        state=state,
        subject=arrived.understood.mail.subject,
        assignee_id=None,
        junk=False,
        waiting_since=arrived.at if state == OPEN else None,
        last_message_at=arrived.at,
        created_at=arrived.at,
        fresh=True,
    )
    known.threads[thread.id] = thread
    enter(deed, thread)
    return thread


def enter(deed: Deed, thread: Thread) -> None:
    """The mail belongs to this conversation; who owes an answer stays as it is."""
    thread.changed = True
    thread.last_message_at = max(filter(None, (thread.last_message_at, deed.arrived.at)))
    deed.conversation_id, deed.case_id = thread.id, thread.case_id


def wait_for_us(thread: Thread, deed: Deed) -> None:
    """We owe an answer, since the oldest message that has none; to what came long ago nobody waits for one."""
    enter(deed, thread)
    if thread.contact_id is None:
        thread.contact_id = deed.contact_id
    if deed.history:
        return
    if thread.state != OPEN or thread.waiting_since is None:
        thread.waiting_since = deed.arrived.at
    thread.state = OPEN


def take_part(deed: Deed, known: Known, thread: Thread, addresses: Iterable[str], ours: set[str]) -> None:
    """Let these addresses take part, save our own."""
    for address in addresses:
        if (
            address
            and address not in ours
            and address not in thread.parties
            and len(thread.parties) < MOST_PARTIES
        ):
            thread.parties[address] = known.contacts.get(address)
            deed.parties.append((thread.id, address, known.contacts.get(address)))


def tell(deed: Deed, known: Known, kind: EventType, placement: Placement | None = None) -> None:
    """Tell the timeline and the rules of the mail."""
    answered = placement.answers if placement is not None else None
    deed.events.append(
        NewEvent(
            kind,
            deed.arrived.at,
            contact_id=deed.contact_id,
            message_id=deed.message_id,
            campaign_id=answered.campaign_id if answered is not None else None,
            conversation_id=deed.conversation_id,
            case_id=deed.case_id,
            data=describe(deed, known),
        )
    )


def describe(deed: Deed, known: Known) -> dict[str, Any]:
    """The facts of an inbound mail that rules may ask for (domain/fields.py); what is missing is left out."""
    arrived = deed.arrived
    thread = known.threads.get(deed.conversation_id or 0)
    queue = known.queues.get(thread.queue_id or 0) if thread is not None else None
    facts: dict[str, Any] = {
        "mailbox": deed.mailbox,
        "queue": queue.name if queue is not None else None,
        "automatic": deed.automatic,
        "back_on": arrived.understood.back_on.isoformat() if arrived.understood.back_on else None,
        "junk": arrived.judgement.reason,
        "virus": arrived.judgement.virus,
        "asked": deed.placement is not None or None,
        **{name: arrived.authentication.get(name) for name in ("spf", "dkim", "dmarc")},
    }
    told = {name: value for name, value in facts.items() if value}
    return told | {"attachments": len(arrived.understood.files)}

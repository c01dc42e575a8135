"""Where a mail belongs: which conversation, which queue, which address of ours it came to. Pure.

A token or a reference only suggests a conversation: whoever has seen a mail knows them. The sender must take part,
else the mail waits in a conversation of its own for a person to decide; a subject joins nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from channels.mail import joining
from channels.mail.joining import Candidate, Clue, Way
from inbox.mails.arrived import Arrived, address_of
from inbox.mails.known import Earlier, Known, Thread


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a mail goes. `thread` is the conversation that it joins or may belong to, `answers` the message of ours
    that it replies to, when its sender is who that was sent to; `reason` says why a person is asked."""

    way: Way
    thread: Thread | None = None
    answers: Earlier | None = None
    reason: str = ""


def campaign_message(arrived: Arrived, known: Known, header_id: str) -> Earlier | None:
    """The message of a campaign that has this Message-ID."""
    named = arrived.named.get(header_id)
    message = known.messages.get(named.message_id or 0) if named is not None else None
    if message is None or named is None or message.campaign_id != named.campaign_id:
        return None
    return message


def earlier_messages(arrived: Arrived, known: Known) -> Iterator[tuple[Earlier, bool]]:
    """The messages that a mail may answer, likeliest first; true when a token of ours names it."""
    for number in (*arrived.answered, *(one.message_id for one in arrived.bounced)):
        if number is not None and number in known.messages:
            yield known.messages[number], True
    for header_id in arrived.understood.ancestors:
        found = known.by_header.get(header_id)
        if found:
            yield from ((one, False) for one in found)
        elif message := campaign_message(arrived, known, header_id):
            yield message, False


def place(arrived: Arrived, known: Known, sender: str, contact_id: int | None) -> Placement:
    """Where the mail of this sender goes (channels/mail/joining.py decides)."""
    candidates: list[Candidate] = []
    answers: Earlier | None = None
    dmarc = arrived.authentication.get("dmarc", "none")
    for message, by_token in earlier_messages(arrived, known):
        if answers is None and dmarc != "fail" and _is_recipient(message, sender, contact_id):
            answers = message
        thread = known.threads.get(message.conversation_id or 0)
        if thread is not None and not thread.junk:
            clue = Clue.TOKEN if by_token else Clue.REFERENCE
            candidates.append(
                Candidate(thread.id, clue, frozenset(thread.parties), frozenset(_contacts(thread)))
            )
    placing = joining.place(candidates, sender, contact_id, dmarc)
    thread = known.threads.get(placing.conversation or 0)
    return Placement(placing.way, thread, answers, placing.reason)


def _contacts(thread: Thread) -> Iterator[int]:
    yield from (one for one in (thread.contact_id, *thread.parties.values()) if one is not None)


def takes_part(thread: Thread, sender: str, contact_id: int | None) -> bool:
    """Whether an address, or another address of the same contact, takes part in a conversation."""
    if sender and sender in thread.parties:
        return True
    return contact_id is not None and contact_id in _contacts(thread)


def _is_recipient(message: Earlier, sender: str, contact_id: int | None) -> bool:
    if message.direction != "out":
        return False
    if message.address is not None and message.address == sender:
        return True
    return contact_id is not None and message.contact_id == contact_id


def our_addresses(arrived: Arrived, known: Known, is_ours: Callable[[str], bool]) -> set[str]:
    """The addresses among a mail's parties that are not other people's."""
    mail = arrived.understood.mail
    named = {address_of(box.address) for box in (*mail.to, *mail.cc, *mail.bcc, *mail.reply_to)}
    envelope = set() if arrived.outgoing else {address_of(one) for one in arrived.recipients}
    return {
        one
        for one in named
        if one in known.queue_addresses or one in known.ours or one in envelope or is_ours(one)
    }


def choose_queue(arrived: Arrived, known: Known) -> tuple[str, int | None]:
    """The address of ours that a mail came to, and the queue for it: the first that has one, as To, Cc and the
    envelope name them; else the default queue."""
    mail = arrived.understood.mail
    envelope = [address_of(one) or one for one in arrived.recipients]
    named = [address_of(box.address) for box in (*mail.to, *mail.cc)]
    order: Sequence[str] = list(dict.fromkeys(one for one in (*named, *envelope) if one))
    for address in order:
        if address in known.queue_addresses:
            return address, known.queue_addresses[address]
    first = next((one for one in envelope if "+" not in one), None) or (envelope or [*named, ""])[0]
    return first, known.default_queue


def queue_beside(placement: Placement, known: Known, queue_id: int | None) -> int | None:
    """The queue for a mail that stays beside the conversation that it may belong to.

    What answers a confidential conversation, from an address that takes no part in it, is no less confidential; and a
    mail that was written to no queue is best decided about where that conversation is.
    """
    suggested = placement.thread.queue_id if placement.thread is not None else None
    if suggested is not None and (is_confidential(known, suggested) or queue_id == known.default_queue):
        return suggested
    return queue_id


def is_confidential(known: Known, queue_id: int | None) -> bool:
    """Whether only the people of a queue's team may read what comes to it."""
    queue = known.queues.get(queue_id or 0)
    return queue is not None and queue.confidential

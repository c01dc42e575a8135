"""The acknowledgement that a queue sends for the first mail of a conversation, when nothing speaks against it.

Whether a machine may be answered is channels/mail/automatic.py's decision (RFC 3834). The answer is written in the
transaction that stores the mail, so that there is one; one transaction at a time writes such answers, so that the
caps hold.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from channels.mail.answering import write_answer
from channels.mail.automatic import Caps, may_answer
from channels.mail.parsed import Mailbox
from domain.errors import InvalidInput
from inbox import reading_metrics
from inbox.mails.arrived import address_of
from inbox.mails.deeds import Deed
from inbox.mails.known import Known, Queue
from inbox.reading_settings import AutoAnswerSettings
from outbox.letters.writing import Letter, LetterKind, Stationery, write_letter
from storage.pool import Connection
from storage.unit_of_work import UnitOfWork

ADDRESSES: Final = "SELECT address FROM queue_addresses WHERE queue_id = $1"
#: Until the commit, so that readers beside each other keep to the caps together. Taken after all others.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('automatic answers', 7301))"
RECENT: Final = "SELECT answered_at FROM auto_answers WHERE address = $1 AND answered_at > $2"
THIS_HOUR: Final = "SELECT count(*) FROM auto_answers WHERE answered_at > $1"
KEEP: Final = """
INSERT INTO auto_answers (address, conversation_id, message_id, answered_at) VALUES ($1, $2, $3, $4)
"""
#: What write_letter sets by itself.
WRITTEN: Final = frozenset({"from", "to", "subject", "date", "message-id", "in-reply-to", "references"})


async def greet(
    work: UnitOfWork, deed: Deed, known: Known, stationery: Stationery, settings: AutoAnswerSettings
) -> bool:
    """Acknowledge a mail, if its queue does that and the mail may be answered; true when an answer was written."""
    thread = known.threads.get(deed.conversation_id or 0)
    queue = known.queues.get(thread.queue_id or 0) if thread is not None else None
    if queue is None or not queue.auto_answer or deed.automatic or deed.arrived.judgement:
        return False
    if "fail" in (deed.arrived.authentication.get("dmarc"), deed.arrived.authentication.get("spf")):
        return False  # the answer would go to somebody who never wrote
    if stationery.clock.now() - deed.arrived.at > timedelta(hours=settings.latest):
        return False  # a mailbox or a file was read for the first time
    connection = work.connection
    await connection.execute(LOCK)
    ours = {row["address"] for row in await connection.fetch(ADDRESSES, queue.id)}
    ours |= {deed.mailbox, queue.from_address or deed.mailbox}
    arrived, now = deed.arrived, stationery.clock.now()
    mail, envelope = arrived.understood.mail, arrived.envelope_sender
    recipient = address_of(envelope or arrived.author)
    period = timedelta(hours=settings.hours)
    recent = [row["answered_at"] for row in await connection.fetch(RECENT, recipient, now - period)]
    refusal = may_answer(
        mail,
        envelope,
        ours,
        recent,
        now,
        Caps(settings.per_correspondent, period, settings.per_hour),
        answers_this_hour=await connection.fetchval(THIS_HOUR, now - timedelta(hours=1)),
    )
    if refusal is not None or not recipient:
        return False
    return await _answer(connection, deed, queue, recipient, stationery)


async def _answer(
    connection: Connection, deed: Deed, queue: Queue, recipient: str, stationery: Stationery
) -> bool:
    assert queue.auto_answer is not None
    mail, now = deed.arrived.understood.mail, stationery.clock.now()
    author = Mailbox(queue.from_name or queue.name, queue.from_address or deed.mailbox)
    written = write_answer(
        mail,
        deed.arrived.envelope_sender,
        sender=author.address,
        message_id="",
        now=now,
        our_domains=[author.address.rpartition("@")[2]],
    )
    headers = dict(written.headers)
    text = queue.auto_answer + (f"\n\n-- \n{queue.signature}" if queue.signature else "")
    letter = Letter(
        LetterKind.AUTO_ANSWER,
        author,
        (Mailbox("", recipient),),
        headers["Subject"],
        text,
        in_reply_to=mail.message_id if "In-Reply-To" in headers else "",
        references=tuple(one.strip("<>") for one in headers.get("References", "").split()),
        headers=tuple((name, value) for name, value in written.headers if name.lower() not in WRITTEN),
        contact_id=deed.contact_id,
        conversation_id=deed.conversation_id,
        new_text=queue.auto_answer,
    )
    try:
        number = await write_letter(connection, letter, stationery)
    except InvalidInput:
        return False  # an address that cannot be written to, or a queue without one
    await connection.execute(KEEP, recipient, deed.conversation_id, number, now)
    reading_metrics.ANSWERED.inc()
    return True

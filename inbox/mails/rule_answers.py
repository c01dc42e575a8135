"""An automatic answer that a rule asks for, to a mail that was read before: the same rules as for a queue's own (RFC 3834).

Whether a machine may be answered is channels/mail/automatic.py's decision, asked of the facts that are kept of the mail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from channels.mail.answering import write_answer
from channels.mail.automatic import AUTOMATIC, Caps, may_answer
from channels.mail.parsed import Mailbox, ParsedMail
from domain.errors import InvalidInput
from inbox.mails.arrived import address_of
from inbox.mails.auto_answers import ADDRESSES, KEEP, LOCK, RECENT, THIS_HOUR, WRITTEN
from inbox.reading_settings import AutoAnswerSettings
from outbox.letters.writing import Letter, LetterKind, Stationery, write_letter
from storage.pool import Connection

_FACTS: Final = """
SELECT m.id, m.contact_id, m.conversation_id, m.case_id, m.created_at, x.subject, f.header_id, f.reference_ids,
       f.mailbox, f.automatic, f.junk, f.authentication, f.headers, r.sender AS envelope,
       q.id AS queue_id, q.name AS queue, q.from_name, q.from_address, q.signature
FROM messages m
  JOIN message_contents x ON x.message_id = m.id JOIN mail_facts f ON f.message_id = m.id
  LEFT JOIN raw_mails r ON r.id = f.raw_id
  LEFT JOIN conversations v ON v.id = m.conversation_id LEFT JOIN queues q ON q.id = v.queue_id
WHERE m.id = $1 AND m.direction = 'in' AND m.channel = 'mail'
"""
_PARTIES: Final = "SELECT part, name, address FROM message_parties WHERE message_id = $1 ORDER BY part, no"


async def answer_mail(
    connection: Connection, message_id: int, text: str, stationery: Stationery, settings: AutoAnswerSettings
) -> str | None:
    """Answer a mail by machine, in the caller's transaction; gives why that may not be, None when it was done.

    Raises InvalidInput for a queue without an address.
    """
    row = await connection.fetchrow(_FACTS, message_id)
    if row is None:
        return "the event has no mail of theirs"
    refusal = _refuse(row, stationery, settings)
    if refusal is not None:
        return refusal
    mail = _rebuild(row, await connection.fetch(_PARTIES, message_id))
    await connection.execute(LOCK)
    ours = {one["address"] for one in await connection.fetch(ADDRESSES, row["queue_id"] or 0)}
    ours |= {row["mailbox"], row["from_address"] or row["mailbox"]} - {""}
    now = stationery.clock.now()
    period = timedelta(hours=settings.hours)
    recipient = address_of(row["envelope"] or (mail.sender.address if mail.sender else ""))
    recent = [one["answered_at"] for one in await connection.fetch(RECENT, recipient, now - period)]
    refused = may_answer(
        mail,
        row["envelope"],
        ours,
        recent,
        now,
        Caps(settings.per_correspondent, period, settings.per_hour),
        answers_this_hour=await connection.fetchval(THIS_HOUR, now - timedelta(hours=1)),
    )
    if refused is not None:
        return refused.gloss
    if not recipient:
        return "its sender has no address that can be written to"
    number = await _write(connection, row, mail, recipient, text, stationery)
    await connection.execute(KEEP, recipient, row["conversation_id"], number, now)
    return None


def _refuse(row: Any, stationery: Stationery, settings: AutoAnswerSettings) -> str | None:
    """What was found when the mail was read, and speaks against an answer."""
    if row["automatic"]:
        return AUTOMATIC.get(row["automatic"], "A machine wrote it.")
    if row["junk"]:
        return "It counts as junk."
    if "fail" in (row["authentication"].get("dmarc"), row["authentication"].get("spf")):
        return "Its sender is forged, as far as its domain says."
    if stationery.clock.now() - row["created_at"] > timedelta(hours=settings.latest):
        return "It came too long ago."
    return None


def _rebuild(row: Any, parties: Any) -> ParsedMail:
    """What is kept of the mail, as far as deciding and answering look at it."""
    by_part: dict[str, list[Mailbox]] = {}
    for party in parties:
        by_part.setdefault(party["part"], []).append(Mailbox(party["name"], party["address"]))
    return ParsedMail(
        headers=tuple((row["headers"] or {}).items()),
        message_id=row["header_id"],
        references=tuple(reversed(row["reference_ids"])),
        sender=next(iter(by_part.get("from", [])), None),
        to=tuple(by_part.get("to", [])),
        cc=tuple(by_part.get("cc", [])),
        subject=row["subject"],
    )


async def _write(
    connection: Connection, row: Any, mail: ParsedMail, recipient: str, text: str, stationery: Stationery
) -> int:
    address = row["from_address"] or row["mailbox"]
    if not address:
        raise InvalidInput("queue", "it has no address to send from.", "Give it one on the page of queues.")
    author = Mailbox(row["from_name"] or row["queue"] or "", address)
    written = write_answer(
        mail,
        row["envelope"],
        sender=author.address,
        message_id="",
        now=stationery.clock.now(),
        our_domains=[author.address.rpartition("@")[2]],
    )
    headers = dict(written.headers)
    letter = Letter(
        LetterKind.AUTO_ANSWER,
        author,
        (Mailbox("", recipient),),
        headers["Subject"],
        text + (f"\n\n-- \n{row['signature']}" if row["signature"] else ""),
        in_reply_to=mail.message_id if "In-Reply-To" in headers else "",
        references=tuple(one.strip("<>") for one in headers.get("References", "").split()),
        headers=tuple((name, value) for name, value in written.headers if name.lower() not in WRITTEN),
        contact_id=row["contact_id"],
        conversation_id=row["conversation_id"],
        case_id=row["case_id"],
        new_text=text,
    )
    return await write_letter(connection, letter, stationery)

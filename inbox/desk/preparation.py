"""What an answer begins with: to whom, about what, what is quoted and signed below it. And addresses as people write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import getaddresses
from typing import Any, Final

from channels.mail.parsed import Mailbox
from channels.mail.subjects import reply_subject
from contacts.addresses import read_mail_address
from domain.errors import InvalidInput, NotFound
from inbox.desk.quoting import attribution, quote, sign
from storage.pool import Connection, Pool

MOST_RECIPIENTS: Final = 50
_QUEUE: Final = """
SELECT q.id, q.name, q.from_name, q.from_address, q.signature, q.language FROM conversations v
LEFT JOIN queues q ON q.id = v.queue_id WHERE v.id = $1
"""
#: the message that an answer answers: the newest of theirs that a person wrote, else the newest of all
_ANSWERED: Final = """
SELECT m.id, m.direction, m.created_at, x.subject, x.body, x.written_at, f.header_id, f.reference_ids, f.mailbox,
       f.forwarded
FROM messages m JOIN message_contents x ON x.message_id = m.id LEFT JOIN mail_facts f ON f.message_id = m.id
WHERE m.conversation_id = $1 AND ($2::bigint IS NULL OR m.id = $2)
  AND NOT EXISTS (SELECT FROM deliveries d WHERE d.message_id = m.id AND d.state = 'cancelled')
ORDER BY m.direction = 'in' AND f.automatic IS NULL DESC, m.direction = 'in' DESC, m.id DESC LIMIT 1
"""
_PARTIES: Final = "SELECT part, name, address FROM message_parties WHERE message_id = $1 ORDER BY part, no"
_TAKES_PART: Final = (
    "SELECT address FROM conversation_parties WHERE conversation_id = $1 ORDER BY since, address"
)
_OURS: Final = """
SELECT address FROM queue_addresses UNION SELECT lower(from_address) FROM queues WHERE from_address IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Agent:
    """Who answers. `zone`: the time zone that quoted times are written in."""

    id: int
    name: str
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer before anything was written: to whom, about what, what will stand below it."""

    message_id: int | None  #: the message that is answered; None in a conversation without any
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    subject: str
    signature: str
    quotation: str
    from_: Mailbox | None  #: None: the queue has no address to send from yet
    in_reply_to: str
    references: tuple[str, ...]


async def prepare_answer(
    connection: Connection | Pool,
    conversation_id: int,
    agent: Agent,
    *,
    message_id: int | None = None,
    reply_local: str = "reply",
) -> Prepared:
    """What an answer begins with. `message_id`: the one to answer, else the newest of theirs.

    Raises NotFound when there is no such conversation, or no such message in it.
    """
    queue = await connection.fetchrow(_QUEUE, conversation_id)
    if queue is None:
        raise NotFound(f"There is no conversation {conversation_id}.")
    row = await connection.fetchrow(_ANSWERED, conversation_id, message_id)
    if row is None and message_id is not None:
        raise NotFound(f"There is no message {message_id} in conversation {conversation_id}.")
    parties = await connection.fetch(_PARTIES, row["id"]) if row else []
    taking_part = [one[0] for one in await connection.fetch(_TAKES_PART, conversation_id)]
    ours = {one[0] for one in await connection.fetch(_OURS)}
    if row and row["direction"] == "in":
        ours.add((row["mailbox"] or "").lower())
    to, cc = choose_recipients(row, parties, taking_part, lambda one: _is_ours(one, ours, reply_local))
    named = next((one for one in parties if one["part"] == "from"), None)
    author = (named["name"] or named["address"]) if named else ""
    header_id = row["header_id"] if row else ""
    quotation = ""
    if row and (row["body"] or "").strip():
        at = row["written_at"] or row["created_at"]
        language = queue["language"] or "en"
        quotation = attribution(author, at, language, agent.zone) + "\n" + quote(row["body"])
    subject = row["subject"] if row else await _subject(connection, conversation_id)
    return Prepared(
        message_id=row["id"] if row else None,
        to=to,
        cc=cc,
        subject=reply_subject(subject) if row else subject,
        signature=sign(queue["signature"] or "", agent.name),
        quotation=quotation,
        from_=Mailbox(queue["from_name"] or agent.name, queue["from_address"])
        if queue["from_address"]
        else None,
        in_reply_to=header_id or "",
        references=(*reversed(row["reference_ids"] or ()), *([header_id] if header_id else ()))
        if row
        else (),
    )


async def _subject(connection: Connection | Pool, conversation_id: int) -> str:
    subject: str = await connection.fetchval(
        "SELECT subject FROM conversations WHERE id = $1", conversation_id
    )
    return subject


def _is_ours(address: str, ours: set[str], reply_local: str) -> bool:
    return address.lower() in ours or address.lower().startswith(f"{reply_local.lower()}+")


def choose_recipients(
    row: Any, parties: Sequence[Any], taking_part: Sequence[str], is_ours: Callable[[str], bool]
) -> tuple[tuple[Mailbox, ...], tuple[Mailbox, ...]]:
    """To and Cc of an answer.

    To: where the mail wants its answer (Reply-To), else who wrote it; of a mail of ours, whom it was for; of a
    forwarded mail whose author takes part, that author. Cc: everybody else it was for, and who else takes part.
    """
    by_part: dict[str, list[Mailbox]] = {}
    for party in parties:
        by_part.setdefault(party["part"], []).append(Mailbox(party["name"], party["address"]))
    inbound = row is not None and row["direction"] == "in"
    to = (by_part.get("reply_to") or by_part.get("from", [])) if inbound else by_part.get("to", [])
    original = (row["forwarded"] or {}) if row else {}
    if inbound and original.get("address") in taking_part:
        to = [Mailbox(original.get("name") or "", original["address"])]
    to = [one for one in to if not is_ours(one.address)]
    if row is None:
        to = [Mailbox("", address) for address in taking_part if not is_ours(address)]
    known = {one.address.lower() for one in (*to, *by_part.get("from", []))}
    others = [*(by_part.get("to", []) if inbound else []), *by_part.get("cc", [])]
    others += [Mailbox("", address) for address in taking_part]
    cc = []
    for one in others:
        if one.address.lower() not in known and not is_ours(one.address):
            known.add(one.address.lower())
            cc.append(one)
    return tuple(to), tuple(cc)


def read_mailboxes(text: str, field: str) -> tuple[Mailbox, ...]:
    """Addresses as people write them, with commas or semicolons between. Raises InvalidInput naming the wrong one."""
    found = []
    for piece in _pieces(text):
        ((name, address),) = getaddresses([piece])[:1] or [("", piece)]
        if not address:
            raise InvalidInput(
                field, f"“{piece[:80]}” is no mail address.", "Write it like name@example.org."
            )
        try:
            known = read_mail_address(address, field)
        except InvalidInput as error:
            raise InvalidInput(
                field, f"“{piece[:80]}” is no mail address.", "Write it like name@example.org."
            ) from error
        found.append(Mailbox(" ".join(name.split()), known))
    if len(found) > MOST_RECIPIENTS:
        raise InvalidInput(
            field, f"more than {MOST_RECIPIENTS} addresses.", "Write a campaign for that many."
        )
    return tuple(found)


def _pieces(text: str) -> list[str]:
    """The text cut at commas, semicolons and line ends that stand outside of quotes and brackets."""
    pieces, piece, quoted, inside = [], "", False, False
    for char in text[:20_000]:
        if char == '"':
            quoted = not quoted
        elif char in "<>" and not quoted:
            inside = char == "<"
        if char in ",;\n" and not quoted and not inside:
            pieces.append(piece)
            piece = ""
        else:
            piece += char
    return [one.strip() for one in (*pieces, piece) if one.strip()]

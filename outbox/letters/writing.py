"""Writing a letter into the outbox, in the caller's transaction, and calling it back.

Every recipient has a message and a delivery of their own, so that each settles, bounces and is suppressed by itself.
The first one's message is the letter: it has the content, the parties and the files. The others' messages are copies:
they share its conversation and its bytes, and have no row in message_contents, by which whoever lists what was
written leaves them out. All carry the same Message-ID header.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from channels.mail.parsed import Mailbox
from contacts.addresses import read_mail_address
from domain.clock import Clock
from domain.errors import InvalidInput
from domain.tokens import TokenKeys, TokenUse
from outbox.addresses import LETTERS, bounce_address, reply_address
from outbox.letters.letter import Letter, LetterFile, LetterKind
from outbox.letters.mail import build_mail, media_type
from outbox.settings import OutboxSettings
from storage.blobs import BlobStore
from storage.pool import Connection
from templates.encoding import flat

__all__ = ["Letter", "LetterFile", "LetterKind", "Stationery", "cancel_letter", "write_letter"]

#: A letter up to this size lies in its row, a larger one in a file.
_IN_ROW: Final = 65_536
#: Recipients of one letter; more is a campaign.
_RECIPIENTS: Final = 100

_OWNERS: Final = """
SELECT i.address, i.id AS identity_id, coalesce(a.contact_id, i.contact_id) AS contact_id
FROM identities AS i LEFT JOIN contact_aliases AS a ON a.old_id = i.contact_id
WHERE i.kind = 'mail' AND i.address = ANY($1::text[])
"""

_MESSAGES: Final = """
INSERT INTO messages (direction, channel, contact_id, identity_id, conversation_id, case_id, tracking_level)
SELECT 'out', 'mail', contact_id, identity_id, $3, $4, 'none'
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS r(contact_id, identity_id, place) ORDER BY place
RETURNING id
"""

_CONTENT: Final = """
WITH said AS (
    INSERT INTO message_contents (message_id, subject, body, new_text, html, written_at, author_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
), parties AS (
    INSERT INTO message_parties (message_id, part, no, name, address)
    SELECT $1, part, no, name, address
    FROM unnest($8::text[], $9::smallint[], $10::text[], $11::text[]) AS p(part, no, name, address)
)
INSERT INTO mail_facts (message_id, header_id, reference_ids) VALUES ($1, $12, $13)
"""

_FILES: Final = """
INSERT INTO attachments (message_id, no, name, media_type, size, blob, content_id, inline)
SELECT $1, no, name, media_type, size, blob, content_id, content_id <> ''
FROM unnest($2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
  AS f(no, name, media_type, size, blob, content_id)
"""

#: $1 message ids, the letter's own first. Everybody's content is that of the first.
_OUTBOX: Final = """
WITH written AS (
    INSERT INTO letters (message_id, copy_of, kind, sender, content, blob, utf8, created_by)
    SELECT id, nullif($2::bigint, id), $3, sender, CASE WHEN id = $2 THEN $6::bytea END,
           CASE WHEN id = $2 THEN $7::text END, $8, $9
    FROM unnest($1::bigint[], $5::text[]) AS r(id, sender)
), queued AS (
    INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, not_before)
    SELECT id, $10, contact_id, 'mail', address, $11::timestamptz
    FROM unnest($1::bigint[], $4::text[], $12::bigint[]) AS r(id, address, contact_id)
)
INSERT INTO delivery_ranges (low, high, campaign_id, ready_at)
SELECT id, id, $10, coalesce($11, now()) FROM unnest($1::bigint[]) AS id
"""

#: Locks the deliveries of a letter, its copies' too, in the order of ids, as the sender does.
_LOCK: Final = """
SELECT d.message_id, d.state FROM deliveries AS d
WHERE d.message_id IN (SELECT message_id FROM letters WHERE message_id = $1 OR copy_of = $1)
ORDER BY d.message_id FOR NO KEY UPDATE
"""
_CANCEL: Final = """
UPDATE deliveries
SET state = 'cancelled', reason = 'cancelled', worker = NULL, lease_until = NULL, not_before = NULL, settled_at = now()
WHERE message_id = ANY($1::bigint[])
"""
_WAITING: Final = frozenset({"queued", "claimed", "deferred"})


@dataclass(frozen=True, slots=True)
class Stationery:
    """What writing letters takes beside the letter."""

    clock: Clock
    tokens: TokenKeys
    settings: OutboxSettings
    blobs: BlobStore


@dataclass(frozen=True, slots=True)
class _Recipient:
    address: str
    contact_id: int | None
    identity_id: int | None


async def write_letter(connection: Connection, letter: Letter, stationery: Stationery) -> int:
    """Write a letter into the outbox; gives its message id. It goes out when the caller's transaction is committed.

    Raises InvalidInput naming the field that is not right (`to[0]`, `attachments`, `subject`...).
    """
    letter = _checked(letter)
    settings = stationery.settings
    recipients = await _recipients(connection, letter)
    rows = await connection.fetch(
        _MESSAGES,
        [one.contact_id for one in recipients],
        [one.identity_id for one in recipients],
        letter.conversation_id,
        letter.case_id,
    )
    ids: list[int] = sorted(row["id"] for row in rows)
    letter = _with_farewell(letter, ids[0], stationery)
    domain = letter.from_.address.rpartition("@")[2]
    header_id = f"m{ids[0]}.{secrets.token_hex(6)}@{settings.message_id_domain or domain}"
    reply_to = letter.reply_to or _reply_to(letter, ids[0], stationery)
    mail = await asyncio.to_thread(build_mail, letter, header_id, reply_to, stationery.clock.now())
    if len(mail) > settings.letter_limit:
        raise InvalidInput(
            "attachments",
            f"the letter has {len(mail)} bytes, more than {settings.letter_limit}.",
            "Leave some files out, or send links to them.",
        )
    await _write_content(connection, ids[0], letter, header_id, reply_to, stationery.clock.now())
    await write_files(connection, ids[0], letter.attachments, stationery.blobs)
    in_row = len(mail) <= _IN_ROW
    blob = None if in_row else await asyncio.to_thread(stationery.blobs.put, mail)
    await connection.execute(
        _OUTBOX,
        ids,
        ids[0],
        letter.kind.value,
        [one.address for one in recipients],
        [_sender(letter, message_id, domain, stationery) for message_id in ids],
        mail if in_row else None,
        blob,
        not mail.isascii(),
        letter.author_id,
        LETTERS,
        letter.not_before,
        [one.contact_id for one in recipients],
    )
    return ids[0]


def _with_farewell(letter: Letter, message_id: int, stationery: Stationery) -> Letter:
    """The letter with its link to unsubscribe, which is known when its message is."""
    if letter.farewell is None:
        return letter
    token = stationery.tokens.sign(TokenUse.UNSUBSCRIBE, LETTERS, message_id)
    url = f"{letter.farewell.base_url}/u/{token}"
    headers = (("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return replace(
        letter,
        text=f"{letter.text}\n\n{letter.farewell.words} {url}\n",
        headers=(*letter.headers, *headers),
    )


async def cancel_letter(connection: Connection, message_id: int) -> bool:
    """Call a letter back, for all its recipients or for none: true when nobody can have got it, and nobody will."""
    rows = await connection.fetch(_LOCK, message_id)
    if not rows or not all(row["state"] in _WAITING for row in rows):
        return False
    await connection.execute(_CANCEL, [row["message_id"] for row in rows])
    return True


def _checked(letter: Letter) -> Letter:
    """The letter with its addresses as they will be written. Raises InvalidInput."""
    if not (letter.to or letter.cc or letter.bcc):
        raise InvalidInput("to", "nobody is named.", "Give at least one address.")
    if len(letter.to) + len(letter.cc) + len(letter.bcc) > _RECIPIENTS:
        raise InvalidInput(
            "to", f"a letter goes to {_RECIPIENTS} addresses at most.", "Use a campaign for more."
        )

    def several(people: Sequence[Mailbox], field: str) -> tuple[Mailbox, ...]:
        return tuple(_read(one, f"{field}[{n}]") for n, one in enumerate(people))

    return replace(
        letter,
        from_=_read(letter.from_, "from"),
        to=several(letter.to, "to"),
        cc=several(letter.cc, "cc"),
        bcc=several(letter.bcc, "bcc"),
        reply_to=several(letter.reply_to, "reply_to"),
        subject=_storable(flat(letter.subject)),
        text=_storable(letter.text),
        html=_storable(letter.html),
        new_text=_storable(letter.new_text or letter.text),
    )


def _read(person: Mailbox, field: str) -> Mailbox:
    known = read_mail_address(person.address.strip(), field)
    local = person.address.strip().rpartition("@")[0]
    address = f"{local}@{known.rpartition('@')[2]}" if local.lower() == known.rpartition("@")[0] else known
    return Mailbox(_storable(flat(person.name)), address)


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


async def _recipients(connection: Connection, letter: Letter) -> list[_Recipient]:
    """Everybody once, by address, with the contact it belongs to; first the address of the letter's own contact."""
    addresses = list(
        dict.fromkeys(read_mail_address(one.address) for one in (*letter.to, *letter.cc, *letter.bcc))
    )
    owners = {row["address"]: row for row in await connection.fetch(_OWNERS, addresses)}
    found = [
        _Recipient(address, owner["contact_id"], owner["identity_id"])
        if (owner := owners.get(address))
        else _Recipient(address, None, None)
        for address in addresses
    ]
    if letter.contact_id is not None:
        found.sort(key=lambda one: one.contact_id != letter.contact_id)
        if found[0].contact_id != letter.contact_id:
            found[0] = replace(found[0], contact_id=letter.contact_id)
    return found


def _reply_to(letter: Letter, message_id: int, stationery: Stationery) -> tuple[Mailbox, ...]:
    if letter.conversation_id is None:
        return ()
    address = reply_address(stationery.tokens, stationery.settings, message_id)
    return (Mailbox(letter.from_.name, address),) if address else ()


def _sender(letter: Letter, message_id: int, domain: str, stationery: Stationery) -> str:
    if letter.sender is not None:
        return letter.sender
    if letter.kind is LetterKind.AUTO_ANSWER:
        return ""
    return bounce_address(stationery.tokens, stationery.settings, message_id, domain)


async def _write_content(
    connection: Connection,
    message_id: int,
    letter: Letter,
    header_id: str,
    reply_to: Sequence[Mailbox],
    now: datetime,
) -> None:
    parties = [
        (part, number, person)
        for part, people in (
            ("from", (letter.from_,)),
            ("to", letter.to),
            ("cc", letter.cc),
            ("bcc", letter.bcc),
            ("reply_to", reply_to),
        )
        for number, person in enumerate(people)
    ]
    nearest = dict.fromkeys([letter.in_reply_to, *reversed(letter.references)])
    await connection.execute(
        _CONTENT,
        message_id,
        letter.subject,
        letter.text,
        letter.new_text,
        letter.html or None,
        now,
        letter.author_id,
        [part for part, _, _ in parties],
        [number for _, number, _ in parties],
        [person.name for _, _, person in parties],
        [person.address for _, _, person in parties],
        header_id,
        [one for one in nearest if one],
    )


async def write_files(
    connection: Connection, message_id: int, files: Sequence[LetterFile], blobs: BlobStore
) -> None:
    """Keep the files of a message that goes out, numbered from 1."""
    if files:
        stored = [await asyncio.to_thread(blobs.put, file.content) for file in files]
        await connection.execute(
            _FILES,
            message_id,
            list(range(1, len(files) + 1)),
            [_storable(flat(file.name)) or "file" for file in files],
            [media_type(file) for file in files],
            [len(file.content) for file in files],
            stored,
            [file.content_id for file in files],
        )

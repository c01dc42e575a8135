"""Writing a short message into the outbox, in the caller's transaction: a letter of channel `sms` to one number.

It travels as letters do (outbox/letters/writing.py), and is called back by `outbox.letters.writing.cancel_letter`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from channels.http.sending import Unfit
from channels.sms.content import read_text
from channels.sms.lookalikes import replace_lookalikes
from channels.sms.numbers import read_number
from channels.sms.segments import count
from domain.clock import Clock
from domain.errors import InvalidInput
from domain.messages import Outbound
from outbox.addresses import LETTERS
from outbox.letters.letter import LetterFile, LetterKind
from outbox.letters.writing import write_files
from outbox.texts.files import FILES
from storage.blobs import BlobStore
from storage.pool import Connection

_OWNER: Final = """
SELECT i.id AS identity_id, coalesce(a.contact_id, i.contact_id) AS contact_id
FROM identities AS i LEFT JOIN contact_aliases AS a ON a.old_id = i.contact_id
WHERE i.kind = 'phone' AND i.address = $1
ORDER BY coalesce(a.contact_id, i.contact_id) IS DISTINCT FROM $2::bigint, i.id LIMIT 1
"""
_MESSAGE: Final = """
INSERT INTO messages (direction, channel, contact_id, identity_id, conversation_id, case_id, tracking_level)
VALUES ('out', 'sms', $1, $2, $3, $4, 'none') RETURNING id
"""
#: $1 message, $2 text, $3 when, $4 author, $5 from, $6 to, $7 kind, $8 the text's bytes, $9 options, $10 not before,
#: $11 contact, $12 alphabet, $13 parts, $14 campaign id of letters.
_WRITE: Final = """
WITH said AS (
    INSERT INTO message_contents (message_id, subject, body, new_text, written_at, author_id)
    VALUES ($1, '', $2, $2, $3, $4)
), parties AS (
    INSERT INTO message_parties (message_id, part, no, name, address)
    VALUES ($1, 'from', 0, '', $5::text), ($1, 'to', 0, '', $6::text)
), written AS (
    INSERT INTO letters (message_id, kind, sender, content, utf8, options, created_by)
    VALUES ($1, $7, $5::text, $8, true, $9, $4)
), facts AS (
    INSERT INTO sms_facts (message_id, ours, theirs, encoding, segments) VALUES ($1, $5::text, $6::text, $12, $13)
), queued AS (
    INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, not_before)
    VALUES ($1, $14, $11, 'sms', $6::text, $10::timestamptz)
)
INSERT INTO delivery_ranges (low, high, campaign_id, channel, ready_at)
VALUES ($1, $1, $14, 'sms', coalesce($10, now()))
"""
#: Bytes of all files of a message together (www.twilio.com/docs/messaging/guides/accepted-mime-types).
LARGEST_FILES: Final = 5_000_000
MOST_FILES: Final = 10
#: Which part of the form a word of ours is about.
_FIELDS: Final = {
    "number_invalid": "to",
    "sender_refused": "sender",
    "media_unreadable": "media",
    "unsupported": "validity",
}


@dataclass(frozen=True, slots=True)
class SmsLetter:
    """A short message to one person.

    `sender`: our number, short code, name, or messaging service (MG…); `service` with a number of it as sender. `to` as
    people write it; `country` (ISO code) is where it is written without the country's code. `media`: addresses of
    pictures and files that the provider fetches; `files` are ours, which it fetches from us (outbox/texts/files.py). `lookalikes`: put signs of the small alphabet in the place of those
    that look the same. `validity`: seconds that it may wait at the provider. `not_before`, in machine time, leaves time
    to call it back.
    """

    kind: LetterKind
    sender: str
    to: str
    text: str
    media: tuple[str, ...] = ()
    files: tuple[LetterFile, ...] = ()
    service: str = ""
    validity: int | None = None
    lookalikes: bool = False
    country: str | None = None
    contact_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None
    author_id: int | None = None
    not_before: datetime | None = None


async def write_sms(
    connection: Connection, letter: SmsLetter, clock: Clock, blobs: BlobStore | None = None
) -> int:
    """Write a short message into the outbox; gives its message id. It goes out when the caller's transaction is
    committed. `blobs` is where its files are kept, if it has some. Raises InvalidInput naming the field (`to`, `text`,
    `sender`, `media`, `files`, `validity`)."""
    letter = _checked(letter)
    options = _options(letter)
    segments = count(letter.text)
    owner = await connection.fetchrow(_OWNER, letter.to, letter.contact_id)
    contact_id = letter.contact_id or (owner["contact_id"] if owner else None)
    message_id: int = await connection.fetchval(
        _MESSAGE,
        contact_id,
        owner["identity_id"] if owner and owner["contact_id"] == contact_id else None,
        letter.conversation_id,
        letter.case_id,
    )
    await connection.execute(
        _WRITE,
        message_id,
        letter.text,
        clock.now(),
        letter.author_id,
        letter.sender,
        letter.to,
        letter.kind.value,
        letter.text.encode(),
        options,
        letter.not_before,
        contact_id,
        segments.encoding.value,
        segments.segments,
        LETTERS,
    )
    if letter.files:
        assert blobs is not None  # whoever takes files has a place for them
        await write_files(connection, message_id, letter.files, blobs)
    return message_id


def _checked(letter: SmsLetter) -> SmsLetter:
    """The message as it will be sent, with its number in E.164. Raises InvalidInput."""
    text = letter.text.replace("\r\n", "\n").replace("\0", "").encode("utf-8", "replace").decode()
    if letter.lookalikes:
        text = replace_lookalikes(text).text
    number = read_number(letter.to, letter.country, "to")
    if not number.takes_texts:
        raise InvalidInput("to", "this number takes no short messages.", "Give a mobile number.")
    checked = replace(letter, to=number.e164, text=text, sender=letter.sender.strip())
    _check_files(checked)
    options = _options(checked)
    options.pop(FILES, None)
    if checked.files:  # with the addresses that they will have
        options["media"] = "\n".join((*checked.media, *(["https://hub.example/file"] * len(checked.files))))
    try:
        read_text(Outbound(0, 0, checked.sender, checked.to, text.encode(), True, options=options))
    except Unfit as unfit:
        raise InvalidInput(_FIELDS.get(unfit.reason, "text"), f"{unfit}.") from unfit
    return checked


def _check_files(letter: SmsLetter) -> None:
    for place, file in enumerate(letter.files):
        if not file.content:
            raise InvalidInput(f"files[{place}]", "the file is empty.", "Choose another one.")
    if letter.files and len(letter.media) + len(letter.files) > MOST_FILES:
        raise InvalidInput("files", f"a message takes {MOST_FILES} pictures and files.", "Send some apart.")
    if sum(len(file.content) for file in letter.files) > LARGEST_FILES:
        raise InvalidInput(
            "files",
            f"together they are larger than the {LARGEST_FILES // 1_000_000} MB that a short message takes.",
            "Send a link, or a smaller picture.",
        )


def _options(letter: SmsLetter) -> dict[str, str]:
    options = {
        "service": letter.service,
        "media": "\n".join(letter.media),
        FILES: str(len(letter.files) or ""),
        "validity": "" if letter.validity is None else str(letter.validity),
    }
    return {name: value for name, value in options.items() if value}

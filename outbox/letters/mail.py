"""A letter as a mail: headers, text and HTML beside each other, inline images, files (RFC 5322, 2045, 2046, 2231).

Bodies come from the standard library. Headers with addresses and ids are written here: the library's folding takes a
long Message-ID for text and encodes it, and drops the quotes of some names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from channels.mail.parsed import Mailbox
from domain.errors import InvalidInput
from outbox.letters.letter import Letter, LetterFile
from templates.encoding import flat, header_text, mailbox

#: Seven bits for everybody: no server has to offer 8BITMIME, and no signature breaks on the way.
_POLICY: Final = SMTP.clone(cte_type="7bit", max_line_length=76)
_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_ID: Final = re.compile(r"[!-;=?-~]{1,900}")
_MEDIA_TYPE: Final = re.compile(r"([a-z0-9!#$&^_.+-]{1,127})/([a-z0-9!#$&^_.+-]{1,127})")
#: Headers that are written here, or on the way, and by nobody else.
_OURS: Final = frozenset(
    ("from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
     "mime-version", "dkim-signature", "received", "return-path", "content-type", "content-transfer-encoding",
     "content-disposition", "content-id")
)  # fmt: skip
#: References of a long exchange: the first and the last of them tell enough (RFC 5322, 3.6.4).
_REFERENCES: Final = 20


def build_mail(letter: Letter, header_id: str, reply_to: Sequence[Mailbox], date: datetime) -> bytes:
    """The mail with its headers, CRLF line ends, not dot-stuffed. `header_id`: its Message-ID, without brackets.

    Raises InvalidInput naming what cannot be written.
    """
    fields = [
        ("Date", format_datetime(date).encode()),
        ("From", _mailboxes([letter.from_], "from")),
        ("To", _mailboxes(letter.to, "to")),
        ("Cc", _mailboxes(letter.cc, "cc")),
        ("Reply-To", _mailboxes(reply_to, "reply_to")),
        ("Subject", header_text(letter.subject)),
        ("Message-ID", _ids([header_id], "message_id")),
        ("In-Reply-To", _ids([letter.in_reply_to] if letter.in_reply_to else [], "in_reply_to")),
        ("References", _ids(_shortened(letter.references), "references")),
        *_further(letter.headers),
    ]
    head = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in fields if value)
    return head + _body(letter).as_bytes()


def _mailboxes(people: Sequence[Mailbox], field: str) -> bytes:
    try:
        return b",\r\n ".join([mailbox(person.name, person.address) for person in people])
    except ValueError as error:
        raise InvalidInput(field, f"{error}.", "Write it like name@example.org.") from error


def _ids(ids: Sequence[str], field: str) -> bytes:
    for one in ids:
        if _ID.fullmatch(one) is None:
            raise InvalidInput(field, f"{one[:80]!r} is no Message-ID.", "Give it without brackets.")
    return b"\r\n ".join([f"<{one}>".encode() for one in ids])


def _shortened(references: Sequence[str]) -> Sequence[str]:
    known = list(dict.fromkeys(references))
    return known if len(known) <= _REFERENCES else [known[0], *known[1 - _REFERENCES :]]


def _further(headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    for name, value in headers:
        if _NAME.fullmatch(name) is None or name.lower() in _OURS:
            raise InvalidInput(
                "headers", f"{name[:80]!r} cannot be set.", "Use the letter's own fields, or another name."
            )
        yield name, header_text(value, len(name) + 2)


def _body(letter: Letter) -> EmailMessage:
    """The content with its MIME headers: mixed(alternative(text, related(html, images)), files), as far as needed."""
    mail = EmailMessage(policy=_POLICY)
    if letter.text or not letter.html:
        mail.set_content(_clean(letter.text))
    if letter.html:
        html = mail
        if letter.text:
            mail.add_alternative(_clean(letter.html), subtype="html")
            html = mail.get_payload(-1)  # type: ignore[assignment]
        else:
            mail.set_content(_clean(letter.html), subtype="html")
        for file in letter.attachments:
            if file.content_id:
                _add(html, file, related=True)
    for file in letter.attachments:
        if not (file.content_id and letter.html):
            _add(mail, file, related=False)
    return mail


def _add(mail: EmailMessage, file: LetterFile, *, related: bool) -> None:
    main, sub = media_type(file).split("/")
    name = flat(_clean(file.name)).replace("/", "_").replace("\\", "_")
    if file.content_id and _ID.fullmatch(file.content_id) is None:
        raise InvalidInput(
            "attachments", f"{file.content_id[:80]!r} is no Content-ID.", "Give it without brackets."
        )
    if related:
        mail.add_related(
            file.content, main, sub, cid=f"<{file.content_id}>", filename=name, disposition="inline"
        )
    else:
        mail.add_attachment(file.content, main, sub, filename=name)


def media_type(file: LetterFile) -> str:
    """The type that a file goes out with. Mails and multiparts go as plain files: they may not be encoded as base64."""
    found = _MEDIA_TYPE.fullmatch(file.media_type.partition(";")[0].strip().lower())
    if found is None or found[1] in ("message", "multipart"):
        return "application/octet-stream"
    return found[0]


def _clean(text: str) -> str:
    """Text that can be encoded, and stored: without NUL and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()

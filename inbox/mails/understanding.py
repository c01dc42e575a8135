"""What a mail says, from its bytes alone: parsed, its new words, its ancestors, whether a machine wrote it.

Pure but for the files it brings, which go to the blob store. It runs in a process that can be killed
(inbox/mails/process.py), so its result travels as JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Final

from pydantic import TypeAdapter

from channels.mail.automatic import read_absence, why_automatic
from channels.mail.bounces import Kind, Report, classify_parts
from channels.mail.forwarded import Forwarded, original_author
from channels.mail.mime import read_parts
from channels.mail.parsed import Attachment, Mailbox, ParsedMail
from channels.mail.reading.markup import html_to_text
from channels.mail.reading.tree import read_tree
from channels.mail.replies import new_html, new_text
from channels.mail.threads import ancestors
from domain.languages import first_language
from inbox.mails.file_texts import FileTexts
from inbox.mails.headers import headers_for_rules

LONGEST_BODY: Final = 1_000_000  #: characters; what is longer stays in the stored bytes
LONGEST_LINE: Final = 998  #: characters of a subject or a name
LONGEST_ID: Final = 400  #: characters of a Message-ID; more does not fit an index
MOST_PARTIES: Final = 200  #: addresses of one header
MOST_ANCESTORS: Final = 30

KeepFile = Callable[[bytes], str]
"""Keeps a file, gives its digest."""

ReadFiles = Callable[[Sequence[Attachment]], FileTexts]
"""Gives what files say."""


def read_files(files: Sequence[Attachment]) -> FileTexts:
    """What files say, however long it takes."""
    texts = FileTexts()
    texts.read(files)
    return texts


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An attachment whose content lies in the blob store."""

    name: str
    media_type: str
    size: int
    blob: str
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Understood:
    """All that reading a mail gives. `mail` comes without its attachments, cut to what is kept, with text that a
    database takes; `digest` tells copies of a mail apart from other mails with the same Message-ID."""

    mail: ParsedMail
    report: Report
    files: tuple[StoredFile, ...] = ()
    new_text: str = ""
    ancestors: tuple[str, ...] = ()
    digest: str = ""
    automatic: str | None = None
    back_on: date | None = None
    forwarded: Forwarded | None = None
    language: str | None = None
    files_text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    defects: tuple[str, ...] = ()


def understand(
    raw: bytes,
    sender: str | None,
    recipients: Sequence[str],
    keep: KeepFile,
    our_domains: Collection[str] = (),
    read_files: ReadFiles = read_files,
) -> Understood:
    """Read a mail that came in this envelope; `sender` is None when nobody knows who stood in it.

    Raises whatever a part of the reading raises, and OSError from `keep`.
    """
    defects: set[str] = set()
    tree = read_tree(raw, defects, within_mails=False)
    mail = read_parts(tree, defects)
    cut = ("cut",) if max(len(mail.text), len(mail.html)) > LONGEST_BODY else ()
    body = clean(mail.text[:LONGEST_BODY])
    report = classify_parts(tree, recipients)
    automatic = why_automatic(mail, sender, our_domains)
    original = original_author(mail)
    files = tuple(
        StoredFile(
            clean(one.name[:LONGEST_LINE]),
            clean(one.media_type[:LONGEST_LINE]),
            len(one.content),
            keep(one.content),
            clean(one.content_id[:LONGEST_LINE]),
            one.inline,
        )
        for one in mail.attachments
    )
    kept = ParsedMail(
        headers=tuple((clean(name), clean(value)) for name, value in mail.headers),
        message_id=short_id(mail.message_id),
        in_reply_to=tuple(clean(one) for one in mail.in_reply_to[:MOST_ANCESTORS]),
        references=tuple(clean(one) for one in mail.references[-MOST_ANCESTORS:]),
        sender=None if mail.sender is None else _party(mail.sender),
        reply_to=_parties(mail.reply_to),
        to=_parties(mail.to),
        cc=_parties(mail.cc),
        bcc=_parties(mail.bcc),
        date=_storable_date(mail.date),
        subject=clean(mail.subject[:LONGEST_LINE]),
        text=body,
        html=clean(mail.html[:LONGEST_BODY]),
    )
    new_text, spoken = _new_words(mail, body), read_files(mail.attachments)
    files_text = clean(spoken.text)
    return Understood(
        mail=kept,
        report=_scrub(report),
        files=files,
        new_text=new_text,
        ancestors=tuple(
            short_id(one)
            for one in ancestors(mail.in_reply_to, mail.references, mail.message_id, MOST_ANCESTORS)
        ),
        digest=_digest(kept, files),
        automatic=automatic,
        back_on=_back_on(mail, report),
        forwarded=None if original is None else _original(original),
        language=first_language((new_text, f"{kept.subject}\n{new_text}", body, files_text)),
        files_text=files_text,
        headers=headers_for_rules(kept.headers),
        defects=tuple(clean(one) for one in (*mail.defects, *cut, *sorted(spoken.defects))),
    )


def _new_words(mail: ParsedMail, body: str) -> str:
    """What the person newly wrote. Of a mail in HTML alone by its own marks first: text made of it has lost them."""
    if mail.text_from_html:
        kept = new_html(mail.html[:LONGEST_BODY])
        if kept and (words := new_text(html_to_text(kept))):
            return clean(words[:LONGEST_BODY])
    return clean(new_text(body))


def clean(text: str) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogate."""
    text = text.replace("\0", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def short_id(message_id: str) -> str:
    """A Message-ID as it is kept: one that is too long for an index by its digest."""
    message_id = clean(message_id)
    if len(message_id.encode("utf-8")) <= LONGEST_ID:
        return message_id
    return "sha256:" + hashlib.sha256(message_id.encode("utf-8")).hexdigest()


def _scrub(report: Report) -> Report:
    people = [
        replace(
            one,
            address=clean(one.address),
            words=clean(one.words[:LONGEST_LINE]),
            reply=clean(one.reply[:LONGEST_LINE]),
        )
        for one in report.recipients[:MOST_PARTIES]
    ]
    return replace(
        report, recipients=tuple(people), message_id=clean(report.message_id), reporter=clean(report.reporter)
    )


def _back_on(mail: ParsedMail, report: Report) -> date | None:
    if report.kind is not Kind.AUTO_REPLY:
        return None
    absence = read_absence(mail)
    return absence.back_on if absence is not None else None


def _original(found: Forwarded) -> Forwarded:
    return Forwarded(
        clean(found.name[:LONGEST_LINE]),
        clean(found.address[:320]),
        _storable_date(found.date),
        clean(found.subject[:LONGEST_LINE]),
    )


def _storable_date(moment: datetime | None) -> datetime | None:
    """The date in UTC, where that can be said; databases and people do without those at the end of time."""
    try:
        return moment.astimezone(UTC) if moment is not None and 1970 <= moment.year <= 9000 else None
    except (OverflowError, ValueError):
        return None


def _party(box: Mailbox) -> Mailbox:
    return Mailbox(clean(box.name[:LONGEST_LINE]), clean(box.address[:320]))


def _parties(boxes: Sequence[Mailbox]) -> tuple[Mailbox, ...]:
    return tuple(_party(box) for box in boxes[:MOST_PARTIES])


def _digest(mail: ParsedMail, files: Sequence[StoredFile]) -> str:
    """What makes two copies the same mail: author, words and files. Servers on the way change the rest."""
    author = mail.sender.address if mail.sender is not None else ""
    words = " ".join((mail.text or mail.html).split())
    parts = (author.lower(), words, *(file.blob for file in files))
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:32]


@cache
def _adapter() -> TypeAdapter[Understood]:
    return TypeAdapter(Understood)


def to_json(understood: Understood) -> bytes:
    """For the way between processes."""
    return _adapter().dump_json(understood)


def from_json(text: bytes) -> Understood:
    """The other way."""
    return _adapter().validate_json(text)

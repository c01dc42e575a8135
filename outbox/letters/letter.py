"""What a letter is: a message that a person or a program of ours writes to somebody, outside of campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from channels.mail.parsed import Mailbox


class LetterKind(StrEnum):
    """Why it is written."""

    ANSWER = "answer"  #: by a person, in a conversation
    AUTO_ANSWER = "auto_answer"  #: by ourselves, to a mail that came in (RFC 3834)
    TRANSACTIONAL = "transactional"  #: by another program, through the API
    NOTIFICATION = "notification"  #: to people who work here


@dataclass(frozen=True, slots=True)
class LetterFile:
    """A file that goes with a letter; with a `content_id` (no brackets) it is shown where the HTML says `cid:`."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Farewell:
    """How the reader of a letter that they allowed unsubscribes: our public address, and the words before the link."""

    base_url: str
    words: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to be written.

    `references` are in the order of the header, oldest first; ids come without brackets. `new_text` is the text
    without quotes and signature, where that is known. `sender` is the envelope's: None for an address that tells which
    message a bounce is about (and for nobody, `<>`, in automatic answers), "" for nobody. `not_before`, in machine
    time, leaves time to call it back. `contact_id`: whom it is for, None for somebody we do not know. With a `farewell` it
    carries a link to unsubscribe, in its text and its headers (RFC 8058), and goes to one recipient.
    """

    kind: LetterKind
    from_: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    text: str
    html: str = ""
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    attachments: tuple[LetterFile, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    contact_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None
    author_id: int | None = None
    not_before: datetime | None = None
    sender: str | None = None
    new_text: str = ""
    farewell: Farewell | None = None

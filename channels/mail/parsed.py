"""What a mail says once it was read: the values that `channels.mail.mime.parse` gives to everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address of a header: decoded display name and `local@domain`, the domain in lower case."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf of a mail that is not its text: a file, an inline image, a calendar invitation, a nested mail.

    `part` is its place in the tree ("1.2"), `media_type` in lower case without parameters, `content` decoded.
    """

    part: str
    name: str  #: made safe to be a file name; never empty
    media_type: str
    content: bytes
    content_id: str = ""  #: without angle brackets, for `cid:` links
    inline: bool = False


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail as people read it. Empty values where the mail is silent or not to be understood.

    `headers` holds every header in order, names as written, values unfolded and decoded. `message_id`,
    `in_reply_to` and `references` come without angle brackets. `date` is aware, or None. `text` and `html` are the
    bodies to show, with line ends as `\\n`; `text_from_html` tells that the text had to be made. `defects` are words of
    our vocabulary, each once.
    """

    headers: tuple[tuple[str, str], ...] = ()
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sender: Mailbox | None = None  #: the first of From, or Sender
    reply_to: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    date: datetime | None = None
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    defects: tuple[str, ...] = ()
    text_from_html: bool = False

    def header(self, name: str) -> str:
        """The first header of this name, whatever its case; empty when there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def all(self, name: str) -> list[str]:
        """Every header of this name, in order."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

"""What the files of a mail say, for the rules: text files, PDF, and mails that were forwarded as files.

Bounded in files, bytes, pages and characters; whatever goes wrong with a file costs its text and nothing else. How long
it takes is the caller's to limit: what was read until then is in `FileTexts`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from channels.mail.mime import parse
from channels.mail.parsed import Attachment
from channels.mail.reading.charsets import decode_text
from channels.mail.reading.markup import html_to_text
from inbox.mails.pdf_text import pages_of

log = logging.getLogger("clytie.inbox")

MOST_FILES: Final = 20
MOST_BYTES: Final = 20_000_000  #: a larger file is not opened
MOST_PAGES: Final = 30  #: of one PDF
MOST_CHARACTERS: Final = 100_000  #: of all files of a mail
_LONGEST_TEXT: Final = 400_000  #: bytes of a text file that are looked at

_PDF: Final = frozenset({"application/pdf", "application/x-pdf"})
_MAILS: Final = frozenset({"message/rfc822", "message/global"})
_TEXT_ENDINGS: Final = (".txt", ".text", ".md", ".csv", ".log")


@dataclass(slots=True)
class FileTexts:
    """What was read so far. `defects` tells of a file that could not be read, and of texts that were cut."""

    texts: list[str] = field(default_factory=list)
    defects: set[str] = field(default_factory=set)
    left: int = MOST_CHARACTERS

    @property
    def text(self) -> str:
        """All of it, a blank line between the files' pages."""
        return "\n\n".join(self.texts)

    def read(self, files: Sequence[Attachment], *, within: bool = False) -> None:
        """Add what these files say; `within` a mail that is a file itself, mails are not opened any more.

        Raises nothing for a file's sake, save what ends the process or the caller's patience.
        """
        for number, file in enumerate(files):
            if number >= MOST_FILES or self.left <= 0:
                self.defects.add("files_cut")
                return
            if len(file.content) > MOST_BYTES:
                self.defects.add("files_cut")
                continue
            try:
                self._read_one(file, within)
            except (Exception, MemoryError) as error:
                log.info("a file of type %s says nothing: %s", file.media_type, type(error).__name__)
                self.defects.add("file_unreadable")

    def _read_one(self, file: Attachment, within: bool) -> None:
        ending = file.name.lower()
        if file.media_type in _PDF or file.content[:1024].lstrip().startswith(b"%PDF-"):
            for page in pages_of(file.content, MOST_PAGES):
                self._add(page)
                if self.left <= 0:
                    return
        elif file.media_type in _MAILS:
            if not within:
                mail = parse(file.content)
                self._add(mail.subject)
                self._add(mail.text or html_to_text(mail.html))
                self.read(mail.attachments, within=True)
        elif file.media_type == "text/html":
            self._add(html_to_text(_decode(file.content)))
        elif file.media_type == "text/plain" or ending.endswith(_TEXT_ENDINGS):
            self._add(_decode(file.content))

    def _add(self, text: str) -> None:
        text = text.replace("\0", "").strip()[: self.left]
        if text:
            self.texts.append(text)
            self.left -= len(text)


def _decode(content: bytes) -> str:
    return decode_text(content[:_LONGEST_TEXT], "", set())

"""The header block of a mail or part: its fields, and where the body starts (RFC 5322 section 2.2, and what mail is like).

Lines end with LF, with any number of CR before it. A line that is no header is skipped as long as headers follow; when
text follows instead, the body starts there and nothing of it is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from channels.mail.reading.defects import Defect
from channels.mail.reading.limits import HEADER_BYTES, HEADER_LINES, HEADERS

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]++)[ \t]*+:")
_BLANK = re.compile(rb"\n\r*+\n")
_FOLD = re.compile(rb"(?<!\r)\r*+\n")
_MAIL_STARTS = re.compile(
    rb"\s{1,64}(?:Received|Return-Path|Delivered-To|From|To|Date|Subject|Message-ID|MIME-Version|Content-Type|X-[!-9;-~]+):",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Field:
    """One header."""

    line: bytes  #: as it came, without its last line end, folds included
    name: str  #: as written
    key: str  #: the name in lower case
    value: bytes  #: as written, unfolded, without white space around it


@dataclass(slots=True)
class Block:
    """The fields of a header block, in order, and where the body starts."""

    fields: list[Field] = field(default_factory=list)
    body: int = 0

    def first(self, key: str) -> bytes | None:
        """The value of the first field of this name (lower case), or None."""
        return next((item.value for item in self.fields if item.key == key), None)

    def every(self, key: str) -> list[bytes]:
        """The values of all fields of this name (lower case)."""
        return [item.value for item in self.fields if item.key == key]


@dataclass(slots=True)
class _Draft:
    """A field whose continuation lines are still coming; `span` is None for a line that is no header."""

    start: int
    end: int
    colon: int = -1


def read_block(buffer: bytes, start: int, end: int, defects: set[str], *, outermost: bool = False) -> Block:
    """Read the headers of `buffer[start:end]`; `outermost` also skips what mailboxes put before a mail."""
    position = _skip_debris(buffer, start, end) if outermost else start
    drafts: list[_Draft] = []
    first_bad = bad = good_after_bad = lines = 0
    limited = False
    body = end
    while position < end:
        newline = buffer.find(b"\n", position, end)
        stop = end if newline < 0 else newline + 1
        first = buffer[position]
        if first in b"\r\n" and not buffer[position:stop].strip(b"\r\n"):
            body = stop
            break
        lines += 1
        if lines > HEADER_LINES or len(drafts) >= HEADERS:
            limited = True
            blank = _BLANK.search(buffer, max(position - 1, start), end)
            body = blank.end() if blank else end
            break
        if first in b" \t" and drafts:
            drafts[-1].end = stop
        elif match := _FIELD.match(buffer, position, stop):
            drafts.append(_Draft(position, stop, match.end() - 1 - position))
            good_after_bad += bad > 0
        elif buffer.startswith((b"From ", b">From "), position) and not bad and len(drafts) < 2:
            pass  # the separator of a mailbox file, which some programs leave in
        else:
            if not bad:
                first_bad = len(drafts)
            bad += 1
            drafts.append(_Draft(position, stop))
        position = stop
    if bad and good_after_bad < bad:
        body = drafts[first_bad].start
        drafts = drafts[:first_bad]
        limited = False
        defects.add(Defect.NO_BLANK_LINE if drafts else Defect.NO_HEADERS)
    elif bad:
        defects.add(Defect.BAD_HEADER)
    if limited:
        defects.add(Defect.TOO_MANY_HEADERS)
    return Block(list(_fields(buffer, drafts, defects)), body)


def _skip_debris(buffer: bytes, start: int, end: int) -> int:
    """Where the first header of a stored mail is: after a byte order mark, a "From " line, stray blank lines."""
    if buffer.startswith(b"\xef\xbb\xbf", start):
        start += 3
    if (match := _MAIL_STARTS.match(buffer, start, end)) and b"\n" in match[0]:
        return start + len(match[0]) - len(match[0].lstrip())
    return start


def _fields(buffer: bytes, drafts: Iterable[_Draft], defects: set[str]) -> Iterable[Field]:
    for draft in drafts:
        if draft.colon < 0:
            continue
        end = draft.end
        if end - draft.start > HEADER_BYTES:
            end = draft.start + HEADER_BYTES
            defects.add(Defect.LONG_HEADER)
        line = buffer[draft.start : end].rstrip(b"\r\n")
        if draft.colon < len(line):
            name = line[: draft.colon].rstrip(b" \t").decode("ascii", "replace")
            yield Field(line, name, name.lower(), _unfold(line[draft.colon + 1 :]))


def _unfold(value: bytes) -> bytes:
    if b"\r\n" in value and b"\r\r" not in value:
        value = value.replace(b"\r\n", b"")
    if b"\n" in value or b"\r" in value:
        value = _FOLD.sub(b"", value).replace(b"\r", b" ")
    return value.strip(b" \t")

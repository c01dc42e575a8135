"""The tree of a mail: which part lies within which, read in bounded time whatever the bytes.

`read_tree` gives the parts with their headers and the places of their bodies in the buffer; nothing is copied until a
part's content is asked for. A part that lies deeper than the limit, or after the last one allowed, stays unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.mail.reading import transfer
from channels.mail.reading.charsets import decode_header
from channels.mail.reading.defects import Defect
from channels.mail.reading.fields import Block, read_block
from channels.mail.reading.limits import DEPTH, PARTS
from channels.mail.reading.parameters import decoded, disposition_type, media_type, parameters

_MAILS = frozenset({"message/rfc822", "message/global", "message/news"})
_LIKELY_BOUNDARY = re.compile(
    rb"^--(\S[^\r\n]{0,200})\r*+\n(?:Content-|\r*+\n)", re.MULTILINE | re.IGNORECASE
)


@dataclass(slots=True)
class Part:
    """A node of the tree: a leaf, a multipart with its children, or a mail within the mail (one child: its root)."""

    number: str  #: "1" for the root, "1.2" for its second child
    block: Block
    buffer: bytes = field(repr=False)
    start: int  #: of the body in `buffer`
    end: int
    media_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    disposition: str = ""
    disposition_parameters: dict[str, str] = field(default_factory=dict)
    encoding: str = ""
    kind: str = "leaf"  #: leaf, multipart, mail
    children: list[Part] = field(default_factory=list)
    preamble: bytes | None = None
    epilogue: bytes | None = None
    _content: bytes | None = field(default=None, repr=False)

    @property
    def raw(self) -> bytes:
        """The body as it came."""
        return self.buffer[self.start : self.end]

    def content(self, defects: set[str]) -> bytes:
        """The body with its transfer encoding undone; kept, so asking twice costs once."""
        if self._content is None:
            self._content = transfer.decode(self.raw, self.encoding, defects)
        return self._content

    def leaves(self) -> Iterator[Part]:
        """Every leaf below, in order."""
        if self.kind == "leaf":
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(slots=True)
class _Reading:
    """What is shared while one mail is read."""

    defects: set[str]
    within_mails: bool
    parts_left: int = PARTS


def read_tree(raw: bytes, defects: set[str] | None = None, *, within_mails: bool = True) -> Part:
    """Read the tree of a mail. `within_mails` tells whether mails within it are read too, or kept as leaves."""
    reading = _Reading(set() if defects is None else defects, within_mails)
    if b"\r" in raw[:4_000] and b"\n" not in raw[:4_000]:
        reading.defects.add(Defect.BARE_CR)
        raw = re.sub(rb"\r(?!\n)", b"\n", raw)
    return _read_mail(reading, raw, 0, len(raw), "1", 1)


def _read_mail(reading: _Reading, buffer: bytes, start: int, end: int, number: str, depth: int) -> Part:
    block = read_block(buffer, start, end, reading.defects, outermost=True)
    return _read_part(reading, block, buffer, end, number, depth, "text/plain")


def _read_part(
    reading: _Reading, block: Block, buffer: bytes, end: int, number: str, depth: int, default: str
) -> Part:
    reading.parts_left -= 1
    part = Part(number, block, buffer, block.body, end, default)
    _read_types(reading, part)
    if part.media_type.startswith("multipart/"):
        if depth >= DEPTH:
            reading.defects.add(Defect.TOO_DEEP)
            part.media_type = "application/octet-stream"
        else:
            _read_multipart(reading, part, depth)
    elif part.media_type in _MAILS and (reading.within_mails or number == "1"):
        if depth >= DEPTH:
            reading.defects.add(Defect.TOO_DEEP)
        elif reading.parts_left > 0:
            _read_inner_mail(reading, part, depth)
    return part


def _read_types(reading: _Reading, part: Part) -> None:
    part.encoding = transfer.encoding_of(_text(part.block.first("content-transfer-encoding")))
    values = [_text(value) for value in part.block.every("content-type")]
    if values:
        value = _best_type(part, [value for value in values if media_type(value)])
        if value:
            part.media_type = media_type(value)
            part.parameters = parameters(value)
        else:
            part.media_type = "text/plain"
            if any(values):
                reading.defects.add(Defect.BAD_CONTENT_TYPE)
    disposition = part.block.first("content-disposition")
    if disposition:
        text = decoded(_text(disposition))
        part.disposition = disposition_type(text)
        part.disposition_parameters = parameters(_text(disposition))


def _best_type(part: Part, values: list[str]) -> str:
    """The first of several Content-Types, unless a later one is a multipart whose boundary is there."""
    for value in values[1:4]:
        if media_type(value).startswith("multipart/") and not media_type(values[0]).startswith("multipart/"):
            boundary = parameters(value).get("boundary", "").encode("utf-8", "replace")
            if boundary and part.buffer.find(b"--" + boundary, part.start, part.end) >= 0:
                return value
    return values[0] if values else ""


def _text(value: bytes | None) -> str:
    return decode_header(value, set()) if value else ""


def _read_inner_mail(reading: _Reading, part: Part, depth: int) -> None:
    content, start, end = part.buffer, part.start, part.end
    if part.encoding:
        content = part.content(reading.defects)
        start, end = 0, len(content)
    part.kind = "mail"
    part.children = [_read_mail(reading, content, start, end, part.number + ".1", depth + 1)]


@dataclass(slots=True)
class _Delimiter:
    start: int  #: where the line before it ends: the line break before a delimiter belongs to it
    line: int
    next: int
    closing: bool


def _delimiters(buffer: bytes, start: int, end: int, boundary: bytes) -> Iterator[_Delimiter]:
    """The lines that are `--boundary` or `--boundary--`, possibly with white space and words after it.

    A line that goes on right after the boundary is none: it is another boundary that starts with the same characters.
    """
    needle = b"--" + boundary
    position = start
    while (at := buffer.find(needle, position, end)) >= 0:
        newline = buffer.find(b"\n", at, end)
        position = end if newline < 0 else newline + 1
        if at > start and buffer[at - 1] != 10:
            continue
        rest = buffer[at + len(needle) : min(position, at + len(needle) + 200)].rstrip(b"\r\n")
        closing = rest.startswith(b"--")
        if rest[2 * closing :][:1] not in (b"", b" ", b"\t", b"\r"):
            continue
        stop = at
        if stop > start:
            stop -= 1
            while stop > start and buffer[stop - 1] == 13:
                stop -= 1
        yield _Delimiter(stop, at, position, closing)


def _take(reading: _Reading, part: Part, boundary: bytes) -> list[_Delimiter]:
    taken: list[_Delimiter] = []
    for delimiter in _delimiters(part.buffer, part.start, part.end, boundary):
        taken.append(delimiter)
        if len(taken) > reading.parts_left:
            break
    return taken


def _find_delimiters(reading: _Reading, part: Part) -> list[_Delimiter]:
    text = decoded(part.parameters.get("boundary", ""))
    boundary = text.encode("utf-8", "replace")
    for candidate in dict.fromkeys((boundary, boundary.strip())):
        if candidate and (found := _take(reading, part, candidate)):
            return found
    if part.encoding in ("base64", "quoted-printable", "uuencode"):
        part.buffer = transfer.decode(part.raw, part.encoding, reading.defects)
        part.start, part.end, part.encoding = 0, len(part.buffer), ""
        return _find_delimiters(reading, part)
    reading.defects.add(Defect.NO_PARTS if boundary else Defect.NO_BOUNDARY)
    guess = _LIKELY_BOUNDARY.search(part.buffer, part.start, part.end)
    return _take(reading, part, guess[1].rstrip()) if guess else []


def _read_multipart(reading: _Reading, part: Part, depth: int) -> None:
    part.kind = "multipart"
    found = _find_delimiters(reading, part)
    if not found:
        part.preamble = part.raw
        return
    if found[0].line > part.start:
        part.preamble = part.buffer[part.start : found[0].start]
    last_open = max((index for index, delimiter in enumerate(found) if not delimiter.closing), default=-1)
    index, closed = 0, False
    while index < len(found):
        delimiter, index = found[index], index + 1
        if delimiter.closing:
            closed = True
            if index > last_open:
                if delimiter.next < part.end:
                    part.epilogue = part.buffer[delimiter.next : part.end]
                break
            continue
        if closed:
            reading.defects.add(Defect.AFTER_CLOSE)
            closed = False
        if reading.parts_left <= 0:
            reading.defects.add(Defect.TOO_MANY_PARTS)
            _keep_rest(part, delimiter.next)
            return
        index = _read_child(reading, part, found, index, depth)
    if not closed:
        reading.defects.add(Defect.UNCLOSED)


def _read_child(reading: _Reading, part: Part, found: list[_Delimiter], index: int, depth: int) -> int:
    """Read the part that starts after the delimiter before `index`; the index where to go on."""
    start = found[index - 1].next
    end = _end(part, found, index)
    block = read_block(part.buffer, start, end, reading.defects)
    if _shares_boundary(block, part):
        while index < len(found) and not found[index].closing:
            index += 1
        index = min(index + 1, len(found))
        end = _end(part, found, index)
    default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    number = f"{part.number}.{len(part.children) + 1}"
    part.children.append(_read_part(reading, block, part.buffer, end, number, depth + 1, default))
    return index


def _end(part: Part, found: list[_Delimiter], index: int) -> int:
    """Where the part ends that starts after the delimiter before `index`."""
    end = found[index].start if index < len(found) else part.end
    return max(end, found[index - 1].next)


def _keep_rest(part: Part, start: int) -> None:
    number = f"{part.number}.{len(part.children) + 1}"
    rest = Part(number, Block(), part.buffer, start, part.end, "application/octet-stream")
    part.children.append(rest)


def _shares_boundary(block: Block, parent: Part) -> bool:
    """Whether a part is a multipart that uses its parent's boundary again, as some broken mailers do."""
    value = _text(block.first("content-type"))
    if not media_type(value).startswith("multipart/"):
        return False
    boundary = parameters(value).get("boundary")
    return bool(boundary) and boundary == parent.parameters.get("boundary")

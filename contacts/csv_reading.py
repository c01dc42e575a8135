"""Read CSV files of any size in blocks whose ends are known in bytes, so that reading can go on after a crash.

Takes UTF-8 and UTF-16 with or without a mark, and Windows-1252; commas, semicolons, tabs or bars; line ends of every
system; quoted fields with line ends in them (RFC 4180, and looser). A line that cannot be read costs that line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.errors import InvalidInput

BLOCK: Final = 1 << 20  #: bytes
LONGEST_LINE: Final = 1 << 24  #: bytes
LONGEST_FIELD: Final = 1 << 17  #: characters; an unclosed quote swallows no more than that
DELIMITERS: Final = ",;\t|"
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BROKEN: Final = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII: Final = re.compile("[\u0080-\ud7ff\ue000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the bytes of a file are text, and where its text begins."""

    name: str
    start: int  #: bytes of the mark at the beginning
    newline: str  #: what ends a line: \\n (also in \\r\\n) or \\r

    @property
    def errors(self) -> str:
        """The handler that keeps undecodable bytes, so that text can be measured in bytes again."""
        return "surrogatepass" if self.name.startswith("utf-16") else "surrogateescape"

    def measure(self, text: str) -> int:
        """How many bytes of the file this text was."""
        return (
            len(text)
            if text.isascii() and "16" not in self.name
            else len(text.encode(self.name, self.errors))
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the file. `fields` is None when it cannot be read; `problem` then says why."""

    number: int  #: of its first line in the file, from 1
    fields: list[str] | None
    problem: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Some records, and where the next ones begin."""

    lines: list[Line]
    offset: int  #: bytes from the beginning of the file
    line: int  #: lines from the beginning of the file
    at_end: bool


def detect_encoding(path: Path) -> Encoding:
    """Find out by reading the whole file once. Raises InvalidInput when it is empty, or no text at all.

    Text that is mostly good UTF-8 is UTF-8 (its bad lines are rejected later); else it is Windows-1252.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
        if not head:
            raise InvalidInput("file", "it is empty.")
        for mark, name in _MARKS:
            if head.startswith(mark):
                return Encoding(name, len(mark), _find_newline(head[len(mark) :], name))
        name = _guess_utf16(head) or _guess_8bit(file, head)
        return Encoding(name, 0, _find_newline(head, name))


def _guess_utf16(head: bytes) -> str | None:
    """UTF-16 without a mark: Latin text has a null in every second byte."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.6 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.1:
        return "utf-16-be"
    if (even + odd) * 500 > len(head):
        raise InvalidInput("file", "this is not text.", "Export the table as CSV in UTF-8.")
    return None


def _guess_8bit(file: io.BufferedReader, block: bytes) -> str:
    good = bad = 0
    while block:
        if not block.isascii():
            text = block.decode("utf-8", "surrogateescape")
            bad += len(_BROKEN.findall(text))
            good += len(_BEYOND_ASCII.findall(text))
        block = file.read(BLOCK)
    return "utf-8" if bad == 0 or good > 20 * bad else "cp1252"


def _find_newline(head: bytes, name: str) -> str:
    text = head.decode(name, "replace")
    return "\r" if "\r" in text and "\n" not in text else "\n"


def read_block(
    path: Path, encoding: Encoding, delimiter: str, offset: int, line: int, *, size: int | None = None
) -> Block:
    """The records from a place in the file on, about as many as fit into `size` (BLOCK) bytes.

    `offset` and `line` are those that the block before ended with. Raises InvalidInput for a line without end.
    """
    csv.field_size_limit(LONGEST_FIELD)
    size = size or BLOCK
    while True:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
            at_end = not file.read(1)
        text, complete = _decode(data, encoding, at_end)
        if complete:
            records, consumed, lines = _read_records(text, delimiter, line, at_end)
            if consumed or at_end:
                done = at_end and consumed == len(text)
                end = offset + (len(data) if done else encoding.measure(text[:consumed]))
                return Block(records, end, line + lines, done)
        if size >= LONGEST_LINE:
            raise InvalidInput(
                f"line {line + 1}", "it does not end.", "Look for a quote that is never closed."
            )
        size *= 4


def _decode(data: bytes, encoding: Encoding, at_end: bool) -> tuple[str, bool]:
    if encoding.name.startswith("utf-16"):
        data = data[: len(data) // 2 * 2]
    text = data.decode(encoding.name, encoding.errors)
    if encoding.newline == "\r":
        text = text.replace("\r", "\n")
    if not at_end:
        text = text[: text.rfind("\n") + 1]
    return text, bool(text) or at_end


def _read_records(text: str, delimiter: str, line: int, at_end: bool) -> tuple[list[Line], int, int]:
    """The records of a text that ends with a line; how many characters and lines of it they are."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    records: list[Line] = []
    flawed = not text.isascii() and _is_flawed(text)
    flawed = flawed or "\0" in text
    before = start = 0
    while True:
        try:
            for fields in reader:
                start, before = before, reader.line_num
                if flawed and (problem := _find_flaw(fields)):
                    raw = delimiter.join(fields)
                    records.append(Line(line + start + 1, None, problem, raw))
                elif fields:
                    records.append(Line(line + start + 1, fields))
            break
        except csv.Error as error:
            start, before = before, reader.line_num
            first = _place_of_line(text, start)
            if before - start > 1:  # an unclosed quote: give up its first line, and go on behind it
                end = text.index("\n", first) + 1
                problem = _UNCLOSED if "field limit" in str(error) else str(error)
                records.append(Line(line + start + 1, None, problem, text[first:end]))
                return records, end, start + 1
            end = text.find("\n", first)
            records.append(Line(line + start + 1, None, f"{error}", text[first : end if end >= 0 else None]))
    if not records or '"' not in text:
        return records, len(text), before
    first = _place_from_end(text, before - start)
    if not _is_unclosed(text[first:], delimiter):
        return records, len(text), before
    if not at_end:  # the rest of this record comes with the next block
        records.pop()
        return records, first, start
    end = text.find("\n", first) + 1 or len(text)
    records[-1] = Line(line + start + 1, None, _UNCLOSED, text[first:end])
    return records, end, start + 1


_UNCLOSED: Final = "a quote is opened and not closed"


def _is_flawed(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _find_flaw(fields: list[str]) -> str:
    if any("\0" in field for field in fields):
        return "it holds a null character"
    if any(_is_flawed(field) for field in fields):
        return "it holds bytes that are no text in the file's encoding"
    return ""


def _place_of_line(text: str, number: int) -> int:
    place = 0
    for _ in range(number):
        place = text.index("\n", place) + 1
    return place


def _place_from_end(text: str, lines: int) -> int:
    place = len(text) - 1 if text.endswith("\n") else len(text)
    for _ in range(lines):
        place = text.rfind("\n", 0, place)
    return place + 1


def _is_unclosed(record: str, delimiter: str) -> bool:
    if '"' not in record:
        return False
    try:
        for _ in csv.reader(io.StringIO(record, newline="\n"), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def read_lines(path: Path, encoding: Encoding, delimiter: str) -> Iterator[Line]:
    """All records of a file, the header among them."""
    offset, line, at_end = encoding.start, 0, False
    while not at_end:
        block = read_block(path, encoding, delimiter, offset, line)
        yield from block.lines
        offset, line, at_end = block.offset, block.line, block.at_end

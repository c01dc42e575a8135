"""Split an mbox into its mails while it is read, however large it is: mboxo, mboxrd, mboxcl and mboxcl2.

A mail begins with a line `From ADDRESS TIME`. Where mails carry a Content-Length that leads to the next such line, or
to the end, it is believed (mboxcl, mboxcl2); a wrong one is not. In the bodies `>From ` stands for `From ` and
`>>From ` for `>From ` (mboxrd), except in a mail whose body shows that its writer escapes nothing.
Source: https://www.loc.gov/preservation/digital/formats/fdd/fdd000383.shtml, and what Thunderbird and mutt write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_CHUNK: Final = 1 << 20
_LINE: Final = 1000  # bytes of a From line that are looked at
_HEAD: Final = 262_144  # bytes in which the headers have to end for Content-Length to be looked for
_TIME: Final = re.compile(rb"\d{1,2}:\d{2}")
_YEAR: Final = re.compile(rb"(?<!\d)(?:19|20)\d{2}(?!\d)")
_LENGTH: Final = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_ESCAPED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_AFTER_LENGTH: Final = re.compile(rb"(?:\r?\n){0,2}From ")


class BoxMail(NamedTuple):
    """A mail of an mbox: where it begins, its From line, its bytes; None when it is larger than the limit.

    `after` is where the next mail begins.
    """

    offset: int
    from_line: bytes
    content: bytes | None
    after: int


def split_mbox(read: Callable[[int], bytes], limit: int) -> Iterator[BoxMail]:
    """The mails of an mbox, read with `read(size)`; no more than `limit` bytes of one are held."""
    return _Splitter(read, limit).mails()


def starts_mbox(head: bytes) -> bool:
    """Whether a file with these first bytes is an mbox."""
    return head.lstrip(b"\r\n").startswith(b"From ")


class _Splitter:
    """`data` is what was read and not given out: it begins at `base` of the file, the current mail at `start`."""

    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        self._read = read
        self._limit = limit
        self._data = bytearray()
        self._base = 0
        self._start = 0
        self._ended = False
        self._dated = True

    def mails(self) -> Iterator[BoxMail]:
        """See split_mbox."""
        self._fill(_LINE)
        while self._has(self._start + 1) and self._data[self._start] in b"\r\n":
            self._start += 1
        self._dated = _is_dated(self._line_at(self._start))
        while self._has(self._start + 1):
            yield self._next()

    def _next(self) -> BoxMail:
        if self._start > _CHUNK:
            self._compact()
        offset = self._base + self._start
        from_line = self._line_at(self._start)
        end = self._end_by_length()
        if end is None:
            end = self._end_by_line()
        if end is None:
            self._skip()
            return BoxMail(offset, from_line, None, self._base + self._start)
        begin = self._after_line(self._start)
        content = _unescape(bytes(self._data[begin:end])) if end - begin <= self._limit else None
        self._start = end
        while self._has(self._start + 1) and self._data[self._start] in b"\r\n":
            self._start += 1
        return BoxMail(offset, from_line, content, self._base + self._start)

    def _end_by_length(self) -> int | None:
        """The end that Content-Length tells, when there is one and it is true."""
        body = None
        while body is None:
            body = _HEAD_END.search(self._data, self._after_line(self._start), self._start + _HEAD)
            if body is None and (len(self._data) - self._start >= _HEAD or not self._fill_more()):
                return None
        length = _LENGTH.search(self._data, self._after_line(self._start), body.end())
        if length is None or int(length[1]) > self._limit:
            return None
        end = body.end() - self._start + int(length[1])  # the start moves when more is read
        self._fill(self._start + end + 16)
        end += self._start
        if end > len(self._data):
            return None
        rest = bytes(self._data[end : end + 16])
        return end if _AFTER_LENGTH.match(rest) or (self._ended and not rest.strip(b"\r\n")) else None

    def _end_by_line(self) -> int | None:
        """The end before the next From line; None when the mail is larger than the limit."""
        scan = self._start
        while True:
            found = self._data.find(b"\nFrom ", scan)
            if found >= 0:
                if self._is_separator(found + 1):
                    return self._without_blank_line(found + 1)
                scan = found + 1
                continue
            if len(self._data) - self._start > self._limit:
                return None
            scan = max(0, len(self._data) - self._start - 6)
            if not self._fill_more():
                return self._without_blank_line(len(self._data))

    def _skip(self) -> None:
        """Go to the next mail without holding what lies between."""
        while True:
            found = self._data.find(b"\nFrom ", self._start)
            if found >= 0:
                self._start = found + 1
                if self._is_separator(self._start):
                    return
            else:
                self._start = max(self._start, len(self._data) - 6)
                if not self._fill_more():
                    self._start = len(self._data)
                    return

    def _is_separator(self, at: int) -> bool:
        """Whether the From line at `at` begins a mail: one with a time does, any other only if all are like that."""
        if self._dated:
            return _is_dated(self._line_at(at))
        return self._data[at - 2 : at] == b"\n\n" or self._data[at - 4 : at] == b"\r\n\r\n"

    def _without_blank_line(self, end: int) -> int:
        """The end without the empty line that the mbox put there."""
        if self._data[end - 4 : end] == b"\r\n\r\n":
            return end - 2
        return end - 1 if self._data[end - 2 : end] == b"\n\n" else end

    def _line_at(self, at: int) -> bytes:
        self._fill(at + _LINE)
        return bytes(self._data[at : at + _LINE]).split(b"\n", 1)[0].rstrip(b"\r")

    def _after_line(self, at: int) -> int:
        end = self._data.find(b"\n", at)
        return end + 1 if end >= 0 else len(self._data)

    def _has(self, size: int) -> bool:
        self._fill(size)
        return len(self._data) >= size

    def _fill(self, size: int) -> None:
        """Hold `size` bytes, or all there are; what was given out stays until `_compact`."""
        while len(self._data) < size and not self._ended:
            chunk = self._read(_CHUNK)
            self._data += chunk
            self._ended = not chunk

    def _fill_more(self) -> bool:
        """Read more; False at the end. What was given out is forgotten: positions move with `start`."""
        self._compact()
        before = len(self._data)
        self._fill(before + 1)
        return len(self._data) > before

    def _compact(self) -> None:
        del self._data[: self._start]
        self._base += self._start
        self._start = 0


def _is_dated(line: bytes) -> bool:
    return line.startswith(b"From ") and bool(_TIME.search(line)) and bool(_YEAR.search(line))


def _unescape(content: bytes) -> bytes:
    if b">From " not in content or b"\nFrom " in content:
        return content
    return _ESCAPED.sub(rb"\1", content)

"""When a mail from a file once arrived: its own traces tell, so that it stands at its place on a timeline.

Looked at in the order of their worth: the topmost Received header (the last server's), the From line of the mbox,
the seconds in a Maildir's file name, the Date header (the author's own word).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from channels.mail.reading.dates import read_date

_HEAD: Final = 65_536
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_HEADER: Final = rb"^%s:((?:[^\n]*\n[ \t])*[^\n]*)"
_RECEIVED: Final = re.compile(_HEADER % b"received", re.MULTILINE | re.IGNORECASE)
_DATE: Final = re.compile(_HEADER % b"date", re.MULTILINE | re.IGNORECASE)
_FROM_LINE: Final = re.compile(r"From (?:-|\S+)\s+(.+)")
_SECONDS: Final = re.compile(r"(\d{9,10})\.")
_EARLIEST: Final = datetime(1980, 1, 1, tzinfo=UTC)  # what is older is the date of a clock that was not set


def when_received(raw: bytes, from_line: str = "", file_name: str = "") -> datetime | None:
    """The moment, never in the future; None when nothing tells. Never raises."""
    now = datetime.now(UTC)
    for text in _words(raw, from_line, file_name):
        moment = read_date(text.strip(), set())
        if moment is not None and _EARLIEST <= moment <= now:
            return moment
    return None


def _words(raw: bytes, from_line: str, file_name: str) -> Iterator[str]:
    head = _HEAD_END.split(raw[:_HEAD], maxsplit=1)[0]
    if received := _RECEIVED.search(head):
        yield _text(received[1]).rpartition(";")[2]
    if line := _FROM_LINE.match(from_line):
        yield line[1]
    if seconds := _SECONDS.match(file_name):
        yield seconds[1]
    if date := _DATE.search(head):
        yield _text(date[1])


def _text(value: bytes) -> str:
    return " ".join(value[:2000].decode("ascii", "replace").split())

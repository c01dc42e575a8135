"""A list of MAPI properties as TNEF holds it ([MS-OXTNEF] section 2.1.3.4): the few we use, by id."""

from __future__ import annotations

BODY = 0x1000
RTF = 0x1009
HTML = 0x1013
DATA = 0x3701
DISPLAY_NAME = 0x3001
SHORT_NAME = 0x3704
LONG_NAME = 0x3707
MIME_TAG = 0x370E
CONTENT_ID = 0x3712

_WANTED = frozenset({BODY, RTF, HTML, DATA, DISPLAY_NAME, SHORT_NAME, LONG_NAME, MIME_TAG, CONTENT_ID})
_FIXED = {
    0x02: 4,
    0x03: 4,
    0x04: 4,
    0x05: 8,
    0x06: 8,
    0x07: 8,
    0x0A: 4,
    0x0B: 4,
    0x14: 8,
    0x40: 8,
    0x48: 16,
    0x01: 4,
}
_OBJECT, _STRING, _UNICODE, _BINARY = 0x0D, 0x1E, 0x1F, 0x102
_MULTIPLE = 0x1000
_AT_MOST = 5_000

Value = str | bytes


class _Cursor:
    """A place in bytes; running over the end raises EOFError."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, length: int) -> bytes:
        piece = self.data[self.position : self.position + length]
        if len(piece) < length:
            raise EOFError
        self.position += length
        return piece

    def number(self, length: int = 4) -> int:
        return int.from_bytes(self.take(length), "little")

    def padded(self, length: int) -> bytes:
        piece = self.take(length)
        self.position += -length % 4
        return piece


def read_properties(data: bytes, codepage: str) -> dict[int, Value]:
    """The wanted properties, as far as the list can be read; the first value of each."""
    found: dict[int, Value] = {}
    cursor = _Cursor(data)
    try:
        count = min(cursor.number(), _AT_MOST)
        for _ in range(count):
            kind, name = cursor.number(2), cursor.number(2)
            if name >= 0x8000:
                _skip_name(cursor)
            for value in _values(cursor, kind, codepage):
                if name in _WANTED:
                    found.setdefault(name, value)
    except EOFError:
        pass
    return found


def _skip_name(cursor: _Cursor) -> None:
    cursor.take(16)
    if cursor.number() == 0:
        cursor.number()
    else:
        cursor.padded(cursor.number())


def _values(cursor: _Cursor, kind: int, codepage: str) -> list[Value]:
    multiple = bool(kind & _MULTIPLE)
    base = kind & ~_MULTIPLE
    if base in _FIXED:
        for _ in range(min(cursor.number(), _AT_MOST) if multiple else 1):
            cursor.padded(_FIXED[base])
        return []
    if base not in (_OBJECT, _STRING, _UNICODE, _BINARY):
        raise EOFError  # an unknown kind has an unknown length
    values: list[Value] = []
    for _ in range(min(cursor.number(), _AT_MOST)):
        piece = cursor.padded(cursor.number())
        if base == _UNICODE:
            values.append(piece.decode("utf-16-le", "replace").split("\x00")[0])
        elif base == _STRING:
            values.append(piece.split(b"\x00")[0].decode(codepage, "replace"))
        else:
            values.append(piece)
    return values

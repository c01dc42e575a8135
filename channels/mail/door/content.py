"""Read the content of a mail after DATA: bounded memory whatever is sent, and one ending only.

The content ends with CR LF . CR LF and nothing else (RFC 5321, 4.1.1.4). A lone LF or CR is content like any other
byte and is kept as it came: a server in front of us that takes LF . LF for an ending, or passes it on as content,
cannot be used to smuggle a second mail past it, because here it never ends anything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n.\r\n"


class TooLarge(Exception):
    """The mail is larger than a mail may be; it was read to its end and thrown away."""


class NoRoom(Exception):
    """Too many mails are on their way in at a time; this one was read to its end and thrown away."""


class Flood(Exception):
    """So much more than a mail may have was sent that waiting for its end is no use."""


@dataclass(slots=True)
class Room:
    """Bytes of mails in memory, over all connections of a door."""

    limit: int
    used: int = 0


@dataclass(slots=True)
class Hold:
    """What one mail uses of the room; given back with `release`."""

    room: Room
    size: int = 0

    def grow(self, size: int) -> bool:
        """Take more; False when there is no more."""
        if self.room.used + size > self.room.limit:
            return False
        self.room.used += size
        self.size += size
        return True

    def release(self) -> None:
        """Give everything back."""
        self.room.used -= self.size
        self.size = 0


async def read_content(reader: asyncio.StreamReader, limit: int, hold: Hold) -> bytes:
    """The content up to its ending, dots unstuffed, at most `limit` bytes; its size is on `hold` afterwards.

    Raises TooLarge or NoRoom after its ending was read, Flood when it did not end within twice the limit.
    """
    # The ending may be the first line: search as if the line end of DATA belonged to the content.
    reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]
    data = bytearray()
    problem: Exception | None = None
    read = 0
    ended = False
    while not ended:
        try:
            piece = await reader.readuntil(_END)
            ended = True
        except asyncio.LimitOverrunError as more:
            piece = await reader.readexactly(more.consumed)
        read += len(piece)
        if problem is None:
            if read > limit + len(_END):
                problem = TooLarge()
            elif not hold.grow(len(piece)):
                problem = NoRoom()
            else:
                data += piece
                continue
            data = bytearray()
            hold.release()
        if read > 2 * limit and not ended:
            raise Flood
    if problem is not None:
        raise problem
    if data.find(b"\r\n.", 0, -len(_END)) >= 0:
        ending = len(data) - len(_END)
        data = data[:ending].replace(b"\r\n.", b"\r\n") + data[ending:]
    return bytes(memoryview(data)[2 : 2 - len(_END)])

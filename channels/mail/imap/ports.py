"""What reading mailboxes needs from above: where mail goes, where it is noted how far a folder was read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from channels.base import Received


@dataclass(frozen=True, slots=True)
class Position:
    """Up to which mail a folder was taken in. UIDs mean something only together with their UIDVALIDITY (RFC 9051 2.3.1.1).

    `since` is the day before which mail was left out on purpose; None when nothing was.
    """

    uidvalidity: int
    uid: int
    since: date | None = None


class FolderState(StrEnum):
    """What the watch on a folder does."""

    CONNECTING = "connecting"  #: on the way to the server
    READING = "reading"  #: taking mail in; `done` of `total`
    WATCHING = "watching"  #: everything is in; the server tells of new mail, or is asked
    FAILED = "failed"  #: something is in the way; tried again by itself
    STOPPED = "stopped"  #: switched off in good order


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """How a folder is doing, for people to see. `trouble` is a word of words.Trouble, `words` say it in detail."""

    account: str
    folder: str
    state: FolderState
    contact_at: datetime | None = None  #: when the server last answered
    trouble: str = ""
    words: str = ""
    done: int = 0
    total: int | None = None
    again_at: datetime | None = None  #: when it is tried again


class Ledger(Protocol):
    """Keeps positions and statuses; every method raises when its store is away."""

    async def position(self, account: str, folder: str) -> Position | None:
        """How far this folder was read; None when it was never seen."""
        ...

    async def move(self, account: str, folder: str, position: Position) -> None:
        """Note it; durable when it returns. A position never moves back within the same UIDVALIDITY."""
        ...

    async def tell(self, status: FolderStatus) -> None:
        """Show people how the folder is doing."""
        ...


#: Takes a mail in: committed when it returns. A second arrival of the same door and cursor changes nothing.
Take = Callable[[Received], Awaitable[object]]

#: Keeps what there is of a mail that cannot be taken in, visible among the unreadable, with the reason.
Refuse = Callable[[Received, str], Awaitable[object]]

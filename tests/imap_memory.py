"""An intake and a ledger in memory, and a way to run watches and wait for what they bring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.base import Received
from channels.mail.imap.accounts import Mailboxes
from channels.mail.imap.ports import FolderState, FolderStatus, Position
from channels.mail.imap.settings import ImapAccount


class Memory:
    """Takes mails in as the real intake does: the same door and cursor again change nothing."""

    def __init__(self) -> None:
        self.mails: dict[tuple[str, str], Received] = {}
        self.aside: dict[tuple[str, str], tuple[Received, str]] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.statuses: list[FolderStatus] = []
        self.offered = 0
        self.before_take: Callable[[Received], None] = lambda received: None
        self.before_move: Callable[[Position], None] = lambda position: None

    async def take(self, received: Received) -> None:
        self.offered += 1
        self.before_take(received)
        self.mails.setdefault((received.door, received.cursor), received)

    async def refuse(self, received: Received, reason: str) -> None:
        self.aside.setdefault((received.door, received.cursor), (received, reason))

    async def position(self, account: str, folder: str) -> Position | None:
        return self.positions.get((account, folder))

    async def move(self, account: str, folder: str, position: Position) -> None:
        self.before_move(position)
        self.positions[account, folder] = position

    async def tell(self, status: FolderStatus) -> None:
        self.statuses.append(status)

    @property
    def subjects(self) -> list[str]:
        """Of the mails taken in, in the order they came."""
        return [subject_of(received.raw) for received in self.mails.values()]

    def states(self, account: str) -> list[FolderState]:
        return [status.state for status in self.statuses if status.account == account]

    def trouble(self, account: str) -> FolderStatus | None:
        """The last thing that went wrong with an account."""
        failed = [status for status in self.statuses if status.account == account and status.trouble]
        return failed[-1] if failed else None


def mail(subject: str, body: str = "hello", **headers: str) -> bytes:
    lines = [
        f"Subject: {subject}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\r\n").encode()


def subject_of(raw: bytes) -> str:
    return raw.partition(b"\r\n")[0].removeprefix(b"Subject: ").decode("utf-8", "replace")


@asynccontextmanager
async def watching(memory: Memory, *accounts: ImapAccount, **ports: Any) -> AsyncIterator[Mailboxes]:
    """Watch these accounts until the end of the block."""
    mailboxes = Mailboxes(accounts, take=memory.take, refuse=memory.refuse, ledger=memory, **ports)
    mailboxes.start()
    try:
        yield mailboxes
    finally:
        await mailboxes.close()


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

"""All mailboxes at once: a watch per folder; one that fails never stops another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Final

from channels.mail.imap.ports import FolderStatus, Ledger, Refuse, Take
from channels.mail.imap.settings import ImapAccount
from channels.mail.imap.watch import FolderWatch
from channels.mail.oauth.tokens import TokenSource
from domain.errors import ConfigurationError

#: seconds that noting the end may take
_FAREWELL: Final = 2.0


class Mailboxes:
    """Watches the folders of every enabled account between `start` and `close`.

    `tokens` gives the token source of each account that logs in by OAuth, by the account's name.
    """

    def __init__(
        self,
        accounts: Sequence[ImapAccount],
        *,
        take: Take,
        refuse: Refuse,
        ledger: Ledger,
        tokens: Mapping[str, TokenSource] | None = None,
    ) -> None:
        names = [account.name for account in accounts]
        if len(set(names)) != len(names):
            raise ConfigurationError("Two IMAP accounts have the same name. Give each a name of its own.")
        self._watches = [
            FolderWatch(
                account,
                folder,
                take=take,
                refuse=refuse,
                ledger=ledger,
                tokens=(tokens or {}).get(account.name),
            )
            for account in accounts
            if account.enabled
            for folder in account.folders
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to watch."""
        self._tasks = [asyncio.create_task(watch.run()) for watch in self._watches]

    async def close(self) -> None:
        """Stop watching. What is being fetched is fetched again next time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await asyncio.gather(*(watch.tell_end() for watch in self._watches))

    @property
    def statuses(self) -> list[FolderStatus]:
        """How every folder is doing now."""
        return [watch.status for watch in self._watches]

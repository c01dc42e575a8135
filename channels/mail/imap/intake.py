"""A batch of fetched mails handed to the intake: all at once, so that one commit takes many; the bad ones aside."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from channels.mail.imap.envelope import receive, stand_in
from channels.mail.imap.fetching import Fetched
from channels.mail.imap.ports import Refuse, Take
from channels.mail.imap.settings import FolderSettings, ImapAccount
from channels.mail.imap.words import StorageAway
from domain.errors import Unavailable

log = logging.getLogger(__name__)

#: attempts, each on a connection of its own, before a mail that cannot be had is put aside
PATIENCE: Final = 3


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Up to which UID everything is committed (0: nothing is), and which mails came in whole."""

    through: int
    whole: list[int]


class BatchIntake:
    """Takes batches in, and remembers which mails made trouble before."""

    def __init__(self, account: ImapAccount, folder: FolderSettings, take: Take, refuse: Refuse) -> None:
        self._account = account
        self._folder = folder
        self._take = take
        self._refuse = refuse
        self._attempts: Counter[tuple[int, int]] = Counter()

    async def take_in(self, uidvalidity: int, mails: Sequence[Fetched]) -> tuple[TakenIn, Exception | None]:
        """Commit the mails; how far that went, and what stopped it.

        A mail that the server cannot give, or that the intake does not bear, stops the batch some times, in case
        it is temporary; then what there is of it is put aside, visible, and the next mails follow.
        """
        results = await asyncio.gather(
            *(self._commit(uidvalidity, mail) for mail in mails), return_exceptions=True
        )
        through = 0
        whole: list[int] = []
        for mail, result in zip(mails, results, strict=True):
            if isinstance(result, BaseException):
                if not isinstance(result, Exception):
                    raise result
                return TakenIn(through, whole), result
            through = mail.entry.uid
            if result:
                whole.append(mail.entry.uid)
        return TakenIn(through, whole), None

    async def _commit(self, uidvalidity: int, mail: Fetched) -> bool:
        """Take one mail in; whether all of it is here."""
        if mail.vanished:
            return False
        if mail.cut:
            limit = self._account.size_limit
            await self._put_aside(
                uidvalidity, mail, f"larger than allowed: {mail.entry.size} of {limit} bytes"
            )
            return False
        if mail.raw is None:
            why = f"the mail server cannot give it: {mail.words}"
            self._count(uidvalidity, mail, StorageAway(f"UID {mail.entry.uid}: {why}"))
            await self._put_aside(uidvalidity, mail, why)
            return False
        try:
            await self._take(receive(self._account, self._folder, uidvalidity, mail))
        except Exception as error:
            if _is_away(error):
                raise StorageAway(
                    f"The mail could not be kept here: {str(error) or type(error).__name__}"
                ) from error
            log.exception("the intake refused UID %d", mail.entry.uid)
            why = f"it could not be kept: {type(error).__name__}: {error}"
            self._count(uidvalidity, mail, StorageAway(f"UID {mail.entry.uid}: {why}"))
            await self._put_aside(uidvalidity, mail, why)
            return False
        return True

    def _count(self, uidvalidity: int, mail: Fetched, error: Exception) -> None:
        """Raise `error` until patience is at its end."""
        key = (uidvalidity, mail.entry.uid)
        self._attempts[key] += 1
        if self._attempts[key] < PATIENCE:
            raise error

    async def _put_aside(self, uidvalidity: int, mail: Fetched, why: str) -> None:
        received = stand_in(self._account, self._folder, uidvalidity, mail, why)
        try:
            await self._refuse(received, why)
        except Exception as error:
            raise StorageAway(
                f"The mail could not be kept here: {str(error) or type(error).__name__}"
            ) from error
        log.warning("%s: mail %s was put aside: %s", self._account.name, received.cursor, why)


def _is_away(error: Exception) -> bool:
    """Whether the store is in trouble, and not the mail: the intake names a mail that cannot be written as the cause."""
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        return isinstance(error.__cause__, (OSError, TimeoutError))
    return isinstance(error, (OSError, TimeoutError, Unavailable))

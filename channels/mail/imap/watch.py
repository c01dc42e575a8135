"""The watch on one folder: connect, read what is new, wait for news, and start over when something breaks.

Order of things for every batch: fetched, taken in (committed), position moved (committed), courtesy. Cut anywhere,
the worst that happens is that mails are fetched again, and the intake knows them by door and cursor. Flags mean
nothing here: what was read is what lies at or below the position.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from imapclient import IMAPClient

from channels.mail.imap.connection import Opened, connect, log_in, open_folder
from channels.mail.imap.courtesy import be_courteous
from channels.mail.imap.examination import find_secret
from channels.mail.imap.fetching import count_new, fetch_batch, find_last, list_new, plan_batches
from channels.mail.imap.idling import forget_news, wait_for_news
from channels.mail.imap.intake import BatchIntake
from channels.mail.imap.ports import FolderState, FolderStatus, Ledger, Position, Refuse, Take
from channels.mail.imap.settings import FolderSettings, ImapAccount
from channels.mail.imap.thread import ConnectionThread
from channels.mail.imap.words import Diagnosis, StorageAway, Trouble, diagnose
from channels.mail.oauth.tokens import TokenSource

log = logging.getLogger(__name__)

#: the most seconds between two looks when a server keeps telling of mail that is not there
_LONGEST_CALM: Final = 5.0
#: seconds between two notes of the progress
_TELL_EVERY: Final = 1.0
#: seconds that a connection has to last before its end counts as the first failure
_STEADY: Final = 60.0
_REFUSALS: Final = frozenset({Trouble.LOGIN, Trouble.CONSENT, Trouble.OAUTH})


def _now() -> datetime:
    return datetime.now(UTC)


class FolderWatch:
    """Reads one folder of one account until it is cancelled."""

    def __init__(
        self,
        account: ImapAccount,
        folder: FolderSettings,
        *,
        take: Take,
        refuse: Refuse,
        ledger: Ledger,
        tokens: TokenSource | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.account = account
        self.folder = folder
        self.status = FolderStatus(account.name, folder.name, FolderState.CONNECTING)
        self._ledger = ledger
        self._tokens = tokens
        self._now = now
        self._intake = BatchIntake(account, folder, take, refuse)
        self._failures = 0
        self._told_at = 0.0
        self._token = ""
        self._courtesy = ""
        self._backwards = ""

    async def run(self) -> None:
        """Watch until cancelled; whatever goes wrong is shown in the status and tried again."""
        time = asyncio.get_running_loop().time
        while True:
            began = time()
            try:
                await self._visit()
            except Exception as error:
                if time() - began > _STEADY:
                    self._failures = 0
                await self._pause(diagnose(error, self.account.host))

    async def tell_end(self) -> None:
        """Show that nobody watches any more; after `run` was cancelled."""
        await self._tell(state=FolderState.STOPPED, trouble="", words="")

    async def _visit(self) -> None:
        """One connection, from its opening until it breaks."""
        await self._tell(state=FolderState.CONNECTING)
        secret = await self._find_secret()
        thread = ConnectionThread(f"imap-{self.account.name}-{self.folder.name}")
        try:
            client = await thread.call(connect, self.account, thread.adopt)
            await thread.call(log_in, client, self.account, secret)
            await self._stay(thread, client)
        finally:
            thread.close()

    async def _find_secret(self) -> str:
        refused = self._token if self._was_refused else ""
        self._token = await find_secret(self.account, self._tokens, refused)
        return self._token

    @property
    def _was_refused(self) -> bool:
        return self.status.trouble == Trouble.LOGIN

    async def _stay(self, thread: ConnectionThread, client: IMAPClient) -> None:
        """Read, wait, read again. The folder is opened anew each time that nothing was told for a while."""
        idles = self.account.idle and await thread.call(client.has_capability, "IDLE")
        while True:
            opened = await thread.call(open_folder, client, self.folder)
            end = opened.uidnext - 1 if opened.uidnext else await thread.call(find_last, client)
            position = await self._start(thread, client, opened)
            self._backwards = self._look_back(opened, position)
            await self._count(thread, client, opened, position, end)
            position = await self._read(thread, client, position, end)
            rumours = -1  # news in a row that came to nothing; the first look follows none
            while True:
                before = position
                position = await self._read(thread, client, position, None)
                rumours = rumours + 1 if position == before else 0
                if rumours > 0:
                    await asyncio.sleep(min(_LONGEST_CALM, 0.05 * rumours))
                await self._tell(state=FolderState.WATCHING, contact_at=self._now(), **self._trouble())
                if not idles:
                    await asyncio.sleep(self.account.poll_seconds)
                    break
                if not await thread.call(wait_for_news, client, self.account.idle_seconds):
                    break

    async def _start(self, thread: ConnectionThread, client: IMAPClient, opened: Opened) -> Position:
        """Where reading goes on: at the position, or at the beginning of a folder that is new or was made anew."""
        try:
            known = await self._ledger.position(*self._names)
        except Exception as error:
            raise StorageAway(f"The position is not known: {error}") from error
        if known is not None and known.uidvalidity == opened.uidvalidity:
            return known
        if known is not None:
            log.info("%s, %s: the server counts anew; reading from the beginning", *self._names)
            position = Position(opened.uidvalidity, 0, known.since)
        elif self.account.since == "now":
            # Of today's mails those that are there already are left out by their UIDs.
            last = await thread.call(find_last, client)
            position = Position(opened.uidvalidity, last, self._now().date())
        else:
            since = self.account.since
            position = Position(opened.uidvalidity, 0, since if isinstance(since, date) else None)
        await self._move(position)
        return position

    def _look_back(self, opened: Opened, position: Position) -> str:
        """What to say of a server that gives UIDs anew which it gave before (RFC 9051 2.3.1.1 forbids it)."""
        if not opened.uidnext or opened.uidnext > position.uid:
            return ""
        words = (
            f"the server counts on from {opened.uidnext}, although {position.uid} was read: was it restored from a copy? "
            "Mail with numbers in between is not read; to read the folder anew, give the account another name"
        )
        if words != self._backwards:
            log.error("%s, %s: %s", *self._names, words)
        return words

    async def _move(self, position: Position) -> None:
        """Note how far we are. Raises StorageAway."""
        try:
            await self._ledger.move(*self._names, position)
        except Exception as error:
            raise StorageAway(f"The position could not be noted: {error}") from error

    async def _count(
        self, thread: ConnectionThread, client: IMAPClient, opened: Opened, position: Position, end: int
    ) -> None:
        """Show how much there is to do, if there is anything."""
        if end <= position.uid:
            return
        total = None
        if position.since is None or position.uid:
            total = await thread.call(count_new, client, opened.exists, position.uid)
            if not total:
                return
        await self._tell(
            state=FolderState.READING, contact_at=self._now(), done=0, total=total, trouble="", words=""
        )

    async def _read(
        self, thread: ConnectionThread, client: IMAPClient, position: Position, end: int | None
    ) -> Position:
        """Take in everything above the position, up to `end` or all there is; the new position."""
        account = self.account
        # A server's dates are in its own time zone: a day of tolerance.
        since = position.since - timedelta(days=1) if position.since else None
        while end is None or position.uid < end:
            await thread.call(forget_news, client)
            listing = await thread.call(list_new, client, position.uid, end, since)
            for batch in plan_batches(listing.entries, account.batch_bytes, account.batch_mails):
                mails = await thread.call(fetch_batch, client, batch, account.size_limit)
                taken, error = await self._intake.take_in(position.uidvalidity, mails)
                if taken.through:
                    position = replace(position, uid=taken.through)
                    await self._move(position)
                self._courtesy = await thread.call(be_courteous, client, self.folder, taken.whole)
                if error is not None:
                    raise error
                self._failures = 0
                await self._tell_progress(len(batch))
                del mails
            if listing.through <= position.uid and not listing.entries:
                break
            position = replace(position, uid=max(position.uid, listing.through))
            await self._move(position)
        return position

    async def _pause(self, diagnosis: Diagnosis) -> None:
        """Show what went wrong, and wait: longer each time, and never in step with others."""
        account = self.account
        delay = min(account.retry_longest, account.retry_seconds * 2 ** min(self._failures, 30))
        # The first refusal of a token may be an old token: a fresh one is tried soon.
        again = self._tokens is None or self.status.trouble in _REFUSALS
        if diagnosis.trouble in _REFUSALS and again:
            delay = account.login_retry_seconds
        delay *= random.uniform(0.5, 1.0)
        self._failures += 1
        log.warning("%s, %s: %s (again in %.0f s)", *self._names, diagnosis.words, delay)
        await self._tell(
            state=FolderState.FAILED,
            trouble=str(diagnosis.trouble),
            words=diagnosis.words,
            again_at=self._now() + timedelta(seconds=delay),
        )
        await asyncio.sleep(delay)

    async def _tell_progress(self, mails: int) -> None:
        done = self.status.done + mails
        total = self.status.total if self.status.total is None else max(self.status.total, done)
        changed = replace(
            self.status, state=FolderState.READING, done=done, total=total, contact_at=self._now()
        )
        loud = asyncio.get_running_loop().time() - self._told_at >= _TELL_EVERY
        self.status = changed
        if loud:
            await self._tell()

    async def _tell(self, **changes: Any) -> None:
        """Show the status. People can wait for it; mail cannot, so a store that is away stops nothing."""
        self.status = replace(self.status, again_at=None)
        self.status = replace(self.status, **changes)
        self._told_at = asyncio.get_running_loop().time()
        try:
            await self._ledger.tell(self.status)
        except Exception as error:
            log.warning("%s, %s: the status was not noted: %s", *self._names, error)

    def _trouble(self) -> dict[str, str]:
        if self._backwards:
            return {"trouble": str(Trouble.PROTOCOL), "words": self._backwards}
        if self._courtesy:
            return {"trouble": str(Trouble.COURTESY), "words": self._courtesy}
        return {"trouble": "", "words": ""}

    @property
    def _names(self) -> tuple[str, str]:
        return self.account.name, self.folder.name

"""Take in mails: bytes and a row are committed before anybody is told that we have them (promises 1 and 5).

Mails that arrive while a commit is under way are the next group: one statement keeps them all, so a busy door pays
for few commits and a quiet one waits for nobody. A mail is known by the SHA-256 of its bytes as they came, so a
sender that lost our answer and tries again makes no second one; for the same reason a commit whose fate is unclear
is simply tried again, as long as its sender has patience.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from channels.base import Received
from domain.errors import Unavailable
from inbox.arrival import counters
from inbox.arrival.settings import IntakeSettings
from inbox.arrival.statement import KEEP
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.fate import Fate, judge_error
from storage.pool import DATABASE_AWAY, Connection, Pool

_log = logging.getLogger(__name__)
_INLINE: Final = 1_048_576  # bytes that are hashed without a thread
_TEXT_LIMIT: Final = 2000  # characters of an address, a cursor or a fact about the connection
_CURSOR_LIMIT: Final = 500
_PAUSE: Final = 0.05  # seconds after a failure; doubles with each further one
_LONGEST_PAUSE: Final = 0.5
_AWAY: Final = "The mail could not be stored now. Hand it in again later."


class Taken(NamedTuple):
    """What became of a mail: its row, and whether its bytes were new to us."""

    raw_id: int
    new: bool


class _Row(NamedTuple):
    """A mail as the statement takes it; recipients are lines, meta is JSON."""

    content_hash: bytes
    size: int
    content: bytes | None
    blob: str | None
    sender: str
    door: str
    cursor: str
    recipients: str
    meta: str
    channel: str


class _Waiting(NamedTuple):
    row: _Row
    answer: asyncio.Future[Taken]


class Intake:
    """Keeps mails for one process. Must be made inside its event loop; close it before the pool."""

    def __init__(
        self,
        pool: Pool,
        blobs: BlobStore,
        announcer: Announcer,
        settings: IntakeSettings | None = None,
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._announcer = announcer
        self._settings = settings or IntakeSettings()
        self._waiting: deque[_Waiting] = deque()
        self._keeper: asyncio.Task[None] | None = None

    async def take(self, received: Received) -> Taken:
        """Keep one mail; when this returns, it is committed.

        The same bytes again are the same mail: `new` is False, and only what is new about their arrival (a cursor,
        other recipients) is added. Raises Unavailable when the database or the disk cannot take it within
        `patience`; then it may be handed in again without harm.
        """
        try:
            async with asyncio.timeout(self._settings.patience):
                answer = self._put(await self._prepare(received))
                return await answer
        except (TimeoutError, OSError) as error:
            counters.REFUSED.inc()
            raise Unavailable(_AWAY) from error

    async def close(self) -> None:
        """Stop keeping; whoever still waits is told Unavailable."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._refuse(self._waiting, None)
        self._waiting.clear()

    async def _prepare(self, received: Received) -> _Row:
        raw = received.raw
        size = len(raw)
        if size > _INLINE:
            digest = await asyncio.to_thread(lambda: hashlib.sha256(raw).digest())
        else:
            digest = hashlib.sha256(raw).digest()
        recipients = "\n".join(_text(recipient) for recipient in received.recipients)
        blob = None
        if size >= self._settings.blob_from:
            blob = await asyncio.to_thread(self._blobs.put, raw)
        return _Row(
            content_hash=digest,
            size=size,
            content=raw if blob is None else None,
            blob=blob,
            sender=_text(received.sender),
            door=_text(received.door),
            # A door without cursors is known by what it brought and for whom.
            cursor=_cursor(received.cursor) or _fingerprint(digest, recipients),
            recipients=recipients,
            meta=json.dumps({_text(name): _text(value) for name, value in received.meta.items()}),
            channel=received.kind.value,
        )

    def _put(self, row: _Row) -> asyncio.Future[Taken]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Taken] = loop.create_future()
        self._waiting.append(_Waiting(row, answer))
        if self._keeper is None or self._keeper.done():
            self._keeper = loop.create_task(self._keep_all(), name="intake")
        return answer

    async def _keep_all(self) -> None:
        """Keep what waits, group after group, until nothing does; whoever has waited too long goes by itself."""
        pause = _PAUSE
        while self._waiting:
            try:
                async with self._pool.acquire(timeout=self._settings.patience) as connection:
                    while group := self._next_group():
                        await self._keep(connection, group)
                        pause = _PAUSE
            except Exception as error:  # whatever it is, this loop must not end: nothing else keeps mails
                if not isinstance(error, DATABASE_AWAY):
                    _log.exception("Mails cannot be kept now")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                self._waiting = deque(entry for entry in self._waiting if not entry.answer.done())

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < self._settings.group_limit and size < self._settings.group_bytes:
            entry = self._waiting.popleft()
            if not entry.answer.done():  # else its sender has gone: nobody was told that we have it
                group.append(entry)
                size += len(entry.row.content or b"")
        return group

    async def _keep(self, connection: Connection, group: Sequence[_Waiting]) -> None:
        """Commit a group; in halves, when one of its mails cannot be written.

        A group whose commit failed, or whose fate nobody knows, waits again: what was committed is recognised.
        Raises what the connection raised when it is of no more use.
        """
        try:
            columns = zip(*(entry.row for entry in group), strict=True)
            rows = await connection.fetch(KEEP, *columns, timeout=self._settings.patience)
        except Exception as error:
            fate = judge_error(error)
            if fate is not Fate.BAD_ROW:
                self._waiting.extendleft(reversed(group))
                if fate is not Fate.AGAIN:
                    raise
            elif len(group) > 1:
                middle = len(group) // 2
                self._waiting.extendleft(reversed(group[middle:]))
                await self._keep(connection, group[:middle])
            else:
                _log.error("A mail cannot be written: %s", type(error).__name__)
                self._refuse(group, error)
            return
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(group))
            raise
        counters.GROUP_SIZE.observe(len(group))
        for entry, row in zip(group, rows, strict=True):
            counters.TAKEN.labels("new" if row["new"] else "again").inc()
            counters.BYTES.inc(entry.row.size)
            if not entry.answer.done():
                entry.answer.set_result(Taken(row["id"], row["new"]))
        self._announcer.touch()

    def _refuse(self, entries: Iterable[_Waiting], cause: BaseException | None) -> None:
        for entry in entries:
            if not entry.answer.done():
                counters.REFUSED.inc()
                error = Unavailable(_AWAY)
                error.__cause__ = cause
                entry.answer.set_exception(error)


def _fingerprint(digest: bytes, recipients: str) -> str:
    lines = sorted(recipients.casefold().split("\n"))
    return hashlib.sha256(digest + "\n".join(lines).encode()).hexdigest()


def _cursor(value: str) -> str:
    """A cursor as the index takes it, which has a limit."""
    text = _text(value)
    return (
        text if len(text) <= _CURSOR_LIMIT else hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    )


def _text(value: str) -> str:
    """A word of an envelope as PostgreSQL takes it: one line, no NUL, no lone surrogate."""
    return (
        value[:_TEXT_LIMIT]
        .replace("\0", "")
        .replace("\r", " ")
        .replace("\n", " ")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )

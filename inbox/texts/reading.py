"""From stored bytes to short messages: who wrote, which conversation it belongs to, what a STOP means.

The counterpart of inbox/mails/reading.py for what came in by SMS. Each message is stored in a transaction of its own; what
cannot be read goes to the quarantine, and a bad message never keeps the next one out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from channels.sms.inbound import InboundSms, read_inbound
from channels.sms.keywords import Command
from channels.sms.numbers import is_e164
from domain.clock import Clock
from domain.errors import InvalidInput
from domain.messages import ChannelKind
from inbox import reading_metrics
from inbox.arrival.claims import Claimed, claim_again, claim_new, give_back, quarantine, try_later
from inbox.mails.reading import Confide, confide_nothing
from inbox.mails.writing import HOLD
from inbox.reading_settings import ReadingSettings, TextAnswerSettings
from inbox.texts.automatic import answer_command
from inbox.texts.consent import has_opted_out, opt_in, opt_out
from inbox.texts.writing import find_place, hold_number, store_message, was_stored
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.event_store import record
from storage.pool import DATABASE_AWAY, Connection, Pool
from storage.unit_of_work import UnitOfWork, unit_of_work

log = logging.getLogger("clytie.inbox")

_SOURCE = "sms"
#: A later command of the same number was read before this one: its reader died, or it lay in the quarantine.
_OVERTAKEN = """
SELECT EXISTS (SELECT FROM sms_facts WHERE theirs = $1 AND raw_id > $2 AND command IN ('stop', 'start'))
"""
_SETTLE = """
UPDATE raw_mails SET state = 'read', message_id = $2, reason = NULL, read_again_at = NULL, settled_at = now()
WHERE id = $1
"""


@dataclass(slots=True)
class SmsReader:
    """Reads short messages for one process; twins in other processes do no harm."""

    pool: Pool
    blobs: BlobStore
    clock: Clock
    announcer: Announcer | None = None
    settings: ReadingSettings = field(default_factory=ReadingSettings)
    answers: TextAnswerSettings = field(default_factory=TextAnswerSettings)
    confide: Confide = confide_nothing
    _unsettled: list[tuple[int, int]] = field(default_factory=list)

    async def read_due(self) -> int:
        """Read what arrived, at most a few batches; gives how many messages were taken up.

        Raises what says that the database is away (storage.pool.DATABASE_AWAY); nothing is lost then.
        """
        if self._unsettled:
            await give_back(self.pool, self._unsettled)
            self._unsettled.clear()
        again = await claim_again(self.pool, self.blobs, self.settings, ChannelKind.SMS)
        fresh = await claim_new(self.pool, self.blobs, self.settings, ChannelKind.SMS)
        await self._read_all([*again, *fresh])
        return len(again) + len(fresh)

    async def _read_all(self, claimed: Sequence[Claimed]) -> None:
        for place, one in enumerate(claimed):
            try:
                await self._read(one)
            except BaseException:  # these messages are not to blame for it
                self._unsettled += [(rest.id, rest.attempts) for rest in claimed[place:]]
                raise

    async def _read(self, claimed: Claimed) -> None:
        if claimed.raw is None:
            await try_later(self.pool, claimed, "The file with its bytes is gone.", self.settings)
            return
        try:
            message = read_inbound(claimed.raw)
        except InvalidInput as error:
            await quarantine(self.pool, claimed, str(error))
            return
        try:
            await self._store(claimed, message)
        except DATABASE_AWAY:
            raise
        except Exception as error:
            log.exception("short message %d could not be stored", claimed.id)
            words = f"Storing it failed: {type(error).__name__}: {error}"[:500].replace("\0", "")
            await try_later(self.pool, claimed, words, self.settings)

    async def _store(self, claimed: Claimed, message: InboundSms) -> None:
        at = self.clock.now() - claimed.age
        async with unit_of_work(self.pool, self.announcer) as work:
            connection = work.connection
            if not await connection.fetch(HOLD, [claimed.id], [claimed.attempts]):
                return  # somebody else began to read it
            await hold_number(connection, message.sender)
            number = await was_stored(connection, message.provider_id)
            if number is None:
                command = await _command_of(connection, message)
                obeyed = command in (Command.STOP, Command.START)
                place = await find_place(connection, message, at, self.settings.queue, is_quiet=obeyed)
                number = await store_message(work, claimed.id, message, place, at, command)
                if obeyed and await connection.fetchval(_OVERTAKEN, message.sender, claimed.id):
                    command = None  # the last word counts, in whatever order they are read
                if command is Command.STOP and is_e164(message.sender):
                    await opt_out(
                        work,
                        message.sender,
                        at,
                        source=_SOURCE,
                        message_id=number,
                        wording=message.body.strip(),
                    )
                elif command is Command.START:
                    opened = await opt_in(
                        work, message.sender, at, source=_SOURCE, wording=message.body.strip()
                    )
                    command = Command.START if opened else None
                if command is not None:
                    await answer_command(connection, message, command, place, at, self.answers, self.clock)
                await self._confide(work)
            await connection.execute(_SETTLE, claimed.id, number)
        reading_metrics.READ.labels("sms").inc()

    async def _confide(self, work: UnitOfWork) -> None:
        """Let the rules about confidential messages act before anybody can see this one."""
        told = await record(work.connection, work.events)
        work.events.clear()
        await self.confide(work.connection, [number for number in told if number is not None])


async def _command_of(connection: Connection, message: InboundSms) -> Command | None:
    """What a message asks for. A "yes" that could be an ordinary answer is START only from whom STOP came before."""
    if message.opted is not None or message.keyword is None:
        return message.opted
    if message.keyword.ambiguous and not await has_opted_out(connection, message.sender):
        return None
    return message.keyword.command

"""From stored bytes to messages, conversations and events: what a worker does with the mails that arrived.

Mails are claimed, understood in a process of their own, judged, and stored. A batch is stored in one transaction;
when that fails, each of its mails gets one of its own, so that a bad one does not keep the others out. Whatever dies
in between, the mails that were not stored are read again, and those that were stored are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from channels.mail import verp
from channels.mail.junk import Junk
from channels.mail.parsed import ParsedMail
from domain.clock import Clock
from domain.tokens import Token, TokenKeys, TokenUse
from inbox import reading_metrics
from inbox.arrival.claims import Claimed, claim_again, claim_new, give_back, quarantine, try_later
from inbox.mails.arrived import Arrival, Arrived, envelope_of
from inbox.mails.asking import what_is_asked
from inbox.mails.auto_answers import greet
from inbox.mails.deciding import House, decide
from inbox.mails.deeds import Deed
from inbox.mails.effects import carry_out
from inbox.mails.known import load_known
from inbox.mails.process import Enveloped, Problem, ReadingProcess
from inbox.mails.understanding import Understood, short_id
from inbox.mails.writing import HOLD, take_numbers, write_deeds
from inbox.reading_settings import AutoAnswerSettings, BounceSettings, ReadingSettings
from outbox.addresses import read_bounce_address, read_header_id, read_reply_address
from outbox.letters.writing import Stationery
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import DATABASE_AWAY, Connection, Pool
from storage.unit_of_work import unit_of_work

log = logging.getLogger("clytie.inbox")

Judge = Callable[[bytes, ParsedMail, str, Sequence[str], Mapping[str, str]], Awaitable[Junk]]
"""Bytes, mail, envelope sender and recipients, and what the door noted; the verdict on junk and viruses."""

Authenticate = Callable[[bytes, ParsedMail, str, Mapping[str, str]], Awaitable[Mapping[str, str]]]
"""Bytes, mail, envelope sender, and what the door noted; the results of SPF, DKIM and DMARC by their names."""


Confide = Callable[[Connection, Sequence[int]], Awaitable[Collection[int]]]
"""Asks the rules about confidential messages of events that were just recorded, in the same transaction; gives the
conversations that one of them took charge of: in those nothing is said by itself."""


async def confide_nothing(connection: Connection, events: Sequence[int]) -> Collection[int]:
    """Nothing is confidential."""
    return ()


async def judge_nothing(
    raw: bytes, mail: ParsedMail, sender: str, recipients: Sequence[str], meta: Mapping[str, str]
) -> Junk:
    """A judge that has nothing against any mail."""
    return Junk()


async def authenticate_nothing(
    raw: bytes, mail: ParsedMail, sender: str, meta: Mapping[str, str]
) -> Mapping[str, str]:
    """No results."""
    return {}


@dataclass(slots=True)
class Reader:
    """Reads mails for one process. `stationery` is what automatic answers are written with."""

    pool: Pool
    blobs: BlobStore
    process: ReadingProcess
    clock: Clock
    tokens: TokenKeys
    stationery: Stationery
    announcer: Announcer | None = None
    settings: ReadingSettings = field(default_factory=ReadingSettings)
    bounces: BounceSettings = field(default_factory=BounceSettings)
    auto_answers: AutoAnswerSettings = field(default_factory=AutoAnswerSettings)
    domains: Collection[str] = ()
    judge: Judge = judge_nothing
    authenticate: Authenticate = authenticate_nothing
    confide: Confide = confide_nothing
    _unsettled: list[tuple[int, int]] = field(default_factory=list)

    async def read_due(self) -> int:
        """Read what arrived, at most a batch; gives how many mails were taken up. Twins in other processes do no harm.

        Raises what says that the database is away (storage.pool.DATABASE_AWAY); nothing is lost then.
        """
        if self._unsettled:
            await give_back(self.pool, self._unsettled)
            self._unsettled.clear()
        again = await claim_again(self.pool, self.blobs, self.settings)
        if again:
            await self._read(again)
        fresh = await claim_new(self.pool, self.blobs, self.settings)
        if fresh:
            await self._read(fresh)
        return len(again) + len(fresh)

    async def close(self) -> None:
        """End the process that understands mails, and leave those that were not stored to the next reader at once."""
        await self.process.close()
        with contextlib.suppress(*DATABASE_AWAY):
            await give_back(self.pool, self._unsettled)

    async def _read(self, mails: Sequence[Claimed]) -> None:
        """Store one batch while the next is being understood."""
        size = self.settings.batch
        batches = [mails[place : place + size] for place in range(0, len(mails), size)]
        patience = self.settings.lease / 3 / len(batches)
        understanding = asyncio.ensure_future(self._understand(batches[0], patience))
        try:
            for following in [*batches[1:], ()]:
                arrived = await understanding
                understanding = asyncio.ensure_future(self._understand(following, patience))
                if arrived:
                    await self._store_all(arrived)
            await understanding
        except BaseException:  # whatever it is, these mails are not to blame for it
            self._unsettled += [(mail.id, mail.attempts) for mail in mails]
            raise
        finally:
            understanding.cancel()
            await asyncio.gather(understanding, return_exceptions=True)

    async def _understand(self, mails: Sequence[Claimed], patience: float) -> list[Arrived]:
        """What the mails say, without those that cannot be read, and those whose turn did not come."""
        there = []
        for mail in mails:
            if mail.raw is None:
                await try_later(self.pool, mail, "The file with its bytes is gone.", self.settings)
            else:
                sender = envelope_of(mail.sender, mail.arrivals, b"\nreturn-path:" in mail.raw[:2000].lower())
                there.append((mail, Enveloped(mail.raw, sender, _recipients(mail.arrivals))))
        if not there:
            return []
        answers = await self.process.understand([enveloped for _, enveloped in there], patience)
        late = [mail for mail, _ in there[len(answers) :]]
        await give_back(self.pool, [(mail.id, mail.attempts) for mail in late])
        arrived = []
        for (mail, _), answer in zip(there, answers, strict=False):
            if isinstance(answer, Problem):
                log.warning("mail %d cannot be read: %s", mail.id, answer.words)
                if answer.certain:
                    await quarantine(self.pool, mail, answer.words)
                    if self.announcer is not None:
                        self.announcer.touch()  # somebody may be looking at the list
                else:
                    await try_later(self.pool, mail, answer.words, self.settings)
            else:
                arrived.append(self._address(mail, answer))
        raws = {mail.id: enveloped.raw for mail, enveloped in there}
        await asyncio.gather(*[self._assess(one, raws[one.raw_id]) for one in arrived])
        return arrived

    def _address(self, mail: Claimed, understood: Understood) -> Arrived:
        """Read the tokens in the addresses that a mail came to."""
        at = self.clock.now() - _age(mail)
        arrived = Arrived(mail.id, mail.attempts, mail.sender, at, understood, mail.arrivals)
        outbox = self.stationery.settings
        parsed = understood.mail
        reached = [*arrived.recipients, *(box.address for box in (*parsed.to, *parsed.cc))]
        bounced = [read_bounce_address(self.tokens, outbox, one) for one in arrived.recipients]
        bounced.append(self.tokens.verify(understood.report.token, TokenUse.REPLY))
        arrived.bounced = list(dict.fromkeys(one for one in bounced if one is not None and one.message_id))
        answered = [read_reply_address(self.tokens, outbox, one) for one in reached]
        arrived.answered = list(dict.fromkeys(one for one in answered if one))
        spoken = {parsed.message_id, short_id(understood.report.message_id), *understood.ancestors} - {""}
        named = {one: read_header_id(self.tokens, one) for one in spoken}
        arrived.named = {one: token for one, token in named.items() if token is not None}
        copies = [self._copier(one) for one in (*reached, *(box.address for box in parsed.bcc))]
        arrived.copier = next((one for one in copies if one), None)
        return arrived

    def _copier(self, address: str) -> int | None:
        return read_copy_address(self.tokens, self.settings, address)

    async def _assess(self, arrived: Arrived, raw: bytes) -> None:
        """Ask the junk filters, and who really sent it. What they cannot tell keeps no mail out."""
        if arrived.outgoing and arrived.copier is None:
            return
        mail = arrived.understood.mail
        meta = next((one.meta for one in arrived.arrivals if one.meta.get("peer")), {})
        try:
            arrived.judgement = await self.judge(raw, mail, arrived.sender, arrived.recipients, meta)
            arrived.authentication = await self.authenticate(raw, mail, arrived.sender, meta)
        except Exception:
            log.exception("mail %d could not be assessed", arrived.raw_id)

    async def _store_all(self, batch: Sequence[Arrived]) -> None:
        try:
            await self._store(batch)
            return
        except DATABASE_AWAY:
            raise
        except Exception as error:
            if len(batch) > 1:
                log.warning("a batch of %d mails is stored one by one: %s", len(batch), error)
        for one in batch:
            await self._store_one(one)

    async def _store_one(self, arrived: Arrived) -> None:
        try:
            await self._store([arrived])
        except DATABASE_AWAY:
            raise
        except Exception as error:
            log.exception("mail %d could not be stored", arrived.raw_id)
            words = f"Storing it failed: {type(error).__name__}: {error}"[:500].replace("\0", "")
            mail = Claimed(arrived.raw_id, arrived.attempts, "", self.clock.now() - arrived.at, None, ())
            await try_later(self.pool, mail, words, self.settings)

    async def _store(self, batch: Sequence[Arrived]) -> None:
        """One transaction for all of the batch that is still ours."""
        deeds: list[Deed] = []
        async with unit_of_work(self.pool, self.announcer) as work:
            connection = work.connection
            rows = await connection.fetch(
                HOLD, [one.raw_id for one in batch], [one.attempts for one in batch]
            )
            held = {row["id"] for row in rows}
            mine = [one for one in batch if one.raw_id in held]
            if not mine:
                return
            known = await load_known(connection, what_is_asked(mine), self.settings.queue)
            people = sum(1 if not one.outgoing else 25 for one in mine)
            numbers = await take_numbers(connection, len(mine), people)
            house = House(self._is_ours, self.clock.now() - timedelta(days=self.settings.history_days))
            deeds = [decide(one, known, numbers, house) for one in mine]
            events = await write_deeds(connection, deeds, known)
            confided = await self.confide(connection, events)
            await carry_out(work, deeds, self.bounces)
            for deed in deeds:
                if deed.greets and deed.conversation_id not in confided:
                    await greet(work, deed, known, self.stationery, self.auto_answers)
        for deed in deeds:
            reading_metrics.READ.labels(_kind(deed)).inc()

    def _is_ours(self, address: str) -> bool:
        return address.rpartition("@")[2] in self.domains


def read_copy_address(tokens: TokenKeys, settings: ReadingSettings, address: str) -> int | None:
    """The user whose personal Bcc address this is; None for any other address."""
    text = verp.decode(settings.copy_local, address.strip().removesuffix(">").rpartition("@")[2], address)
    found: Token | None = tokens.verify(text, TokenUse.COPY) if text else None
    return found.message_id if found else None


def copy_address(tokens: TokenKeys, settings: ReadingSettings, user_id: int, domain: str) -> str:
    """A user's personal Bcc address: a copy of a mail that is sent to it lands on its recipients' timelines."""
    return verp.encode(settings.copy_local, domain, tokens.sign(TokenUse.COPY, 0, user_id))


def _age(mail: Claimed) -> timedelta:
    """How long ago a mail came: to us, or to the folder that we fetched it from."""
    for arrival in mail.arrivals:
        noted = arrival.meta.get("received_at")
        if noted:
            try:
                return max(mail.age, datetime.now(UTC) - datetime.fromisoformat(noted))
            except (TypeError, ValueError):
                continue
    return mail.age


def _recipients(arrivals: Sequence[Arrival]) -> list[str]:
    return list(dict.fromkeys(one for arrival in arrivals for one in arrival.recipients))


def _kind(deed: Deed) -> str:
    if not deed.stored:
        return "copy"
    if deed.effects:
        return "report"
    if deed.arrived.judgement:
        return "junk"
    return "automatic" if deed.automatic else deed.direction

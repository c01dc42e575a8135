"""The reader of arrived mail, wired: junk filters, authentication, what automatic answers are written with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from channels.mail.authentication.check import authenticate, checks_of
from channels.mail.authentication.resolver import DnsResolver, Resolver
from channels.mail.authentication.settings import AuthenticationSettings
from channels.mail.junk import Junk, JunkJudge
from channels.mail.parsed import ParsedMail
from clytie.keys import load_token_keys
from clytie.settings import Settings
from domain.clock import Clock
from inbox.mails.process import ReadingProcess
from inbox.mails.reading import Reader
from outbox.letters.writing import Stationery
from router.confiding import Confider
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool

#: questions to the DNS at a time
_THREADS: Final = 16


@asynccontextmanager
async def open_reader(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[Reader]:
    """A reader with its process; both end with the block."""
    folder = settings.var / "blobs"
    tokens = load_token_keys(settings.token_keys, settings.var)
    blobs = BlobStore(folder)
    inbox, outbox = settings.inbox, settings.outbox
    domains = {one.lower() for one in (*inbox.domains, outbox.reply_domain, outbox.bounce_domain) if one}
    checks = Checks(inbox.authentication)
    reader = Reader(
        pool,
        blobs,
        ReadingProcess(folder, inbox.reading, domains),
        clock,
        tokens,
        Stationery(clock, tokens, outbox, blobs),
        announcer,
        inbox.reading,
        inbox.bounces,
        inbox.auto_answers,
        domains,
        partial(ask_judge, JunkJudge(inbox.junk)),
        checks,
        Confider(clock, settings.router).confide,
    )
    try:
        yield reader
    finally:
        await reader.close()
        checks.close()


async def ask_judge(
    judge: JunkJudge,
    raw: bytes,
    mail: ParsedMail,
    sender: str,
    recipients: Sequence[str],
    meta: Mapping[str, str],
) -> Junk:
    """inbox.reading.Judge, by what servers before ours noted and the scanners of the settings."""
    peer, helo = checks_of(meta)
    return await judge.judge(raw, mail, sender=sender, recipients=recipients, peer=peer, helo=helo)


class Checks:
    """inbox.reading.Authenticate: SPF, DKIM and DMARC, in threads because the DNS blocks."""

    def __init__(self, settings: AuthenticationSettings, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._resolver = resolver or DnsResolver(settings.timeout)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dns")

    async def __call__(
        self, raw: bytes, mail: ParsedMail, sender: str, meta: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The results by their names."""
        peer, helo = checks_of(meta)
        check = partial(
            authenticate,
            raw,
            mail,
            sender=sender,
            peer=peer,
            helo=helo,
            settings=self._settings,
            resolver=self._resolver,
        )
        result = await asyncio.get_running_loop().run_in_executor(self._threads, check)
        return {name: value for name, value in result.as_json().items() if value}

    def close(self) -> None:
        """Wait for nobody any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

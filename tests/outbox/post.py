"""What tests of letters share: stationery, a plain letter, a sender that sends letters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from channels.mail.parsed import Mailbox
from domain.clock import SystemClock
from domain.tokens import TokenKeys
from outbox.letters.composing import LetterComposer
from outbox.letters.writing import Letter, LetterKind, Stationery, write_letter
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.traffic import Traffic
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool, transaction
from tests.outbox.stock import BRISK, ObedientChannel, PlainComposer

KEYS = TokenKeys({1: bytes(range(32))})

LETTER = Letter(
    kind=LetterKind.ANSWER,
    from_=Mailbox("Support", "support@example.org"),
    to=(Mailbox("Ada", "ada@example.net"),),
    subject="Your question",
    text="Hello Ada,\n.\nit works.\n",
)


def make_stationery(folder: Path, settings: OutboxSettings = BRISK) -> Stationery:
    """Stationery with a blob store in this folder."""
    return Stationery(SystemClock(), KEYS, settings, BlobStore(folder / "blobs"))


async def post(pool: Pool, stationery: Stationery, **changes: Any) -> int:
    """Write LETTER with some changes, committed; gives its message id."""
    async with transaction(pool) as connection:
        return await write_letter(connection, replace(LETTER, **changes), stationery)


def make_postman(
    pool: Pool,
    channel: ObedientChannel,
    stationery: Stationery,
    settings: OutboxSettings = BRISK,
    traffic: Traffic | None = None,
) -> Sender:
    """A sender for letters and campaigns."""

    async def make_composer(campaign: Any) -> PlainComposer:
        return PlainComposer(campaign["id"])

    return Sender(
        pool,
        channel,
        make_composer,
        settings,
        SystemClock(),
        Announcer(pool),
        letters=LetterComposer(stationery.blobs),
        traffic=traffic,
    )

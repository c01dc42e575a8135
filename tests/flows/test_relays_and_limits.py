"""The whole way out over real connections: relays that fail over, a slow domain beside a fast one, signed letters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from channels.mail.parsed import Mailbox
from channels.mail.settings import Encryption, MailSettings, RelaySettings, Timeouts
from channels.mail.smtp import MailChannel
from domain.clock import SystemClock
from outbox.composing import Sign
from outbox.journal import journal
from outbox.letters.composing import LetterComposer
from outbox.limits import DomainLimits
from outbox.sender import Sender
from outbox.settings import OutboxSettings
from outbox.traffic import Traffic
from storage.announce import Announcer
from storage.pool import Pool
from tests.channels.scripted import ScriptedServer
from tests.outbox.post import make_stationery, post
from tests.outbox.stock import BRISK, PlainComposer, run_until, states, stock_campaign


def relay(name: str, port: int, priority: int) -> RelaySettings:
    return RelaySettings(
        name=name,
        port=port,
        priority=priority,
        encryption=Encryption.NEVER,
        connections=2,
        timeouts=Timeouts(quit=0.5, grace=0.5),
    )


def make_sender(
    pool: Pool, channel: MailChannel, folder: Path, settings: OutboxSettings, sign: Sign | None = None
) -> Sender:
    async def make_composer(campaign: dict[str, int]) -> PlainComposer:
        return PlainComposer(campaign["id"])

    return Sender(
        pool,
        channel,
        make_composer,  # type: ignore[arg-type]
        settings,
        SystemClock(),
        Announcer(pool),
        letters=LetterComposer(make_stationery(folder).blobs, sign),
        traffic=Traffic(settings, channel.settings.servers, channel.relays),
    )


async def test_mail_goes_on_over_the_spare_relay_and_comes_back(pool: Pool, tmp_path: Path) -> None:
    await stock_campaign(pool, 200)
    message_id = await post(pool, make_stationery(tmp_path))
    async with ScriptedServer().running() as main, ScriptedServer().running() as spare:
        main.always["greeting"] = b"421 4.3.2 closed for today\r\n"
        channel = MailChannel(
            MailSettings(relays=(relay("main", main.port, 1), relay("spare", spare.port, 2)))
        )

        async def done() -> bool:
            return await states(pool) == {"sent": 201}

        await run_until(make_sender(pool, channel, tmp_path, BRISK), done)
        (attempt,) = await journal(pool, message_id)
        assert (attempt.relay, attempt.number) == ("spare", 1)
        assert len(spare.mails) == 201
        del main.always["greeting"]
        await pool.execute("SELECT pg_sleep(2)")
        for _ in range(4):
            await post(pool, make_stationery(tmp_path))

        async def more() -> bool:
            return await states(pool) == {"sent": 205}

        await run_until(make_sender(pool, channel, tmp_path, BRISK), more)
        assert main.mails
        recipients = Counter(recipient for _, recipient, _ in [*main.mails, *spare.mails])
        assert sum(recipients.values()) == 205
        await channel.close()


async def test_a_slow_domain_waits_while_letters_to_others_arrive_signed(pool: Pool, tmp_path: Path) -> None:
    settings = BRISK.model_copy(update={"domains": {"example.org": DomainLimits(per_minute=10)}})
    await stock_campaign(pool, 100)  # all at example.org
    for number in range(20):
        await post(pool, make_stationery(tmp_path), to=(Mailbox("", f"reader{number}@example.net"),))
    async with ScriptedServer().running() as server:
        channel = MailChannel(MailSettings(relays=(relay("main", server.port, 1),)))

        def sign(payload: bytes) -> bytes:
            return b"DKIM-Signature: v=1\r\n" + payload

        async def done() -> bool:
            return await states(pool) == {"sent": 29, "queued": 91}

        await run_until(make_sender(pool, channel, tmp_path, settings, sign), done)
        letters = [mail for _, recipient, mail in server.mails if recipient.endswith("example.net")]
        assert len(letters) == 20
        assert all(mail.startswith(b"DKIM-Signature: v=1\r\nDate:") for mail in letters)
        assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE reason = 'domain_limited'") == 91
        await channel.close()

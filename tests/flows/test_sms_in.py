"""What people do on their phones reaches the house, by the test carrier's own signed callbacks, however it misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from channels.sms.settings import TwilioSettings
from channels.sms.twilio import TwilioSms
from domain.clock import SystemClock
from domain.messages import DeliveryState
from domain.tokens import TokenUse
from inbox.arrival.intake import Intake
from inbox.texts.media import MediaFetcher
from inbox.texts.reading import SmsReader
from inbox.texts.reports import settle_reported_texts
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.channels.mails import outcomes_of
from tests.channels.sms.texts import make_text
from tests.web.sms_provider import KEYS
from web.callbacks.sms import SmsCallbacks, add_sms_callbacks

TOKEN = "0123456789abcdef" * 2
PUBLIC = "https://hub.example"
OURS, ANNA = "+33644600001", "+33639980001"


@dataclass
class Hub:
    """A house with an account at the test carrier."""

    pool: Pool
    carrier: Carrier
    channel: TwilioSms
    reader: SmsReader
    fetcher: MediaFetcher

    async def read(self, count: int) -> None:
        """Read until so many messages of theirs are there."""

        async def there() -> bool:
            await self.reader.read_due()
            found: int = await self.pool.fetchval("SELECT count(*) FROM messages WHERE direction = 'in'")
            return found >= count

        await _eventually(there)

    async def send(self) -> int:
        """A message of ours whose answer is lost: its delivery is in doubt."""
        number: int = await self.pool.fetchval(
            "INSERT INTO messages (direction, channel) VALUES ('out', 'sms') RETURNING id"
        )
        await self.pool.execute(
            """INSERT INTO deliveries (message_id, campaign_id, channel, address, state, attempt)
               VALUES ($1, 0, 'sms', $2, 'sending', 1)""",
            number,
            ANNA,
        )
        token = KEYS.sign(TokenUse.CALLBACK, 0, number)
        text = make_text(number, recipient=ANNA, sender=OURS, options={"token": token})
        outcomes = await outcomes_of(self.channel, [text])
        state = outcomes[number].state.value
        await self.pool.execute("UPDATE deliveries SET state = $2 WHERE message_id = $1", number, state)
        return number


async def _eventually(look: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(400):
        if await look():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass in time")


@pytest.fixture
async def hub(pool: Pool, tmp_path: Path) -> AsyncIterator[Hub]:
    announcer, blobs, clock = Announcer(pool), BlobStore(tmp_path / "blobs"), SystemClock()
    intake = Intake(pool, blobs, announcer)
    app = web.Application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    inbound = f"{PUBLIC}/callbacks/sms/inbound"
    # The carrier and the house have to know each other's address: the routes are set before either serves.
    settings = TwilioSettings.model_validate({"account_sid": "AC" + "0" * 32, "auth_token": TOKEN})
    door = TwilioSms(settings)
    add_sms_callbacks(app, SmsCallbacks(door, PUBLIC, intake.take, pool, clock, KEYS, announcer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    carrier = Carrier(
        CarrierSettings.model_validate(
            {
                "port": 0,
                "auth_token": TOKEN,
                "numbers": (NumberSettings(phone_number=OURS, sms_url=inbound),),
                "routes": {PUBLIC: f"http://127.0.0.1:{runner.addresses[0][1]}"},
                "second": 0.01,
            }
        )
    )
    await carrier.start()
    channel = TwilioSms(
        TwilioSettings.model_validate(
            {
                "account_sid": carrier.settings.account_sid,
                "auth_token": TOKEN,
                "base_url": carrier.url,
                "callback_url": f"{PUBLIC}/callbacks/sms",
                "rate": 1000,
                "timeouts": {"connect": 2, "answer": 1, "turn": 10, "grace": 0.3},
            }
        )
    )
    fetcher = MediaFetcher(pool, blobs, channel.fetch_media, announcer)
    yield Hub(pool, carrier, channel, SmsReader(pool, blobs, clock, announcer), fetcher)
    await channel.close()
    await carrier.stop()
    await runner.cleanup()
    await door.close()
    await intake.close()
    await announcer.close()


async def test_a_picture_of_a_phone_becomes_a_file_of_its_conversation(hub: Hub) -> None:
    await hub.carrier.phones.send_text(ANNA, OURS, "Regardez", [("image/png", b"\x89PNG dog")])
    await hub.read(1)

    async def fetched() -> bool:
        await hub.pool.execute("UPDATE sms_media SET fetch_at = now()")
        await hub.fetcher.fetch_due()
        return bool(await hub.pool.fetchval("SELECT count(*) FROM attachments"))

    await _eventually(fetched)
    row = await hub.pool.fetchrow("SELECT name, media_type, size FROM attachments")
    assert row is not None
    assert tuple(row) == ("MMS-1.png", "image/png", 8)


async def test_stop_on_a_phone_closes_the_number_and_start_opens_it(hub: Hub) -> None:
    await hub.carrier.phones.send_text(ANNA, OURS, "STOP")
    await hub.read(1)
    assert await hub.pool.fetchval("SELECT address FROM suppressions WHERE reason = 'opted_out'") == ANNA
    await hub.carrier.phones.send_text(ANNA, OURS, "START")
    await hub.read(2)
    assert await hub.pool.fetchval("SELECT count(*) FROM suppressions") == 0


@pytest.mark.parametrize("trick", [None, Trick.TWICE, Trick.BACKWARDS])
async def test_a_message_in_doubt_is_settled_by_the_carriers_reports(hub: Hub, trick: Trick | None) -> None:
    mischief = hub.carrier.parts.exchange.mischief
    mischief.add(Rule(trick=Trick.KEPT, times=1))
    if trick is not None:
        mischief.add(Rule(trick=trick))
    message = await hub.send()

    async def settled() -> bool:
        await settle_reported_texts(hub.pool, SystemClock())
        row = await hub.pool.fetchrow(
            """SELECT d.state, f.status FROM deliveries d LEFT JOIN sms_facts f USING (message_id)
               WHERE message_id = $1""",
            message,
        )
        return row is not None and (row["state"], row["status"]) == (DeliveryState.SENT.value, "delivered")

    await _eventually(settled)
    events = await hub.pool.fetch("SELECT type FROM events WHERE message_id = $1 ORDER BY type", message)
    assert [row["type"] for row in events] == ["Delivered", "Sent"]

"""The test carrier, wired: which numbers are ours there, and how every other process reaches its phones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.remote import CarrierLink, RemoteControl, RemotePhones
from channels.sandbox.carrier.settings import NumberSettings
from clytie.settings import Settings
from domain.clock import Clock
from inbox.calls.addresses import INBOUND_PATH, VOICE_PATH
from storage.pool import DATABASE_AWAY, Pool
from web.callbacks.sms import SMS_PATH
from web.context import TestPhone

log = logging.getLogger("clytie.carrying")

#: ours while no queue and no line has a number; from the range that is kept for stories (ARCEP)
FIRST_NUMBER: Final = "+33639980000"
#: seconds between looks at the numbers that queues, lines and teams have
_EVERY: Final = 1.0

_NUMBERS: Final = """
SELECT DISTINCT ON (number) number, name FROM (
    SELECT number, name, 0 AS rank FROM phone_lines WHERE active
    UNION ALL SELECT a.address, q.name, 1 FROM queue_addresses a JOIN queues q ON q.id = a.queue_id
        WHERE a.address LIKE '+%'
    UNION ALL SELECT caller_id, name, 2 FROM teams WHERE caller_id LIKE '+%'
) AS ours
ORDER BY number, rank
"""


@asynccontextmanager
async def open_carrier(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Carrier | None]:
    """The test carrier, open; None where an account is set or it is switched off.

    Raises ConfigurationError when its address is taken.
    """
    if not settings.has_carrier:
        yield None
        return
    carrier = Carrier(settings.carrier_settings, clock)
    await carrier.start()
    try:
        await _keep_numbers(settings, carrier, pool)
        following = asyncio.create_task(_follow_numbers(settings, carrier, pool), name="numbers")
        try:
            yield carrier
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
    finally:
        await carrier.stop()


async def _follow_numbers(settings: Settings, carrier: Carrier, pool: Pool) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        try:
            await _keep_numbers(settings, carrier, pool)
        except DATABASE_AWAY as error:
            log.warning("the numbers of the test carrier wait for the database: %s", type(error).__name__)


async def _keep_numbers(settings: Settings, carrier: Carrier, pool: Pool) -> None:
    """Whoever gives a queue or a line a number owns it at the test carrier from the next second on."""
    numbers = {row["number"]: row["name"] for row in await pool.fetch(_NUMBERS)}
    if not numbers and not settings.carrier.numbers:
        numbers = {FIRST_NUMBER: ""}
    base = settings.public_url
    carrier.keep_numbers(
        [
            NumberSettings(
                phone_number=number,
                friendly_name=name,
                sms_url=f"{base}{SMS_PATH}/inbound",
                voice_url=base + INBOUND_PATH,
                status_callback=f"{base}{VOICE_PATH}/ended",
            )
            for number, name in numbers.items()
            if not number.startswith("+1500555")  # the provider's own
        ]
    )


@asynccontextmanager
async def open_test_phone(settings: Settings) -> AsyncIterator[TestPhone | None]:
    """The phones as the web process reaches them; None where an account is set."""
    if not settings.has_carrier:
        yield None
        return
    carrier = settings.carrier_settings
    link = CarrierLink(carrier.reached_at, carrier.account_sid, carrier.auth_token.get_secret_value())
    try:
        yield TestPhone(RemotePhones(link), RemoteControl(link))
    finally:
        await link.close()

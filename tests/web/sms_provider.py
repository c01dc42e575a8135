"""The provider of short messages as it calls us: signed forms, through a proxy or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from channels.sms.settings import TwilioSettings
from channels.sms.twilio import TwilioSms
from channels.twilio.signatures import sign
from domain.clock import SystemClock
from domain.tokens import TokenKeys, TokenUse
from inbox.arrival.intake import Intake
from inbox.arrival.settings import IntakeSettings
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.channels.sms.provider import ACCOUNT, TOKEN
from web.callbacks.sms import SmsCallbacks, add_sms_callbacks

PUBLIC = "https://hub.example"
KEYS = TokenKeys({1: b"k" * 32})
SID = "SM" + "0c" * 16


@dataclass
class Caller:
    """Calls our routes at `url`, signing for the address `public` that it believes to call."""

    url: str
    pool: Pool
    session: aiohttp.ClientSession
    public: str = PUBLIC

    async def post(
        self, path: str, fields: Mapping[str, str], *, token: str = TOKEN, signed_for: str = ""
    ) -> tuple[int, str]:
        """Post a form; gives status and text. `signed_for`: another address that it signs for."""
        signature = sign(signed_for or self.public + path, fields, token)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        async with self.session.post(
            URL(self.url + path, encoded=True), data=urlencode(dict(fields)).encode(), headers=headers
        ) as answer:
            return answer.status, await answer.text()

    async def report(self, message_id: int, status: str, **fields: Any) -> int:
        """Report a state of a message of ours; gives the HTTP status."""
        token = KEYS.sign(TokenUse.CALLBACK, 0, message_id)
        form = {"MessageSid": SID, "MessageStatus": status, **{n: str(v) for n, v in fields.items()}}
        return (await self.post(f"/callbacks/sms/status/{token}", form))[0]

    async def message(self, state: str, address: str = "+33639980001", contact: int | None = None) -> int:
        """A short message of ours whose delivery is in this state."""
        number: int = await self.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id) VALUES ('out', 'sms', $1) RETURNING id",
            contact,
        )
        await self.pool.execute(
            """INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state, attempt)
               VALUES ($1, 0, $2, 'sms', $3, $4, 1)""",
            number,
            contact,
            address,
            state,
        )
        return number

    async def events(self, message_id: int) -> list[str]:
        """The types of the events of a message, in order."""
        rows = await self.pool.fetch("SELECT type FROM events WHERE message_id = $1 ORDER BY id", message_id)
        return [row["type"] for row in rows]

    async def state(self, message_id: int) -> tuple[str, str]:
        """The state of the delivery, and the provider's word."""
        row = await self.pool.fetchrow(
            """SELECT d.state, f.status FROM deliveries d LEFT JOIN sms_facts f USING (message_id)
               WHERE message_id = $1""",
            message_id,
        )
        assert row is not None
        return row["state"], row["status"]


@asynccontextmanager
async def open_caller(pool: Pool, folder: Path, public: str = PUBLIC) -> AsyncIterator[Caller]:
    """Our routes on a free port, and who calls them."""
    announcer = Announcer(pool)
    intake = Intake(pool, BlobStore(folder / "blobs"), announcer, IntakeSettings(patience=1))
    provider = TwilioSms(TwilioSettings(account_sid=ACCOUNT, auth_token=TOKEN, signing_tokens=("older",)))
    app = web.Application()
    blobs = BlobStore(folder / "blobs")
    add_sms_callbacks(
        app, SmsCallbacks(provider, public, intake.take, pool, SystemClock(), KEYS, announcer, blobs)
    )
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield Caller(f"http://127.0.0.1:{runner.addresses[0][1]}", pool, session, public)
    await runner.cleanup()
    await provider.close()
    await intake.close()
    await announcer.close()

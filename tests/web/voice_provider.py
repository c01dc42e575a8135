"""The provider of calls as it asks and reports: signed forms about a call of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from channels.sandbox.carrier.twiml import check_document
from channels.twilio.settings import TwilioAccount
from channels.twilio.signatures import sign
from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twilio import TwilioVoice
from domain.clock import SystemClock
from domain.tokens import TokenKeys, TokenUse
from inbox.calls.addresses import CallAddresses
from inbox.calls.switchboard import Switchboard
from storage.announce import Announcer
from storage.pool import Pool
from web.callbacks.voice import VoiceCallbacks, add_voice_callbacks

PUBLIC, TOKEN = "https://hub.example", "0123456789abcdef" * 2
KEYS = TokenKeys({1: b"k" * 32})
OURS, ROSA, ANNA = "+33644600001", "+33639980021", "+33639980001"
#: legs: our person's and the contact's
US, THEM = "CA" + "0a" * 16, "CA" + "0b" * 16


@dataclass
class Caller:
    """Asks and tells our routes about calls."""

    url: str
    pool: Pool
    session: aiohttp.ClientSession
    board: Switchboard

    async def make_call(self, state: str = "placing", **columns: Any) -> int:
        """A call of ours to Anna, by Rosa."""
        number: int = await self.pool.fetchval(
            """WITH user_ AS (INSERT INTO users (email, name, role, phone, language)
                   VALUES ('rosa@house.example', 'Rosa', 'rep', $1, 'fr')
                   ON CONFLICT (email) DO UPDATE SET name = 'Rosa' RETURNING id
               ), contact AS (INSERT INTO contacts (name, language) VALUES ('Anna Dubreuil', 'de') RETURNING id
               ), message AS (
                   INSERT INTO messages (direction, channel, contact_id) SELECT 'out', 'voice', id FROM contact RETURNING id
               )
               INSERT INTO calls (message_id, state, ours, theirs, user_id, position, placed_at)
               SELECT message.id, $2, $3, $4, user_.id, $5, now() FROM message, user_ RETURNING message_id""",
            ROSA,
            state,
            OURS,
            ANNA,
            columns.get("position", {"phone": ROSA}),
        )
        return number

    async def post(
        self, call_id: int, what: str, fields: Mapping[str, str], *, token: str = TOKEN, path: str = ""
    ) -> tuple[int, str]:
        """Post a signed form; gives status and text."""
        path = path or f"/callbacks/voice/{KEYS.sign(TokenUse.CALLBACK, 0, call_id)}/{what}"
        form = {"From": OURS, "To": ROSA, "Direction": "outbound-api", "CallSid": US, **fields}
        headers = {
            "X-Twilio-Signature": sign(PUBLIC + path, form, token),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        async with self.session.post(
            self.url + path, data=urlencode(form).encode(), headers=headers
        ) as answer:
            text = await answer.text()
            if answer.status == 200:
                assert check_document(text) == []
            return answer.status, text

    async def ask(self, call_id: int, what: str, **fields: str) -> str:
        """Ask for a document."""
        status, text = await self.post(call_id, what, {"CallStatus": "in-progress", **fields})
        assert status == 200, (status, text)
        return text

    async def report(self, call_id: int, part: str, status: str, seconds: int | None = None) -> int:
        """Report a leg's state."""
        fields = {"CallStatus": status, "Timestamp": format_datetime(datetime.now(UTC), usegmt=True)}
        if part == "them":
            fields |= {
                "CallSid": THEM,
                "ParentCallSid": US,
                "To": ANNA,
                "From": OURS,
                "Direction": "outbound-dial",
            }
        if seconds is not None:
            fields["CallDuration"] = str(seconds)
        return (await self.post(call_id, f"status/{part}", fields))[0]

    async def look(self, call_id: int) -> tuple[str, str | None, int | None]:
        """State, result and seconds."""
        row = await self.pool.fetchrow(
            "SELECT state, result, seconds FROM calls WHERE message_id = $1", call_id
        )
        assert row is not None
        return row["state"], row["result"], row["seconds"]

    async def events(self, call_id: int) -> list[str]:
        """The types of the events of a call."""
        rows = await self.pool.fetch("SELECT type FROM events WHERE message_id = $1 ORDER BY id", call_id)
        return [row["type"] for row in rows]


@asynccontextmanager
async def open_caller(pool: Pool, **settings: Any) -> AsyncIterator[Caller]:
    """Our routes on a free port, and who calls them."""
    account = TwilioAccount.model_validate({"account_sid": "AC" + "0" * 32, "auth_token": TOKEN})
    voice = TwilioVoiceSettings.model_validate({"account": account, **settings})
    channel, announcer = TwilioVoice(voice), Announcer(pool)
    board = Switchboard(pool, SystemClock(), CallAddresses(PUBLIC, KEYS), voice, announcer)
    app = web.Application()
    add_voice_callbacks(app, VoiceCallbacks(channel, board))
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield Caller(f"http://127.0.0.1:{runner.addresses[0][1]}", pool, session, board)
    await runner.cleanup()
    await channel.close()
    await announcer.close()

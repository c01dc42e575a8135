"""A web process that answers calls, and is killed meanwhile. `python -m tests.flows.call_door DATABASE_URL`."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from channels.twilio.settings import TwilioAccount
from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twilio import TwilioVoice
from domain.clock import SystemClock
from inbox.calls.addresses import CallAddresses
from inbox.calls.switchboard import Switchboard
from inbox.lines.desk import LineDesk
from storage.pool import open_pool
from tests.flows.switch_room import ACCOUNT, PUBLIC, TOKEN
from tests.web.sms_provider import KEYS
from web.callbacks.voice import add_voice_callbacks
from web.callbacks.voice_door import VoiceCallbacks


async def answer_calls(database_url: str) -> None:
    """Serve until the blow; says on which port."""
    account = TwilioAccount.model_validate({"account_sid": ACCOUNT, "auth_token": TOKEN})
    voice = TwilioVoiceSettings(account=account)
    pool = await open_pool(database_url, max_size=4)
    board = Switchboard(pool, SystemClock(), CallAddresses(PUBLIC, KEYS), voice)
    app = web.Application()
    add_voice_callbacks(
        app, VoiceCallbacks(TwilioVoice(voice), board, LineDesk(board, lambda team, at: True))
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(answer_calls(sys.argv[1]))

"""A process that places one call, and is killed meanwhile. `python -m tests.flows.call_placer JSON`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from channels.twilio.settings import TwilioAccount
from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twilio import Placed, TwilioVoice
from domain.clock import SystemClock
from inbox.calls.addresses import CallAddresses
from inbox.calls.placing import Wish, place_call
from inbox.calls.switchboard import Switchboard
from storage.pool import open_pool
from tests.flows.sales_floor import ACCOUNT, PUBLIC, TOKEN
from tests.web.house import KEY


class Slow(TwilioVoice):
    """Takes its time before it asks."""

    patience = 0.0

    async def place(self, *told: Any, **more: Any) -> Placed:
        """After a while."""
        await asyncio.sleep(self.patience)
        return await super().place(*told, **more)


async def place(order: dict[str, Any]) -> None:
    """Place it."""
    account = TwilioAccount.model_validate(
        {"account_sid": ACCOUNT, "auth_token": TOKEN, "base_url": order["base_url"]}
    )
    settings = TwilioVoiceSettings(account=account)
    pool = await open_pool(order["database_url"], max_size=2)
    board = Switchboard(pool, SystemClock(), CallAddresses(PUBLIC, KEY), settings)
    channel = Slow(settings)
    channel.patience = order["patience"]
    names = ("user_id", "phone", "ours", "theirs", "contact_id")
    await place_call(board, channel, Wish(**{name: order[name] for name in names}))


if __name__ == "__main__":
    asyncio.run(place(json.loads(sys.argv[1])))

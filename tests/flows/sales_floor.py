"""A sales floor on this machine: the web process, the test carrier, a rep with a phone, a contact with another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.phone import PhoneCall
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from channels.twilio.settings import TwilioAccount
from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twilio import TwilioVoice
from domain.clock import SystemClock
from inbox.calls.addresses import INBOUND_PATH, CallAddresses
from inbox.calls.prices import CallPrices
from inbox.calls.sweeping import CallSweeper
from inbox.calls.switchboard import Switchboard
from inbox.lines.desk import LineDesk
from storage.announce import Announcer
from storage.pool import Pool
from tests.web.house import KEY, House, Visitor, open_house
from web.callbacks.voice_door import VoiceCallbacks

ACCOUNT, TOKEN = "AC" + "0" * 32, "0123456789abcdef" * 2
Seen = TypeVar("Seen")
PUBLIC = "https://hub.example"
OURS, ROSA, ANNA = "+33644600001", "+33639980021", "+33639980001"


@dataclass
class Floor:
    """Everything that a call passes through."""

    pool: Pool
    house: House
    carrier: Carrier
    sweeper: CallSweeper
    prices: CallPrices
    rosa: int
    anna: int
    team: int
    rep: Visitor

    def misbehave(self, trick: Trick, **rule: Any) -> None:
        """Let the carrier misbehave."""
        self.carrier.parts.exchange.mischief.add(Rule(trick=trick, **rule))

    async def call(self, **whom: Any) -> int:
        """Click to call Anna; gives the call's id."""
        status, body = await self.rep.call("POST", "/calls", whom or {"contact_id": self.anna})
        assert status == 201, body
        number: int = body["id"]
        return number

    async def show(self, call_id: int) -> dict[str, Any]:
        """The call as the API shows it."""
        status, body = await self.rep.call("GET", f"/calls/{call_id}")
        assert status == 200, body
        shown: dict[str, Any] = body
        return shown

    async def phone(self, number: str, state: str) -> PhoneCall:
        """The last call of a phone, once it is in this state, or listens to this."""

        async def look() -> PhoneCall | None:
            calls = (await self.carrier.phones.show_phone(number)).calls
            call = calls[-1] if calls else None
            return call if call and (call.state == state or state in call.listening) else None

        return await eventually(look)

    async def take(self, number: str) -> PhoneCall:
        """Take the call that rings a phone."""
        ringing = await self.phone(number, "ringing")
        await self.carrier.phones.answer(ringing.sid)
        return ringing

    async def hear(self, number: str, words: str, times: int = 1) -> PhoneCall:
        """The last call of a phone, once this was said so often."""

        async def look() -> PhoneCall | None:
            call = (await self.carrier.phones.show_phone(number)).calls[-1]
            said = [sound.text for sound in call.sounds if words in sound.text]
            return call if len(said) >= times else None

        return await eventually(look)

    async def take_and_press(self, keys: str = "1") -> PhoneCall:
        """Rosa takes her phone and presses a key."""
        own = await self.take(ROSA)
        await self.phone(ROSA, "digits")
        await self.carrier.phones.press(own.sid, keys)
        return own

    async def talk(self) -> tuple[PhoneCall, PhoneCall]:
        """Both take their phones."""
        own = await self.take_and_press()
        other = await self.take(ANNA)
        await eventually(lambda: _true(self.carrier.parts.switch.lines[own.sid].peers))
        return own, other

    async def reach(self, call_id: int, **wanted: Any) -> dict[str, Any]:
        """The call, once it looks like this."""

        async def look() -> dict[str, Any] | None:
            shown = await self.show(call_id)
            return shown if all(shown[name] == value for name, value in wanted.items()) else None

        return await eventually(look)

    async def sweep(self, call_id: int) -> None:
        """Let the time for reports pass, and look after the call."""
        await self.pool.execute("UPDATE calls SET look_at = now() WHERE message_id = $1", call_id)
        await self.sweeper.sweep_due()

    async def events(self, call_id: int) -> list[tuple[str, Any]]:
        """What the timeline is told of the call: type and result."""
        rows = await self.pool.fetch(
            "SELECT type, data ->> 'result' AS result FROM events WHERE message_id = $1 ORDER BY id", call_id
        )
        return [(row["type"], row["result"]) for row in rows]

    def problems(self) -> list[str]:
        """What addresses and documents of ours did wrong."""
        return [f"{one.code} {one.text}" for one in self.carrier.parts.exchange.problems]

    @property
    def placed(self) -> list[Any]:
        """The calls that the carrier was asked for."""
        calls = self.carrier.parts.exchange.memory.calls.values()
        return [call for call in calls if not call.parent_sid and call.direction == "outbound-api"]


async def eventually(look: Callable[[], Awaitable[Seen | None]]) -> Seen:
    """What `look` gives, as soon as it is true; fails after a while."""
    until = asyncio.get_running_loop().time() + 8
    while not (seen := await look()):
        assert asyncio.get_running_loop().time() < until, "it did not come to pass in time"
        await asyncio.sleep(0.02)
    return seen


async def _true(value: object) -> object:
    return value


def _free_port() -> int:
    """The carrier and the house have to know each other's address before either serves."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


@asynccontextmanager
async def open_floor(pool: Pool, database_url: str, **settings: Any) -> AsyncIterator[Floor]:
    """Start it. `settings` are those of calls."""
    announcer, clock = Announcer(pool), SystemClock()
    port = _free_port()
    voice_settings = TwilioVoiceSettings.model_validate(
        {
            "account": TwilioAccount.model_validate(
                {"account_sid": ACCOUNT, "auth_token": TOKEN, "base_url": f"http://127.0.0.1:{port}"}
            ),
            "rate": 1000,
            "our_seconds": 100,
            "their_seconds": 100,
            "timeouts": {"connect": 2, "answer": 1, "turn": 10, "grace": 0.3},
            **settings,
        }
    )
    channel = TwilioVoice(voice_settings)
    board = Switchboard(pool, clock, CallAddresses(PUBLIC, KEY), voice_settings, announcer)
    desk = LineDesk(board, lambda team, at: True)
    async with open_house(pool, database_url, voice=VoiceCallbacks(channel, board, desk)) as house:
        carrier = Carrier(
            CarrierSettings.model_validate(
                {
                    "port": port,
                    "account_sid": ACCOUNT,
                    "auth_token": TOKEN,
                    "numbers": (NumberSettings(phone_number=OURS, voice_url=PUBLIC + INBOUND_PATH),),
                    "routes": {PUBLIC: house.url},
                    "second": 0.02,
                    "pace": 0.5,
                    "typing_seconds": 250,
                    "words_per_second": 50,
                }
            )
        )
        await carrier.start()
        team = await house.team()
        rep = await house.signed_in("rep", name="Rosa Martin", teams=(team,))
        rosa = await pool.fetchval("UPDATE users SET phone = $1 RETURNING id", ROSA)
        await pool.execute("UPDATE teams SET caller_id = $1", OURS)
        anna = await house.contact("Anna Dubreuil")
        await pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
            anna,
            ANNA,
        )
        sweeper, prices = CallSweeper(board, channel), CallPrices(board, channel)
        try:
            yield Floor(pool, house, carrier, sweeper, prices, rosa, anna, team, rep)
        finally:
            await carrier.stop()
    await channel.close()
    await announcer.close()

"""A house that takes calls on a line, the test carrier that brings them, and people with phones on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.mischief import Rule, Trick
from channels.sandbox.carrier.phone import PhoneCall
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from channels.twilio.settings import TwilioAccount
from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twilio import TwilioVoice
from domain.clock import SystemClock
from inbox.calls.addresses import INBOUND_PATH, CallAddresses
from inbox.calls.switchboard import Switchboard
from inbox.lines.desk import LineDesk
from inbox.lines.lost import LostRecordings
from inbox.lines.recordings import RecordingKeeper
from inbox.lines.store import save_line
from inbox.lines.sweeping import IncomingSweeper
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from tests.web.sms_provider import KEYS
from web.callbacks.lines import ENDED_PATH
from web.callbacks.voice import add_voice_callbacks
from web.callbacks.voice_door import VoiceCallbacks

PUBLIC, ACCOUNT, TOKEN = "https://hub.example", "AC" + "0" * 32, "0123456789abcdef" * 2
OURS, ANNA = "+33644600001", "+33639980001"
EVA, MAX, OLA = "+33639970001", "+33639970002", "+33639970003"
Seen = TypeVar("Seen")

LINE = """
number: "+33644600001"
name: Main line
queue: Support
languages: [en, fr]
open:
  - menu: main
menus:
  main:
    say: {en: Press 1 for sales or 2 for support, fr: Ventes 1 ou assistance 2}
    keys:
      "1": {ring: {queue: Sales, seconds: 60}}
      "2": {ring: {seconds: 60, hold: {longest: 7000, leave_key: "9"}}}
"""


@dataclass
class Room:
    """Everything that a call that comes in passes through. `is_open`: whether teams work now."""

    pool: Pool
    carrier: Carrier
    channel: TwilioVoice
    desk: LineDesk
    sweeper: IncomingSweeper
    keeper: RecordingKeeper
    clock: SystemClock
    blobs: Path
    hours: dict[str, bool]
    serve: Callable[[], Awaitable[None]]  #: another web process takes over, with nothing in memory

    @property
    def phones(self) -> Any:
        """What people do."""
        return self.carrier.phones

    def misbehave(self, trick: Trick, **rule: Any) -> None:
        """Let the carrier misbehave."""
        self.carrier.parts.exchange.mischief.add(Rule(trick=trick, **rule))

    async def team(self, name: str, *people: tuple[str, str], confidential: bool = False) -> list[int]:
        """A queue with a team of people with phones; gives their numbers."""
        team = await self.pool.fetchval("INSERT INTO teams (name) VALUES ($1) RETURNING id", name)
        await self.pool.execute(
            "INSERT INTO queues (name, team_id, confidential) VALUES ($1, $2, $3)", name, team, confidential
        )
        return [await self.person(who, phone, team) for who, phone in people]

    async def person(self, name: str, phone: str, team: int | None = None) -> int:
        """Somebody of us with a phone."""
        user: int = await self.pool.fetchval(
            "INSERT INTO users (email, name, role, phone) VALUES ($1, $2, 'agent', $3) RETURNING id",
            f"{name.lower()}@hub.example", name, phone,
        )  # fmt: skip
        if team is not None:
            await self.pool.execute("INSERT INTO team_members VALUES ($1, $2)", team, user)
        return user

    async def contact(self, name: str, phone: str = ANNA, **fields: Any) -> int:
        """Somebody who may call."""
        contact: int = await self.pool.fetchval(
            "INSERT INTO contacts (name, language, owner_id) VALUES ($1, $2, $3) RETURNING id",
            name, fields.get("language"), fields.get("owner_id"),
        )  # fmt: skip
        await self.pool.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
            contact, phone,
        )  # fmt: skip
        return contact

    async def phone(self, number: str, state: str) -> PhoneCall:
        """The last call of a phone, once it is in this state, or listens to this."""

        async def look() -> PhoneCall | None:
            calls = (await self.phones.show_phone(number)).calls
            call = calls[-1] if calls else None
            return call if call and (call.state == state or state in call.listening) else None

        return await eventually(look, f"{number} is not {state}")

    async def hear(self, number: str, words: str) -> PhoneCall:
        """The last call of a phone, once this was said on it."""

        async def look() -> PhoneCall | None:
            calls = (await self.phones.show_phone(number)).calls
            return calls[-1] if calls and any(words in one.text for one in calls[-1].sounds) else None

        return await eventually(look, f"{number} did not hear {words!r}")

    async def call_in(self, keys: str = "", number: str = ANNA) -> str:
        """Somebody calls, and presses keys when the question is asked."""
        sid: str = await self.phones.call(number, OURS)
        for key in keys:
            await self.phone(number, "digits")
            await self.phones.press(sid, key)
            await asyncio.sleep(0.02)
        return sid

    async def take(self, number: str, keys: str = "1") -> PhoneCall:
        """One of us takes the call that rings, and presses a key when told who calls."""
        ringing = await self.phone(number, "ringing")
        await self.phones.answer(ringing.sid)
        if keys:
            await self.phone(number, "digits")
            await self.phones.press(ringing.sid, keys)
        return ringing

    async def leave(self, sid: str, words: str, number: str = ANNA, key: str = "#") -> None:
        """The caller speaks after the tone, and presses a key, or hangs up when there is none."""
        await self.hear(number, "beep")
        await self.phone(number, "speech")
        await self.phones.speak(sid, words)
        if key:
            await self.phones.press(sid, key)
        else:
            await asyncio.sleep(0.05)
            await self.phones.hang_up(sid)

    async def stored(self, **wanted: Any) -> dict[str, Any]:
        """The newest call as it is stored, once it looks like this."""

        async def look() -> dict[str, Any] | None:
            row = await self.pool.fetchrow(
                """SELECT c.*, m.contact_id, m.conversation_id FROM calls c JOIN messages m ON m.id = c.message_id
                   ORDER BY c.message_id DESC LIMIT 1"""
            )
            return dict(row) if row and all(row[name] == value for name, value in wanted.items()) else None

        try:
            return await eventually(look, f"no call is {wanted}")
        except AssertionError as error:
            calls = await self.pool.fetch("SELECT state, result, position - 'line' AS position FROM calls")
            told = [(one.url[-30:], one.status, one.error) for one in self.carrier.parts.courier.log]
            raise AssertionError(
                f"{error}: {[dict(row) for row in calls]} {told} {self.problems()}"
            ) from error

    async def conversation(self, number: int) -> dict[str, Any]:
        """A conversation with the name of its queue."""
        row = await self.pool.fetchrow(
            "SELECT v.*, q.name AS queue FROM conversations v LEFT JOIN queues q ON q.id = v.queue_id WHERE v.id = $1",
            number,
        )
        assert row is not None
        return dict(row)

    async def events(self, message_id: int) -> list[tuple[str, Any]]:
        """What was told of a call: types and results."""
        rows = await self.pool.fetch(
            "SELECT type, data ->> 'result' AS result FROM events WHERE message_id = $1 ORDER BY id",
            message_id,
        )
        return [(row["type"], row["result"]) for row in rows]

    async def fetch_recordings(self) -> None:
        """Let every recording become due, and see to it."""
        await self.pool.execute("UPDATE recordings SET due_at = now() WHERE due_at IS NOT NULL")
        await self.keeper.work_due()

    async def find_lost(self) -> None:
        """Let the time pass in which recordings are told of."""
        await self.pool.execute("UPDATE calls SET recordings_at = now() WHERE recordings_at IS NOT NULL")
        await LostRecordings(self.desk.board, self.channel).find_due()

    def problems(self) -> list[str]:
        """What addresses and documents of ours did wrong."""
        return [f"{one.code} {one.text}" for one in self.carrier.parts.exchange.problems]


async def eventually(look: Callable[[], Awaitable[Seen | None]], what: str = "it") -> Seen:
    """What `look` gives, as soon as it is true; fails after a while."""
    until = asyncio.get_running_loop().time() + 10
    while not (seen := await look()):
        assert asyncio.get_running_loop().time() < until, f"{what}: not in time"
        await asyncio.sleep(0.02)
    return seen


@asynccontextmanager
async def open_room(
    pool: Pool, folder: Path, *, tells_ends: bool = True, **settings: Any
) -> AsyncIterator[Room]:
    """Start it. `settings` are those of calls; `tells_ends`: whether the number has a status address."""
    announcer, clock, hours = Announcer(pool), SystemClock(), {"open": True}
    carrier = Carrier(
        CarrierSettings.model_validate(
            {
                "port": 0,
                "account_sid": ACCOUNT,
                "auth_token": TOKEN,
                "numbers": (
                    NumberSettings(
                        phone_number=OURS,
                        voice_url=PUBLIC + INBOUND_PATH,
                        status_callback=PUBLIC + ENDED_PATH if tells_ends else "",
                    ),
                ),
                "second": 0.02,
                "pace": 0.5,
                "typing_seconds": 100,
                "words_per_second": 50,
            }
        )
    )
    await carrier.start()
    account = TwilioAccount.model_validate(
        {"account_sid": ACCOUNT, "auth_token": TOKEN, "base_url": carrier.url}
    )
    voice = TwilioVoiceSettings.model_validate(
        {"account": account, "timeouts": {"connect": 2, "answer": 1, "turn": 10, "grace": 0.3}, **settings}
    )
    channel = TwilioVoice(voice)
    board = Switchboard(pool, clock, CallAddresses(PUBLIC, KEYS), voice, announcer)
    desk = LineDesk(board, lambda team, at: hours["open"])
    runners: list[web.AppRunner] = []

    async def serve() -> None:
        """A web process of its own; the one before is gone."""
        while runners:
            await runners.pop().cleanup()
        app = web.Application()
        add_voice_callbacks(app, VoiceCallbacks(channel, board, replace(desk, board=replace(board))))
        runners.append(web.AppRunner(app, access_log=None, shutdown_timeout=0.1))
        await runners[0].setup()
        await web.TCPSite(runners[0], "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runners[0].addresses[0][1]}"
        exchange = carrier.parts.exchange
        exchange.settings = exchange.settings.model_copy(update={"routes": {PUBLIC: address}})

    await serve()
    blobs = folder / "blobs"
    keeper = RecordingKeeper(board, channel, BlobStore(blobs))
    sweeper = IncomingSweeper(board, channel)
    try:
        yield Room(pool, carrier, channel, desk, sweeper, keeper, clock, blobs, hours, serve)
    finally:
        await carrier.stop()
        await channel.close()
        await runners[0].cleanup()
        await announcer.close()


async def open_line(room: Room, text: str = LINE) -> tuple[int, int, int]:
    """The main line with its teams: Eva and Max in support, Ola in sales; gives who they are."""
    eva, max_ = await room.team("Support", ("Eva", EVA), ("Max", MAX))
    (ola,) = await room.team("Sales", ("Ola", OLA))
    await save_line(room.pool, text)
    return eva, max_, ola

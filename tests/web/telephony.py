"""Calls as inbox/calls leaves them, for tests of pages and for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.voice.settings import TwilioVoiceSettings
from channels.voice.twilio import TwilioVoice
from domain.clock import SystemClock
from domain.events import EventType, NewEvent
from inbox.calls.addresses import CallAddresses
from inbox.calls.switchboard import Switchboard
from inbox.lines.store import save_line
from storage.blobs import BlobStore
from storage.event_store import record
from storage.pool import Pool
from tests.web.house import KEY
from web.callbacks.voice_door import VoiceCallbacks

#: a second of silence
WAV = (
    b"RIFF" + (36 + 8000).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    + b"\x01\x00\x01\x00" + (8000).to_bytes(4, "little") * 2 + b"\x01\x00\x08\x00data"
    + (8000).to_bytes(4, "little") + b"\x80" * 8000
)  # fmt: skip


@dataclass
class Exchange:
    """Makes calls."""

    pool: Pool
    blobs: BlobStore
    made: int = 0

    async def call(
        self,
        direction: str,
        state: str = "ended",
        result: str | None = None,
        *,
        contact: int | None = None,
        conversation: int | None = None,
        ago: timedelta = timedelta(minutes=5),
        **columns: Any,
    ) -> int:
        """One call with its events; placed `ago`."""
        placed = datetime.now(UTC) - ago
        number: int = await self.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id, conversation_id, created_at)"
            " VALUES ($1, 'voice', $2, $3, $4) RETURNING id",
            direction, contact, conversation, placed,
        )  # fmt: skip
        values = {"state": state, "result": result, "theirs": "+33199000000", "ours": "+33644600001",
                  "placed_at": placed, **columns}  # fmt: skip
        if state == "ended":
            values.setdefault("ended_at", placed + timedelta(seconds=30 + (values.get("seconds") or 0)))
        places = ", ".join(f"${n}" for n in range(2, len(values) + 2))
        await self.pool.execute(
            f"INSERT INTO calls (message_id, {', '.join(values)}) VALUES ($1, {places})", number, *values.values()
        )  # fmt: skip
        told = [(EventType.CALLED, placed)]
        if values.get("answered_at"):
            told.append((EventType.ANSWERED, values["answered_at"]))
        if state == "ended":
            told.append((EventType.CALL_ENDED, values["ended_at"]))
        data = {"direction": direction, "result": result, "seconds": values.get("seconds")}
        async with self.pool.acquire() as connection:
            await record(
                connection,
                [
                    NewEvent(kind, at, contact, number, conversation_id=conversation, task_id=values.get("task_id"),
                             actor_id=values.get("user_id"), data=data)
                    for kind, at in told
                ],
            )  # fmt: skip
        return number

    async def leg(self, call: int, part: str, number: str = "+33639980001", **columns: Any) -> str:
        """A phone that takes part."""
        self.made += 1
        values = {
            "provider_id": f"CA{self.made:032x}",
            "message_id": call,
            "part": part,
            "number": number,
            **columns,
        }
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self.pool.execute(
            f"INSERT INTO call_legs ({', '.join(values)}) VALUES ({places})", *values.values()
        )
        return str(values["provider_id"])

    async def recording(self, call: int, kind: str = "voicemail", **columns: Any) -> int:
        """A recording that was fetched."""
        self.made += 1
        values = {"message_id": call, "provider_id": f"RE{self.made:032x}", "kind": kind, "state": "fetched", "url": "x",
                  "blob": self.blobs.put(WAV), "media_type": "audio/wav", "size": len(WAV), "seconds": 1,
                  "delete_after": datetime.now(UTC) + timedelta(days=90), **columns}  # fmt: skip
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        number: int = await self.pool.fetchval(
            f"INSERT INTO recordings ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
        )
        return number

    async def line(
        self, number: str = "+33644600001", name: str = "Support", queue: int | None = None
    ) -> int:
        """A phone line that takes messages."""
        line = {"number": number, "name": name, "queue": "Support", "open": ["voicemail"]}
        text = f'number: "{number}"\nname: {name}\nqueue: Support\nopen: [voicemail]\n'
        made: int = await self.pool.fetchval(
            "INSERT INTO phone_lines (number, name, queue_id, definition) VALUES ($1, $2, $3, $4) RETURNING id",
            number, name, queue, {"line": line, "text": text},
        )  # fmt: skip
        return made


@dataclass
class Telephony:
    """What was made: calls by a word for each."""

    calls: dict[str, int]
    recording: int
    line: int
    conversation: int


_LEAK = (
    "Good morning, this is Begoña from Hotel Ría. Since the storm of last night water drips from two of the panels on the"
    " south side. Could somebody call me back before noon? The number is the one that I call from. Thank you."
)


LINE = """\
number: "+33644600001"
name: Support line
queue: Support
languages: [fr, en]
greeting: {fr: "Hélianthe Énergie, bonjour.", en: "Hélianthe Énergie, good morning."}
open:
  - menu: main
closed:
  - say:
      fr: Nos bureaux sont fermés.  # the house's own words follow
      en: Our offices are closed.
  - voicemail
menus:
  main:
    say:
      fr: Pour un devis, tapez 1. Pour une panne, tapez 2.
      en: For an offer, press 1. If something is broken, press 2.
    keys:
      "1": {ring: {queue: Sales, seconds: 15}}
      "2":
        - ring: {together: true, hold: {longest: 180}}
        - voicemail: {longest: 120}
    words:
      "2": {fr: [panne, "en panne"], en: [broken, repair]}
"""


def make_voice(pool: Pool) -> VoiceCallbacks:
    """An account that calls nobody: enough for pages to offer calls."""
    settings = TwilioVoiceSettings.model_validate(
        {
            "account": {
                "account_sid": "AC" + "0" * 32,
                "auth_token": "x" * 32,
                "base_url": "http://127.0.0.1:1",
            }
        }
    )
    addresses = CallAddresses("https://hub.example", KEY)
    return VoiceCallbacks(TwilioVoice(settings), Switchboard(pool, SystemClock(), addresses, settings))


async def build_telephony(
    pool: Pool, blobs: BlobStore, users: dict[str, int], contacts: Sequence[int], queue: int
) -> Telephony:
    """A day on the phone."""
    exchange, now = Exchange(pool, blobs), datetime.now(UTC)
    await pool.execute("UPDATE users SET phone = '+33639980001' WHERE id = $1", users["rep"])
    line = (await save_line(pool, LINE)).id
    await pool.execute("INSERT INTO queue_addresses VALUES ('+33644600002', $1)", queue)
    calls = {}
    talk = calls["talk"] = await exchange.call(
        "out", result="answered", contact=contacts[4], ago=timedelta(hours=2), user_id=users["rep"], seconds=312,
        answered_at=now - timedelta(hours=2), theirs="+33199000004", price=-0.042, currency="USD", announced=True,
    )  # fmt: skip
    at = now - timedelta(hours=2)
    await exchange.leg(talk, "us", user_id=users["rep"], status="completed", answered_at=at, seconds=330, price=-0.021, currency="USD")  # fmt: skip
    await exchange.leg(talk, "them", "+33199000004", status="completed", answered_at=at, seconds=312, price=-0.021, currency="USD")  # fmt: skip
    await exchange.recording(talk, "talk", seconds=312)
    calls["no_answer"] = await exchange.call(
        "out", result="no_answer", contact=contacts[0], ago=timedelta(minutes=50), user_id=users["rep"],
    )  # fmt: skip
    calls["missed"] = await exchange.call(
        "in", result="missed", theirs="+33639980077", ago=timedelta(minutes=25), line_id=line
    )
    conversation = await pool.fetchval(
        "INSERT INTO conversations (subject, queue_id, contact_id, state, waiting_since, last_message_at)"
        " VALUES ('Support line', $1, $2, 'open', now(), now()) RETURNING id", queue, contacts[4],
    )  # fmt: skip
    voicemail = calls["voicemail"] = await exchange.call(
        "in", result="voicemail", contact=contacts[4], conversation=conversation, ago=timedelta(minutes=12), seconds=21,
        theirs="+33199000004", line_id=line,
    )  # fmt: skip
    await exchange.leg(voicemail, "us", user_id=users["agent"], status="no-answer", ended_at=now)
    recording = await exchange.recording(voicemail, transcript=_LEAK, seconds=21)
    await pool.execute(
        "INSERT INTO message_contents (message_id, subject, body, new_text, written_at) VALUES ($1, '', $2, $2, $3)",
        voicemail, _LEAK, now - timedelta(minutes=12),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO message_parties (message_id, part, no, name, address) VALUES ($1, 'from', 0, $2, '+33199000004')",
        voicemail, "Begoña Muñoz",
    )  # fmt: skip
    data = {"channel": "voice", "direction": "in"}
    async with pool.acquire() as connection:
        await record(
            connection,
            [NewEvent(EventType.RECEIVED, now - timedelta(minutes=12), contacts[4], voicemail,
                      conversation_id=conversation, data=data)],
        )  # fmt: skip
    return Telephony(calls, recording, line, conversation)


async def ring_and_talk(
    pool: Pool, blobs: BlobStore, users: dict[str, int], contacts: Sequence[int], line: int
) -> None:
    """What goes on: the rep talks, the agent is called, the manager's phone rings for a call of their own."""
    exchange, now = Exchange(pool, blobs), datetime.now(UTC)
    exchange.made = 900
    await exchange.call("out", "talking", contact=contacts[3], ago=timedelta(minutes=3), user_id=users["rep"],
                        answered_at=now - timedelta(seconds=144), theirs="+33199000003")  # fmt: skip
    await exchange.call("out", "ringing_us", contact=contacts[1], ago=timedelta(0), user_id=users["manager"])
    coming = await exchange.call("in", "ringing", contact=contacts[0], ago=timedelta(0), line_id=line)
    await exchange.leg(coming, "us", user_id=users["agent"], status="ringing")

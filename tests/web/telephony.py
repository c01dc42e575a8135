"""Calls as inbox/calls leaves them, for tests of pages and for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.events import EventType, NewEvent
from storage.blobs import BlobStore
from storage.event_store import record
from storage.pool import Pool

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
        """A phone line."""
        made: int = await self.pool.fetchval(
            "INSERT INTO phone_lines (number, name, queue_id, definition) VALUES ($1, $2, $3, '{}') RETURNING id",
            number, name, queue,
        )  # fmt: skip
        return made

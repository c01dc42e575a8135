"""What every function about calls that come in works with, and the two things that all of them do: hold, and keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.calls import Document, Hangup
from inbox.calls.switchboard import Switchboard
from inbox.lines.documents import pack, unpack
from inbox.lines.menus import Line
from inbox.lines.position import Mode, Position
from inbox.lines.reach import IsOpen
from inbox.lines.ringing import Rep
from inbox.lines.scene import Links, Next
from storage.pool import Connection

#: seconds in which a step comes back, after which the provider is asked how the call stands
_PATIENCE: Final = {Mode.RING: 300.0, Mode.HOLD: 180.0, Mode.VOICEMAIL: 700.0}
_PATIENCE_ELSE: Final = 180.0

_KEEP: Final = """
UPDATE calls SET state = $2, step = $3, position = $4, answer = $5, announced = announced OR $6,
       user_id = CASE WHEN answered_at IS NULL THEN $7 ELSE user_id END,
       version = version + 1, changed_at = now(), looks = 0, look_at = now() + make_interval(secs => $8)
WHERE message_id = $1
"""
#: A person who is rung has a leg before the provider tells its number, so that they are seen to be on the phone.
_RUNG: Final = """
INSERT INTO call_legs (provider_id, message_id, part, user_id, number)
SELECT concat_ws(':', 'rung', $1::bigint, $2::int, user_id), $1, 'us', user_id, number
FROM unnest($3::bigint[], $4::text[]) AS t(user_id, number) ON CONFLICT DO NOTHING
"""
_RANG: Final = """
UPDATE call_legs SET ended_at = coalesce(ended_at, $2)
WHERE message_id = $1 AND part = 'us' AND ended_at IS NULL AND ($3::bigint IS NULL OR user_id IS DISTINCT FROM $3)
"""


@dataclass(frozen=True, slots=True)
class LineDesk:
    """`is_open`: whether a team works at a moment. `default_queue`: for numbers without a line. `music`: address of the
    house's own tune; empty for that below our public address."""

    board: Switchboard
    is_open: IsOpen
    default_queue: str = "Inbox"
    music: str = ""

    def links(self, message_id: int, step: int) -> Links:
        """The addresses that the document of this step names."""
        of = self.board.addresses.of
        return Links(
            step=of(message_id, "step", step),
            left=of(message_id, "left", step),
            voicemail=of(message_id, "recorded/voicemail"),
            transcript=of(message_id, "transcript"),
            talk=of(message_id, "recorded/talk"),
            music=self.music or f"{self.board.addresses.public_url}/callbacks/voice/hold.wav",
            whisper=lambda user_id: of(message_id, f"whisper/{step}", user_id),
            rang=lambda user_id: of(message_id, f"rang/{step}", user_id),
        )


def line_of(call: Any) -> Line:
    """The line as it was when the call began."""
    return Line.model_validate(call["position"]["line"])


def position_of(call: Any) -> Position:
    """Where the caller is."""
    return Position.model_validate(call["position"])


def pack_position(position: Position, line: Line) -> dict[str, Any]:
    """As it is kept, with the line: what is written anew holds for later calls."""
    kept = position.model_dump(mode="json", exclude_defaults=True)
    return kept | {"line": line.model_dump(mode="json", exclude_unset=True)}


async def keep_step(connection: Connection, message_id: int, step: int, line: Line, chosen: Next) -> None:
    """Keep what the caller was given, and whose phones ring."""
    users = [rep.user_id for rep in chosen.ringing]
    position = chosen.position
    await connection.execute(
        _KEEP,
        message_id,
        position.state.value,
        step,
        pack_position(position, line),
        {"step": step, "document": pack(chosen.document)},
        position.announced,
        users[0] if len(users) == 1 else None,
        _PATIENCE.get(position.mode, _PATIENCE_ELSE),
    )
    await _ring(connection, message_id, step, chosen.ringing)


async def _ring(connection: Connection, message_id: int, step: int, people: Sequence[Rep]) -> None:
    if people:
        users, numbers = [rep.user_id for rep in people], [rep.phone for rep in people]
        await connection.execute(_RUNG, message_id, step, users, numbers)


async def stop_ringing(
    connection: Connection, message_id: int, at: datetime, *, but: int | None = None
) -> None:
    """Nobody's phone rings any more for this call, but for that of one person."""
    await connection.execute(_RANG, message_id, at, but)


def kept_answer(call: Any) -> Document:
    """The last document that was given; of a call that has ended only its goodbye is kept."""
    return unpack(call["answer"]["document"]) if call["answer"] else (Hangup(),)

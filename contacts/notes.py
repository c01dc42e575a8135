"""Notes that people write by hand: a meeting, a letter, a fax, a chat, a visit."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.errors import InvalidInput
from domain.events import EventType, NewEvent
from storage.event_store import record
from storage.pool import Connection

LONGEST: Final = 20_000  #: characters
_TEXT: Final = "INSERT INTO event_texts (event_id, body) VALUES ($1, $2)"


class NoteKind(StrEnum):
    """What is noted."""

    NOTE = "note"
    MEETING = "meeting"
    LETTER = "letter"
    FAX = "fax"
    CHAT = "chat"
    VISIT = "visit"
    CALL = "call"


async def add_note(
    connection: Connection,
    contact_id: int | None,
    *,
    kind: str,
    body: str,
    occurred_at: datetime,
    actor_id: int | None,
    case_id: int | None = None,
) -> int:
    """Put a note on the timeline of a contact, or of a case; gives the event's id.

    The words lie apart from the event (table event_texts), so that they can be erased. Runs in the caller's
    transaction. Raises InvalidInput for an unknown kind, and for a note that is empty or too long.
    """
    if kind not in set(NoteKind):
        raise InvalidInput("kind", f"there is no note of kind {kind[:40]}.", f"Choose {', '.join(NoteKind)}.")
    body = body.strip().replace("\0", "")
    if not body:
        raise InvalidInput("text", "the note is empty.", "Write what was said or done.")
    if len(body) > LONGEST:
        raise InvalidInput("text", f"longer than {LONGEST} characters.", "Keep what matters.")
    noted = NewEvent(
        EventType.NOTED,
        occurred_at,
        contact_id=contact_id,
        actor_id=actor_id,
        case_id=case_id,
        data={"kind": kind},
    )
    (event_id,) = await record(connection, [noted])
    assert event_id is not None
    await connection.execute(_TEXT, event_id, body)
    return event_id

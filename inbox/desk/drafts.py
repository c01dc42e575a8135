"""Drafts of answers: kept while somebody writes, seen by the others as a warning, restored when sending is undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from domain.errors import InvalidInput
from domain.messages import ChannelKind
from storage.announce import Announcer
from storage.pool import Connection, Pool

WRITING_SECONDS: Final = 60  #: so long after the last touch somebody counts as writing
LONGEST_TEXT: Final = 200_000  #: characters

_LOAD: Final = "SELECT draft, begun_at FROM conversation_drafts WHERE conversation_id = $1 AND user_id = $2"
_SAVE: Final = """
INSERT INTO conversation_drafts AS d (conversation_id, user_id, draft)
SELECT id, $2, $3 FROM conversations WHERE id = $1
ON CONFLICT (conversation_id, user_id) DO UPDATE SET draft = EXCLUDED.draft, touched_at = now(),
    begun_at = CASE WHEN d.draft ? 'sent' THEN now() ELSE d.begun_at END
"""
#: what was typed last may come in after the answer was sent: then it is no draft again
_SAVE_TYPED: Final = (
    _SAVE
    + """
WHERE NOT (d.draft ? 'sent' AND d.draft ->> 'text' = EXCLUDED.draft ->> 'text'
           AND d.touched_at > now() - interval '15 seconds')
"""
)
_DROP: Final = "DELETE FROM conversation_drafts WHERE conversation_id = $1 AND user_id = $2"
_WRITERS: Final = """
SELECT u.id, u.name, d.touched_at FROM conversation_drafts d JOIN users u ON u.id = d.user_id
WHERE d.conversation_id = $1 AND d.user_id <> $2 AND NOT d.draft ? 'sent'
  AND d.touched_at > now() - make_interval(secs => $3)
ORDER BY u.name, u.id
"""
_LATEST: Final = "SELECT coalesce(max(id), 0) FROM messages WHERE conversation_id = $1"


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file that was uploaded for an answer; `blob` is its name among the uploads (inbox/desk/files.py)."""

    name: str
    media_type: str
    size: int
    blob: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is writing. `seen`: the newest message of the conversation when it was begun.

    `channel`: what it goes by; `sender`: the number of ours that a short message comes from.

    Once it was sent it is kept a while for whoever undoes that: `sent` is the message then, `before` what the
    conversation was like.
    """

    text: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    quote: bool = True
    files: tuple[DraftFile, ...] = ()
    seen: int = 0
    sent: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    channel: ChannelKind = ChannelKind.MAIL
    sender: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that anybody would miss."""
        return not self.text.strip() and not self.files


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who is writing an answer at the moment."""

    id: int
    name: str
    touched_at: datetime


async def load_draft(connection: Connection | Pool, conversation_id: int, user_id: int) -> Draft | None:
    """What this person has written and not sent; None when there is nothing."""
    draft = await _load(connection, conversation_id, user_id)
    return None if draft is None or draft.sent is not None else draft


async def load_sent_draft(
    connection: Connection | Pool, conversation_id: int, user_id: int, message_id: int
) -> Draft | None:
    """The draft that became this message, while it is kept."""
    draft = await _load(connection, conversation_id, user_id)
    return draft if draft is not None and draft.sent == message_id else None


async def _load(connection: Connection | Pool, conversation_id: int, user_id: int) -> Draft | None:
    row = await connection.fetchrow(_LOAD, conversation_id, user_id)
    if row is None:
        return None
    stored = dict(row["draft"])
    files = tuple(DraftFile(**file) for file in stored.pop("files", ()))
    channel = ChannelKind(stored.pop("channel", ChannelKind.MAIL))
    return Draft(**stored, files=files, channel=channel)


async def store_draft(
    connection: Connection | Pool, conversation_id: int, user_id: int, draft: Draft
) -> None:
    """Keep a draft as it is."""
    await connection.execute(_SAVE, conversation_id, user_id, _stored(draft))


def _stored(draft: Draft) -> dict[str, Any]:
    return {name: value for name, value in asdict(draft).items() if name != "sent" or value is not None}


async def save_draft(
    pool: Pool, announcer: Announcer | None, conversation_id: int, user_id: int, draft: Draft
) -> None:
    """Keep what somebody is writing, so that the others are warned; an empty one is dropped. Raises InvalidInput."""
    if len(draft.text) > LONGEST_TEXT:
        raise InvalidInput("text", "this text is too long.", "Shorten it, or send a part as a file.")
    if draft.is_empty:
        await drop_draft(pool, conversation_id, user_id)
    else:
        await pool.execute(_SAVE_TYPED, conversation_id, user_id, _stored(draft))
    if announcer is not None:
        announcer.touch()


async def drop_draft(connection: Connection | Pool, conversation_id: int, user_id: int) -> None:
    """Throw a draft away."""
    await connection.execute(_DROP, conversation_id, user_id)


async def list_writers(connection: Connection | Pool, conversation_id: int, but_user_id: int) -> list[Writer]:
    """The others who are writing an answer in this conversation right now."""
    rows = await connection.fetch(_WRITERS, conversation_id, but_user_id, float(WRITING_SECONDS))
    return [Writer(*row) for row in rows]


async def newest_message(connection: Connection | Pool, conversation_id: int) -> int:
    """The id of the newest message of a conversation, 0 when it has none."""
    number: int = await connection.fetchval(_LATEST, conversation_id)
    return number

"""How the API writes conversations: models of lists, of one with its messages, and of what is asked for."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.conversations import ConversationState
from domain.messages import ChannelKind, Direction
from web.api.files import FileInput
from web.api.paging import PageQuery
from web.queries.conversations import Box
from web.queries.messages import MessageView


class ConversationModel(BaseModel):
    """A conversation as a list shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    channel: ChannelKind = Field(description="Of its first message.")
    subject: str
    state: ConversationState
    junk: bool
    version: int
    queue_id: int | None
    queue_name: str | None
    assignee_id: int | None
    assignee_name: str | None
    contact_id: int | None
    contact_name: str | None
    case_id: int | None
    from_name: str | None = Field(description="Of the newest message of theirs.")
    from_address: str | None
    preview: str = Field(description="How its new words begin.")
    files: int
    created_at: datetime
    waiting_since: datetime | None = Field(description="Since when they wait for our answer.")
    answer_due: datetime | None = Field(None, description="Until when its queue promises an answer.")
    resolve_due: datetime | None = Field(None, description="Until when its queue promises that it is closed.")
    breached_at: datetime | None = Field(None, description="Since when a promise of its queue is broken.")
    last_message_at: datetime | None
    closed_at: datetime | None


class ConversationPage(BaseModel):
    """Some conversations: open and waiting ones oldest first, others latest first."""

    items: list[ConversationModel]
    next: str | None


class ConversationQuery(PageQuery):
    """Which conversations."""

    box: Box = Field(Box.OPEN, description="mine, unassigned, open, waiting, closed or junk.")
    queue_id: int | None = None
    q: str = Field(
        "", max_length=200, description="A word of subject, name or address; looks into all boxes."
    )


class PartyModel(BaseModel):
    """Somebody in a header of a mail."""

    part: str = Field(description="from, to, cc, bcc or reply_to.")
    name: str
    address: str


class FileModel(BaseModel):
    """A file of a message; fetched at /messages/{id}/files/{no}."""

    no: int
    name: str
    media_type: str
    size: int
    inline: bool


class DeliveryModel(BaseModel):
    """What became of a message of ours for one recipient."""

    address: str
    state: str
    reason: str | None
    reply: str | None


class TextModel(BaseModel):
    """What the provider says of a short message."""

    status: str = Field(description="received, or delivered, undelivered…; empty when nothing was reported.")
    reason: str | None = Field(description="Our word for why it did not arrive (docs/sms.md).")
    ours: str
    theirs: str
    encoding: str | None
    segments: int | None = Field(description="Parts, as they are billed.")
    price: str | None = Field(description="A decimal number, positive; null while it is not known.")
    currency: str | None


class AwaitedFileModel(BaseModel):
    """A picture or file of a short message that is not here."""

    model_config = ConfigDict(from_attributes=True)

    no: int
    trouble: str = Field(
        description="Why the last attempt to fetch it came to nothing; empty before the first."
    )
    virus: str = Field(description="The virus that was found in it; it is not kept then.")
    is_over: bool = Field(description="Nobody tries any more.")


class MessageModel(BaseModel):
    """One message."""

    id: int
    channel: ChannelKind
    direction: Direction
    created_at: datetime
    written_at: datetime | None
    subject: str
    new_text: str = Field(description="Without quotes and signature.")
    body: str
    author_id: int | None
    author_name: str | None
    automatic: str | None = Field(description="Why it counts as written by a machine.")
    junk: str | None
    virus: str | None
    authentication: dict[str, Any]
    parties: list[PartyModel]
    files: list[FileModel]
    awaited: list[AwaitedFileModel] = Field(description="Files of a short message that are not here.")
    deliveries: list[DeliveryModel]
    sms: TextModel | None = Field(description="Of a short message.")


class NoteModel(BaseModel):
    """An internal note."""

    id: int
    occurred_at: datetime
    author_name: str | None
    text: str


class PlacementModel(BaseModel):
    """A question for a person: does this message belong to that conversation?"""

    message_id: int
    suggested_id: int
    reason: str


class ThreadModel(ConversationModel):
    """A conversation with all that belongs to it."""

    messages: list[MessageModel]
    notes: list[NoteModel]
    parties: list[str]
    placements: list[PlacementModel]


class StateMove(StrEnum):
    """What can be made of a conversation."""

    CLOSE = "close"
    REOPEN = "reopen"
    WAIT = "wait"
    JUNK = "junk"
    CLEAR = "clear"


class StateInput(BaseModel):
    """A new state."""

    model_config = ConfigDict(extra="forbid")

    move: StateMove = Field(
        description="close, reopen, wait (the contact owes the next word), junk, or clear (it is no junk)."
    )
    version: int | None = Field(None, description="The version you saw; 409 when it changed since.")


class AssignInput(BaseModel):
    """Whom a conversation is given to, or which queue it is moved to; exactly one of both."""

    model_config = ConfigDict(extra="forbid")

    assignee_id: int | None = Field(None, description="A person; null for nobody.")
    queue_id: int | None = None
    version: int | None = Field(None, description="The version you saw; 409 when it changed since.")


class NoteInput(BaseModel):
    """An internal note."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=20_000)


class AnswerInput(BaseModel):
    """An answer. What is left out is as the console would suggest it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=200_000)
    channel: Literal[ChannelKind.MAIL, ChannelKind.SMS] | None = Field(
        None, description="Left out: what the other side used last."
    )
    sender: str = Field("", max_length=40, description="Of a short message: one of GET /texts/senders.")
    to: str | None = Field(
        None, max_length=20_000, description="Addresses with commas between; of a short message, one number."
    )
    cc: str | None = Field(None, max_length=20_000)
    bcc: str = Field("", max_length=20_000)
    subject: str | None = Field(None, max_length=900)
    quote: bool = True
    attachments: list[FileInput] = Field(
        default_factory=list, max_length=50, description="Files, together as large as the console takes them."
    )
    seen: int | None = Field(
        None,
        description="The newest message that you read; 409 when there is a newer one. Left out: not asked.",
    )
    close: bool = Field(False, description="Close the conversation, too.")


class SentModel(BaseModel):
    """An answer on its way; until `undo_until` it can be taken back."""

    message_id: int
    undo_until: datetime


class PlacementInput(BaseModel):
    """Where a message belongs."""

    model_config = ConfigDict(extra="forbid")

    message_id: int
    join: bool = Field(description="True: it joins the suggested conversation. False: it stays apart.")


class PlacedModel(BaseModel):
    """Where the message is now."""

    conversation_id: int


def describe_message(view: MessageView) -> MessageModel:
    """A message as the API writes it."""
    row = view.row
    return MessageModel.model_validate(
        {
            **{
                name: row[name]
                for name in (
                    "id",
                    "channel",
                    "direction",
                    "created_at",
                    "written_at",
                    "subject",
                    "new_text",
                    "body",
                )
            },
            **{name: row[name] for name in ("author_id", "author_name", "automatic", "junk", "virus")},
            "authentication": row["authentication"] or {},
            "parties": [dict(one) for part in view.parties.values() for one in part],
            "files": [dict(one) for one in view.files],
            "awaited": list(view.awaited),
            "deliveries": [dict(one) for one in view.deliveries],
            "sms": _text(row) if view.is_text else None,
        }
    )


def _text(row: Any) -> dict[str, Any]:
    return {
        "status": row["sms_status"] or "",
        "reason": row["sms_reason"],
        "ours": row["ours"] or "",
        "theirs": row["theirs"] or "",
        "encoding": row["encoding"],
        "segments": row["segments"],
        "price": None if row["price"] is None else str(abs(row["price"])),
        "currency": row["currency"],
    }

"""Conversations: lists, one with its messages and notes, moves, answers."""

from __future__ import annotations

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.conversations import ConversationState
from domain.errors import InvalidInput
from domain.messages import ChannelKind, Direction
from inbox.desk import conversations
from inbox.desk.answers import Answer
from inbox.desk.drafts import DraftFile, newest_message
from inbox.texts.answers import SmsAnswer
from web.access.permissions import Permission
from web.api.files import LIMIT, FileInput, read_file
from web.api.paging import PageQuery
from web.api.registry import Call, route
from web.console.conversations import read_place, write_mailboxes, write_place
from web.i18n import N_
from web.queries.conversations import Box, list_conversations, search_conversations
from web.queries.messages import MessageView, read_messages, read_parties, read_placements, read_thread
from web.work.conversations import (
    answer,
    bare_name,
    desk_of,
    place,
    prepare,
    refuse_too_large,
    see_conversation,
    take_back,
)
from web.work.texts import answer_by_text, reply_channel

_WORK = Permission.CONVERSATIONS_WORK


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


def _message(view: MessageView) -> MessageModel:
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


@route(
    "GET",
    "/conversations",
    summary="List conversations",
    permission=_WORK,
    query=ConversationQuery,
    answer=ConversationPage,
)
async def get_conversations(call: Call) -> ConversationPage:
    """Only those that you may see."""
    query: ConversationQuery = call.query
    if query.q.strip():
        found = await search_conversations(call.context.pool, call.person, query.q, query.limit)
        return ConversationPage.model_validate({"items": [dict(row) for row in found], "next": None})
    rows = await list_conversations(
        call.context.pool,
        call.person,
        query.box,
        queue_id=query.queue_id,
        after=read_place(query.after or ""),
        limit=query.limit + 1,
    )
    following = write_place(rows[query.limit - 1]) if len(rows) > query.limit else None
    return ConversationPage.model_validate(
        {"items": [dict(row) for row in rows[: query.limit]], "next": following}
    )


@route("GET", "/conversations/{id}", summary="One conversation", permission=_WORK, answer=ThreadModel)
async def get_conversation(call: Call) -> ThreadModel:
    """With its messages, notes and participants."""
    number, pool = call.number(), call.context.pool
    found = await see_conversation(call.context, call.person, number)
    notes = [entry.event for entry in await read_thread(pool, call.person, number) if entry.event is not None]
    return ThreadModel.model_validate(
        {
            **dict(found),
            "messages": [_message(view) for view in await read_messages(pool, number)],
            "notes": [
                {**dict(row), "author_name": row["actor_name"], "text": row["body"] or ""}
                for row in notes
                if row["type"] == "Noted"
            ],
            "parties": [row["address"] for row in await read_parties(pool, number)],
            "placements": [dict(row) for row in await read_placements(pool, call.person, number)],
        }
    )


async def _as_it_stands(call: Call) -> ConversationModel:
    """For the answer to a move; whoever moved it to where they see nothing is told that there is nothing."""
    return ConversationModel.model_validate(
        dict(await see_conversation(call.context, call.person, call.number()))
    )


@route(
    "POST",
    "/conversations/{id}/state",
    summary="Close, open again, judge as junk",
    permission=_WORK,
    body=StateInput,
    answer=ConversationModel,
)
async def post_state(call: Call) -> ConversationModel:
    """The table of moves decides; an event tells."""
    given: StateInput = call.body
    number, desk = call.number(), desk_of(call.context, call.person)
    await see_conversation(call.context, call.person, number)
    match given.move:
        case StateMove.CLOSE:
            await conversations.close(desk, number, given.version)
        case StateMove.REOPEN:
            await conversations.reopen(desk, number, given.version)
        case StateMove.WAIT:
            await conversations.wait(desk, number, given.version)
        case _:
            await conversations.judge_junk(desk, number, given.move is StateMove.JUNK, given.version)
    return await _as_it_stands(call)


@route(
    "POST",
    "/conversations/{id}/assignment",
    summary="Give it to somebody, or move it to a queue",
    permission=_WORK,
    body=AssignInput,
)
async def post_assignment(call: Call) -> None:
    """Of two people who do that at once with the same version, one is refused."""
    given: AssignInput = call.body
    number, desk = call.number(), desk_of(call.context, call.person)
    await see_conversation(call.context, call.person, number)
    if len({"assignee_id", "queue_id"} & given.model_fields_set) != 1:
        raise InvalidInput(
            "assignee_id", N_("Give exactly one of assignee_id and queue_id."), N_("Leave the other one out.")
        )
    if given.queue_id is not None:
        await conversations.move_to_queue(desk, number, given.queue_id, given.version)
    else:
        await conversations.assign(desk, number, given.assignee_id, given.version)


@route(
    "POST",
    "/conversations/{id}/notes",
    summary="Write an internal note",
    permission=_WORK,
    body=NoteInput,
    answer=NoteModel,
    status=201,
)
async def post_conversation_note(call: Call) -> NoteModel:
    """The contact never sees it."""
    number = call.number()
    await see_conversation(call.context, call.person, number)
    text = call.body.text
    note_id = await conversations.note(desk_of(call.context, call.person), number, text)
    return NoteModel(id=note_id, occurred_at=call.now, author_name=call.person.name, text=text.strip())


@route(
    "POST",
    "/conversations/{id}/answers",
    summary="Answer",
    permission=_WORK,
    body=AnswerInput,
    answer=SentModel,
    status=201,
    limit=LIMIT,
)
async def post_answer(call: Call) -> SentModel:
    """In the same thread, from the queue's address (with its signature) or number; it leaves after some seconds."""
    given: AnswerInput = call.body
    number = call.number()
    await see_conversation(call.context, call.person, number)
    seen = given.seen if given.seen is not None else await newest_message(call.context.pool, number)
    if (given.channel or await reply_channel(call.context, number)) is ChannelKind.SMS:
        files = await _keep_files(call, given.attachments)
        text = SmsAnswer(given.text, given.to or "", given.sender, files, seen=seen, close=given.close)
        sent = await answer_by_text(call.context, call.person, number, text)
        return SentModel(message_id=sent.message_id, undo_until=sent.undo_until)
    prepared = await prepare(call.context, call.person, number)
    sent = await answer(
        call.context,
        call.person,
        number,
        Answer(
            given.text,
            given.to if given.to is not None else write_mailboxes(prepared.to),
            given.cc if given.cc is not None else write_mailboxes(prepared.cc),
            given.bcc,
            given.subject or prepared.subject,
            given.quote,
            await _keep_files(call, given.attachments),
            seen,
            given.close,
        ),
    )
    return SentModel(message_id=sent.message_id, undo_until=sent.undo_until)


async def _keep_files(call: Call, given: list[FileInput]) -> tuple[DraftFile, ...]:
    """As if they had been uploaded: an answer that is taken back has them again."""
    files = [read_file(one, number) for number, one in enumerate(given)]
    refuse_too_large(sum(len(file.content) for file in files), call.context.settings.attachment_limit)
    store = call.context.answer_files
    return tuple(
        [
            DraftFile(
                bare_name(file.name),
                file.media_type,
                len(file.content),
                await asyncio.to_thread(store.put, file.content),
            )
            for file in files
        ]
    )


@route(
    "POST",
    "/conversations/{id}/answers/{message}/undo",
    summary="Take an answer back",
    permission=_WORK,
)
async def post_undo(call: Call) -> None:
    """Your own, as long as nothing of it has left; 409 when it has."""
    await take_back(call.context, call.person, call.number(), call.number("message"))


@route(
    "POST",
    "/placements",
    summary="Decide where a message belongs",
    permission=_WORK,
    body=PlacementInput,
    answer=PlacedModel,
)
async def post_placement(call: Call) -> PlacedModel:
    """Once: 409 when somebody decided already."""
    given: PlacementInput = call.body
    placed = await place(call.context, call.person, given.message_id, given.join)
    return PlacedModel(conversation_id=placed.conversation_id)

"""Conversations: lists, one with its messages and notes, moves, answers."""

from __future__ import annotations

import asyncio

from domain.errors import InvalidInput
from domain.messages import ChannelKind
from inbox.desk import conversations
from inbox.desk.answers import Answer
from inbox.desk.drafts import DraftFile, newest_message
from inbox.texts.answers import SmsAnswer
from web.access.permissions import Permission
from web.api.conversation_models import (
    AnswerInput,
    AssignInput,
    ConversationModel,
    ConversationPage,
    ConversationQuery,
    NoteInput,
    NoteModel,
    PlacedModel,
    PlacementInput,
    SentModel,
    StateInput,
    StateMove,
    ThreadModel,
    describe_message,
)
from web.api.files import LIMIT, FileInput, read_file
from web.api.registry import Call, route
from web.console.conversations import read_place, write_mailboxes, write_place
from web.i18n import N_
from web.queries.conversations import list_conversations, search_conversations
from web.queries.messages import read_messages, read_parties, read_placements, read_thread
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
            "messages": [describe_message(view) for view in await read_messages(pool, number)],
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

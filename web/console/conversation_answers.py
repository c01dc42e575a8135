"""Answering: the draft while it is written, its files, sending, and taking it back within some seconds."""

from __future__ import annotations

import asyncio
import mimetypes
from dataclasses import replace
from typing import Final

from aiohttp import BodyPartReader, web

from domain.errors import Conflict, InvalidInput
from domain.messages import ChannelKind
from inbox.desk.answers import Answer, NewsCameIn
from inbox.desk.drafts import (
    Draft,
    DraftFile,
    drop_draft,
    load_draft,
    newest_message,
    save_draft,
    store_draft,
)
from inbox.texts.answers import SmsAnswer
from web.access.permissions import Permission
from web.console.conversations import conversation_page
from web.console.pages import page
from web.console.visit import Visit, find_number, read_number
from web.i18n import N_
from web.sentences import translate_error
from web.work.conversations import answer, bare_name, refuse_too_large, see_conversation, take_back
from web.work.texts import answer_by_text

_PERMISSION: Final = Permission.CONVERSATIONS_WORK
_LONGEST_FIELD: Final = 20_000


async def _written(visit: Visit, conversation_id: int) -> Draft:
    """The form as a draft; files are those that were uploaded before."""
    kept = await load_draft(visit.context.pool, conversation_id, visit.person.id)
    fields = visit.fields
    return Draft(
        text=fields.get("text", "").replace("\r\n", "\n"),
        to=fields.get("to", "")[:_LONGEST_FIELD],
        cc=fields.get("cc", "")[:_LONGEST_FIELD],
        bcc=fields.get("bcc", "")[:_LONGEST_FIELD],
        subject=fields.get("subject", "")[:998],
        quote=fields.get("quote") == "yes",
        files=kept.files if kept else (),
        seen=find_number(fields.get("seen", "")) or 0,
        channel=ChannelKind.SMS if fields.get("by") == ChannelKind.SMS else ChannelKind.MAIL,
        sender=fields.get("sender", "")[:40],
    )


@page("POST", "/conversations/{id}/draft", permission=_PERMISSION)
async def keep_draft(visit: Visit) -> web.StreamResponse:
    """Keep what is being written; asked by a script while somebody types."""
    number = visit.number("id")
    await see_conversation(visit.context, visit.person, number)
    draft = await _written(visit, number)
    await save_draft(visit.context.pool, visit.context.announcer, number, visit.person.id, draft)
    return (
        web.Response(status=204) if visit.is_fragment else visit.redirect(f"/conversations/{number}#answer")
    )


@page("POST", "/conversations/{id}/draft/drop", permission=_PERMISSION)
async def throw_draft(visit: Visit) -> web.StreamResponse:
    """Throw the draft away."""
    number = visit.number("id")
    await see_conversation(visit.context, visit.person, number)
    await drop_draft(visit.context.pool, number, visit.person.id)
    visit.context.announcer.touch()
    return visit.redirect(f"/conversations/{number}", "draft_dropped")


@page("POST", "/conversations/{id}/answer", permission=_PERMISSION)
async def send(visit: Visit) -> web.StreamResponse:
    """Send the answer; when something is wrong with it, or news came in, nothing that was written is lost."""
    number = visit.number("id")
    found = await see_conversation(visit.context, visit.person, number)
    draft = await _written(visit, number)
    try:
        await _send(visit, number, draft, close=visit.fields.get("then") == "close")
    except NewsCameIn as error:
        pool = visit.context.pool
        draft = replace(draft, seen=await newest_message(pool, number))
        await save_draft(pool, visit.context.announcer, number, visit.person.id, draft)
        found = await see_conversation(visit.context, visit.person, number)
        return await conversation_page(visit, found, status=409, draft=draft, news=translate_error(error))
    except InvalidInput as error:
        return await conversation_page(
            visit, found, status=422, draft=draft, errors={error.field: translate_error(error)}
        )
    return visit.redirect(f"/conversations/{number}#undo")


async def _send(visit: Visit, number: int, draft: Draft, *, close: bool) -> None:
    if draft.channel is ChannelKind.SMS:
        text = SmsAnswer(draft.text, draft.to, draft.sender, files=draft.files, seen=draft.seen, close=close)
        await answer_by_text(visit.context, visit.person, number, text)
        return
    given = Answer(
        draft.text,
        draft.to,
        draft.cc,
        draft.bcc,
        draft.subject,
        draft.quote,
        draft.files,
        draft.seen,
        close,
    )
    await answer(visit.context, visit.person, number, given)


@page("POST", "/conversations/{id}/undo", permission=_PERMISSION)
async def undo(visit: Visit) -> web.StreamResponse:
    """Take an answer back; its text is in the form again."""
    number = visit.number("id")
    found = await see_conversation(visit.context, visit.person, number)
    try:
        await take_back(
            visit.context, visit.person, number, read_number(visit.fields.get("message", ""), "message")
        )
    except Conflict as error:
        return await conversation_page(visit, found, status=409, conflict=translate_error(error))
    return visit.redirect(f"/conversations/{number}?undone=1#answer")


@page("POST", "/conversations/{id}/files", permission=_PERMISSION, streamed=True)
async def upload(visit: Visit) -> web.StreamResponse:
    """Take files for the answer: first the form's secret, then the files; answers with their list."""
    number = visit.number("id")
    await see_conversation(visit.context, visit.person, number)
    pool, person = visit.context.pool, visit.person
    problem = ""
    files: list[DraftFile] = []
    try:
        kept = await load_draft(pool, number, person.id)
        used = sum(file.size for file in kept.files) if kept else 0
        files = await _take_files(visit, visit.context.settings.attachment_limit - used)
    except InvalidInput as error:
        problem = translate_error(error)
    kept = await load_draft(pool, number, person.id)
    draft = kept or Draft(seen=await newest_message(pool, number))
    if files:
        draft = replace(draft, files=(*draft.files, *files))
        await store_draft(pool, number, person.id, draft)
        visit.context.announcer.touch()
    return visit.page(
        "answer_files.html", status=422 if problem else 200, files=draft.files, conversation={"id": number},
        problem=problem,
    )  # fmt: skip


async def _take_files(visit: Visit, free: int) -> list[DraftFile]:
    if not visit.request.content_type.startswith("multipart/"):
        raise InvalidInput("file", N_("No file came with the form."), N_("Choose a file and send it again."))
    reader = await visit.request.multipart()
    trusted, files = False, []
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "csrf":
            visit.check_csrf((await part.read(decode=False))[:200].decode("ascii", "replace"))
            trusted = True
        elif part.name == "file" and trusted and part.filename:
            content = await _read_part(part, free)
            free -= len(content)
            name = bare_name(part.filename)
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            blob = await asyncio.to_thread(visit.context.answer_files.put, content)
            files.append(DraftFile(name, kind, len(content), blob))
    visit.check_csrf("" if not trusted else visit.csrf)
    if not files:
        raise InvalidInput("file", N_("No file came with the form."), N_("Choose a file and send it again."))
    return files


async def _read_part(part: BodyPartReader, free: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65_536):
        content += chunk
        refuse_too_large(len(content), free)
    return bytes(content)


@page("POST", "/conversations/{id}/files/drop", permission=_PERMISSION)
async def drop_file(visit: Visit) -> web.StreamResponse:
    """Leave a file out of the answer again."""
    number = visit.number("id")
    await see_conversation(visit.context, visit.person, number)
    place = read_number(visit.fields.get("file", ""), "file")
    pool, person = visit.context.pool, visit.person
    draft = await load_draft(pool, number, person.id)
    files = draft.files if draft else ()
    files = tuple(file for at, file in enumerate(files) if at != place)
    if draft is not None:
        await save_draft(pool, visit.context.announcer, number, person.id, replace(draft, files=files))
    if visit.is_fragment:
        return visit.page("answer_files.html", files=files, conversation={"id": number}, problem="")
    return visit.redirect(f"/conversations/{number}#answer")

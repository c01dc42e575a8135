"""What people do with a conversation: take it, give it on, close it, note something, decide where a mail belongs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from domain.errors import Conflict, InvalidInput
from inbox.desk import conversations
from web.access.permissions import Permission
from web.console.conversations import conversation_page
from web.console.door import safe_path
from web.console.pages import page
from web.console.visit import Visit, find_number, read_number
from web.sentences import translate_error
from web.work.conversations import adopt_contact, desk_of, place, read_choice, see_conversation, take_author

_PERMISSION: Final = Permission.CONVERSATIONS_WORK
Deed = Callable[[Any], Awaitable[Any]]


async def _do(visit: Visit, deed: Deed, notice: str) -> web.StreamResponse:
    """Do it and come back; when somebody else was faster, show kindly how the conversation stands now."""
    number = visit.number("id")
    found = await see_conversation(visit.context, visit.person, number)
    try:
        await deed(found)
    except Conflict as error:
        now = await see_conversation(visit.context, visit.person, number)
        return await conversation_page(visit, now, status=409, conflict=translate_error(error))
    except InvalidInput as error:
        return await conversation_page(visit, found, status=422, errors={error.field: translate_error(error)})
    back = safe_path(visit.fields.get("back", ""), otherwise=f"/conversations/{number}")
    return visit.redirect(back, notice)


def _version(visit: Visit) -> int | None:
    return find_number(visit.fields.get("version", ""))


@page("POST", "/conversations/{id}/assign", permission=_PERMISSION)
async def assign(visit: Visit) -> web.StreamResponse:
    """Give it to somebody, or to nobody."""

    async def deed(found: Any) -> None:
        assignee = read_choice(visit.fields.get("assignee", ""), "assignee_id")
        await conversations.assign(
            desk_of(visit.context, visit.person), found["id"], assignee, _version(visit)
        )

    return await _do(visit, deed, "conversation_assigned")


@page("POST", "/conversations/{id}/queue", permission=_PERMISSION)
async def move_to_queue(visit: Visit) -> web.StreamResponse:
    """Move it to another queue; who may not see that one sees the conversation no more."""

    async def deed(found: Any) -> None:
        queue = read_number(visit.fields.get("queue", ""), "queue_id")
        await conversations.move_to_queue(
            desk_of(visit.context, visit.person), found["id"], queue, _version(visit)
        )

    answer = await _do(visit, deed, "conversation_moved")
    if answer.status == 303:
        return visit.redirect("/conversations", "conversation_moved")
    return answer


@page("POST", "/conversations/{id}/close", permission=_PERMISSION)
async def close(visit: Visit) -> web.StreamResponse:
    """Nobody owes anything any more."""

    async def deed(found: Any) -> None:
        await conversations.close(desk_of(visit.context, visit.person), found["id"], _version(visit))

    return await _do(visit, deed, "conversation_closed")


@page("POST", "/conversations/{id}/reopen", permission=_PERMISSION)
async def reopen(visit: Visit) -> web.StreamResponse:
    """We owe an answer after all."""

    async def deed(found: Any) -> None:
        await conversations.reopen(desk_of(visit.context, visit.person), found["id"], _version(visit))

    return await _do(visit, deed, "conversation_reopened")


@page("POST", "/conversations/{id}/wait", permission=_PERMISSION)
async def wait(visit: Visit) -> web.StreamResponse:
    """The contact owes the next word: they were called, say."""

    async def deed(found: Any) -> None:
        await conversations.wait(desk_of(visit.context, visit.person), found["id"], _version(visit))

    return await _do(visit, deed, "conversation_waits")


@page("POST", "/conversations/{id}/junk", permission=_PERMISSION)
async def judge(visit: Visit) -> web.StreamResponse:
    """Say that it is junk, or that it is not."""
    junk = visit.fields.get("junk") == "yes"

    async def deed(found: Any) -> None:
        await conversations.judge_junk(
            desk_of(visit.context, visit.person), found["id"], junk, _version(visit)
        )

    return await _do(visit, deed, "conversation_junk" if junk else "conversation_cleared")


@page("POST", "/conversations/{id}/notes", permission=_PERMISSION)
async def add_note(visit: Visit) -> web.StreamResponse:
    """An internal note: the contact never sees it."""

    async def deed(found: Any) -> None:
        await conversations.note(
            desk_of(visit.context, visit.person), found["id"], visit.fields.get("text", "")
        )

    return await _do(visit, deed, "conversation_noted")


@page("POST", "/conversations/{id}/parties", permission=_PERMISSION)
async def change_parties(visit: Visit) -> web.StreamResponse:
    """Let an address take part, or (`remove`) no more."""
    desk, gone = desk_of(visit.context, visit.person), visit.fields.get("remove", "")

    async def deed(found: Any) -> None:
        if gone:
            await conversations.remove_party(desk, found["id"], gone[:320])
        else:
            await conversations.add_party(desk, found["id"], visit.text("address", longest=320))

    return await _do(visit, deed, "conversation_parties")


@page("POST", "/conversations/{id}/contact", permission=_PERMISSION)
async def choose_contact(visit: Visit) -> web.StreamResponse:
    """Say whose conversation it is: the owner of an address."""

    async def deed(found: Any) -> None:
        address, name = visit.text("address", longest=320), visit.text("name", longest=300)
        await adopt_contact(visit.context, visit.person, found["id"], address, name)

    return await _do(visit, deed, "conversation_contact")


@page("POST", "/conversations/{id}/author", permission=_PERMISSION)
async def choose_author(visit: Visit) -> web.StreamResponse:
    """Make the author of a forwarded mail the contact."""
    message_id = read_number(visit.fields.get("message", ""), "message")

    async def deed(found: Any) -> None:
        await take_author(visit.context, visit.person, found["id"], message_id)

    return await _do(visit, deed, "conversation_contact")


@page("POST", "/conversations/{id}/placements", permission=_PERMISSION)
async def decide(visit: Visit) -> web.StreamResponse:
    """Decide whether a message joins the conversation that it may belong to."""
    message_id = read_number(visit.fields.get("message", ""), "message")
    join = visit.fields.get("join") == "yes"
    placed: list[int] = []

    async def deed(found: Any) -> None:
        placed.append((await place(visit.context, visit.person, message_id, join)).conversation_id)

    answer = await _do(visit, deed, "")
    if answer.status == 303:
        here = placed[0] if placed else visit.number("id")
        return visit.redirect(
            f"/conversations/{here}", "conversation_joined" if join else "conversation_apart"
        )
    return answer

"""Conversations: the lists by box and queue, and one conversation with its thread and the answer to it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from channels.mail.parsed import Mailbox
from contacts.directory import load_contacts
from domain.conversations import ConversationState, conversation_moves_from
from domain.errors import InvalidInput
from domain.messages import ChannelKind
from inbox.desk.drafts import Draft, list_writers, load_draft, newest_message
from web.access.permissions import Permission
from web.console.dialling import offer_call
from web.console.event_words import describe_call, describe_event
from web.console.notices import notice_text
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_
from web.queries.calls import read_recordings
from web.queries.contacts import read_identities
from web.queries.conversations import (
    PAGE,
    Box,
    count_conversations,
    list_conversations,
    list_conversations_of_contact,
    list_queue_names,
    list_visible_queues,
    search_conversations,
)
from web.queries.messages import read_parties, read_placements, read_thread
from web.queries.people import list_users
from web.queries.tasks import list_tasks_of_contact
from web.work.conversations import prepare, see_conversation
from web.work.texts import count_text, prepare_text, reply_channel

_BOXES: Final = frozenset(Box)
_PARTS: Final = {
    "thread": "conversation_thread.html",
    "side": "conversation_side.html",
    "writers": "writers.html",
}


def write_place(row: Any) -> str:
    """Where a page of the list ends, as it stands in a URL."""
    return urlsafe_b64encode(f"{row['id']} {row['sort_at'].isoformat()}".encode()).decode()


def read_place(text: str) -> tuple[datetime, int] | None:
    """The place that `write_place` wrote; None for nothing. Raises InvalidInput for anything else."""
    if not text:
        return None
    try:
        number, _space, moment = urlsafe_b64decode(text.encode()).decode().partition(" ")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or not 0 <= int(number) < 1 << 63:
            raise ValueError(text)
        return at, int(number)
    except ValueError as error:
        raise InvalidInput(
            "after", N_("This place in the list does not exist."), N_("Start at the first page.")
        ) from error


@page("GET", "/conversations", permission=Permission.CONVERSATIONS_WORK)
async def show_conversations(visit: Visit) -> web.StreamResponse:
    """A box, of all queues or one; or what a search finds. As a fragment only the list."""
    pool, query = visit.context.pool, visit.request.query
    words = query.get("q", "").strip()[:200]
    box = Box(query["box"]) if query.get("box") in _BOXES else None
    counts, by_queue = await count_conversations(pool, visit.person)
    if box is None:  # what is mine first; when that is nothing, what somebody should take
        box = Box.MINE if counts["mine"] or not counts["unassigned"] else Box.UNASSIGNED
    queue_id = visit.query_number("queue")
    following = ""
    if words:
        rows = await search_conversations(pool, visit.person, words)
    else:
        after = read_place(query.get("after", ""))
        rows = await list_conversations(
            pool, visit.person, box, queue_id=queue_id, after=after, limit=PAGE + 1
        )
        following = write_place(rows[PAGE - 1]) if len(rows) > PAGE else ""
    values: dict[str, Any] = {
        "rows": rows[:PAGE],
        "box": box.value,
        "queue_id": queue_id,
        "words": words,
        "following": following,
        "first": not query.get("after"),
        "counts": counts,
        "by_queue": by_queue,
        "queues": await list_visible_queues(pool, visit.person),
    }
    return visit.page("conversation_list.html" if visit.is_fragment else "conversations.html", **values)


@page("GET", "/conversations/{id}", permission=Permission.CONVERSATIONS_WORK)
async def show_conversation(visit: Visit) -> web.StreamResponse:
    """One conversation; `?part=thread|side|writers` gives only that."""
    found = await see_conversation(visit.context, visit.person, visit.number("id"))
    part = visit.request.query.get("part", "") if visit.is_fragment else ""
    if part in _PARTS:
        values: dict[str, Any] = {"conversation": found}
        if part == "thread":
            values |= await thread_values(visit, found)
        elif part == "side":
            values |= await side_values(visit, found)
        else:
            values |= {"writers": await list_writers(visit.context.pool, found["id"], visit.person.id)}
        return visit.page(_PARTS[part], **values)
    return await conversation_page(visit, found)


async def conversation_page(
    visit: Visit,
    found: Any,
    *,
    status: int = 200,
    draft: Draft | None = None,
    errors: Mapping[str, str] | None = None,
    conflict: str = "",
    news: str = "",
) -> web.Response:
    """The whole page. `draft`: what was written, when sending it did not work; `news`: why it has to be looked at."""
    pool = visit.context.pool
    kept = draft or await load_draft(pool, found["id"], visit.person.id)
    prepared = await prepare(visit.context, visit.person, found["id"])
    text = await prepare_text(visit.context, found["id"], found["queue_id"])
    side = await side_values(visit, found)
    mails = [one["given"] for one in side["identities"] if one["kind"] == "mail" and not one["suppressed"]]
    to = write_mailboxes(_by_mail(prepared.to)) or next(iter(mails), "")
    by = await _chosen_channel(visit, found["id"], draft, kept)
    begun = kept if kept is not None and kept.channel is by else None
    if begun is None:
        begun = Draft(
            text=kept.text if kept else "",
            files=kept.files if kept else (),
            to=text.prepared.to if by is ChannelKind.SMS else to,
            cc=write_mailboxes(_by_mail(prepared.cc)),
            subject=prepared.subject,
            quote=bool(prepared.quotation),
            seen=kept.seen if kept else await newest_message(pool, found["id"]),
            channel=by,
            sender=text.sender,
        )
    return visit.page(
        "conversation.html",
        status=status,
        draft=begun,
        has_draft=kept is not None,
        by=by.value,
        can_mail=bool(to),
        desk=text,
        counted=count_text(visit.context, begun.text, begun.to) if by is ChannelKind.SMS else None,
        prepared=prepared,
        errors=errors or {},
        conflict=conflict,
        news=news,
        undone=notice_text("answer_undone") if kept and visit.request.query.get("undone") == "1" else "",
        writers=await list_writers(pool, found["id"], visit.person.id),
        placements=await read_placements(pool, visit.person, found["id"]),
        file_limit=visit.context.settings.attachment_limit,
        **{**await thread_values(visit, found), **side},
    )


async def _chosen_channel(
    visit: Visit, conversation_id: int, draft: Draft | None, kept: Draft | None
) -> ChannelKind:
    """What an answer goes by: what the person chose, began to write, or what the other side used last."""
    chosen = visit.request.query.get("by", "")
    if draft is None and chosen in (ChannelKind.MAIL, ChannelKind.SMS):
        return ChannelKind(chosen)
    return kept.channel if kept else await reply_channel(visit.context, conversation_id)


async def thread_values(visit: Visit, found: Any) -> dict[str, Any]:
    """What the thread shows; the newest message that can be taken back, with the seconds left."""
    entries = await read_thread(visit.context.pool, visit.person, found["id"])
    undo = None
    machine_now = datetime.now().astimezone()
    for entry in entries:
        message = entry.message
        if message is not None and message.may_be_undone and message.author_id == visit.person.id:
            leaves = message.leaves_at
            if leaves is not None and leaves > machine_now:
                undo = {"id": message.id, "seconds": int((leaves - machine_now).total_seconds()) + 1}
    lines = [(entry, describe_line(visit, entry)) for entry in entries]
    shown = [entry.message or entry.call for entry in entries]
    newest = max((one.id for one in shown if one is not None), default=0)
    heard = [entry.call.id for entry in entries if entry.call is not None and entry.call.heard]
    pool = visit.context.pool
    return {
        "entries": lines,
        "undo": undo,
        "newest": newest,
        "recordings": await read_recordings(pool, heard),
        "names": {row["id"]: row["name"] for row in await list_users(pool, gone_too=True)},
        "queue_names": {row["id"]: row["name"] for row in await list_visible_queues(pool, visit.person)},
        "parties": await read_parties(pool, found["id"]),
    }


def describe_line(visit: Visit, entry: Any) -> str:
    """What an event or a call says in a line of the thread; nothing for messages."""
    if entry.call is not None and not entry.call.is_live:
        return describe_call(entry.call.direction, entry.call.result, entry.call.user_name)
    if entry.event is None:
        return ""
    row = {
        **dict.fromkeys(
            ("campaign_name", "link_label", "link_url", "task_title", "subject", "preview", "message_id")
        ),
        **dict(entry.event),
    }
    return describe_event(row).sentence


async def side_values(visit: Visit, found: Any) -> dict[str, Any]:
    """State, assignee, queue, participants, and the contact beside the thread."""
    pool, person = visit.context.pool, visit.person
    contact = None
    if found["contact_id"] is not None:
        contact = (await load_contacts(pool, [found["contact_id"]])).get(found["contact_id"])
    tasks = await list_tasks_of_contact(pool, person, contact["id"], visit.now) if contact else []
    others = await list_conversations_of_contact(pool, person, contact["id"]) if contact else []
    return {
        "conversation": found,
        "moves": [move.value for move in conversation_moves_from(ConversationState(found["state"]))],
        "parties": await read_parties(pool, found["id"]),
        "contact": contact,
        "choice": await offer_call(visit, conversation=found["id"]),
        "identities": await read_identities(pool, contact["id"]) if contact else [],
        "tasks": [task for task in tasks if task.is_open][:5],
        "others": [row for row in others if row["id"] != found["id"]][:5],
        "users": [
            row
            for row in await list_users(pool)
            if row["role"] != "marketer" or row["id"] == found["assignee_id"]
        ],
        "queues": await list_queue_names(pool),
    }


def _by_mail(people: tuple[Mailbox, ...]) -> tuple[Mailbox, ...]:
    """Those whom a mail can reach: who wrote by SMS has a number in the place of an address."""
    return tuple(one for one in people if "@" in one.address)


def write_mailboxes(people: tuple[Mailbox, ...]) -> str:
    """Addresses as people read and write them."""
    return ", ".join(
        f"{_quoted(one.name)} <{one.address}>" if one.name and one.name != one.address else one.address
        for one in people
    )


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "").replace('"', "") + '"' if set(name) & set(',;<>@"()') else name

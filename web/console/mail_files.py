"""What a mail carries: its HTML for the frame, its files as downloads, the mail as it came, what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from domain.errors import NotFound
from outbox.journal import journals
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit, read_number
from web.context import WebContext
from web.headers import framed_mail_policy
from web.mails.cleaning import MOST_DATA, clean_mail, data_urls, picture_type
from web.mails.file_names import file_name
from web.queries.journal import read_head, read_raw
from web.queries.messages import MessageView, find_file, read_html, read_messages
from web.work.conversations import see_message
from web.work.deliveries import read_fate, settle_answer

_PERMISSION: Final = Permission.CONVERSATIONS_WORK
#: types that are handed out under their own name; everything else is a row of bytes
_TYPES: Final = frozenset(
    (
        "application/pdf", "application/zip", "application/msword", "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
        "text/plain", "text/csv", "text/calendar", "image/png", "image/jpeg", "image/gif", "image/webp",
        "audio/mpeg", "audio/wav", "video/mp4", "message/rfc822",
    )
)  # fmt: skip
#: headers of whatever strangers made: a download, never a page
SEALED: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def disposition(name: str, kind: str = "attachment") -> str:
    """A Content-Disposition header (RFC 6266, with RFC 8187 for names beyond ASCII)."""
    name = file_name(name)
    plain = "".join(c if " " <= c < "\x7f" and c not in '"\\%/' else "_" for c in name)[:150] or "file"
    exact = quote(name.encode("utf-8", "replace")[:400], safe="")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def safe_type(media_type: str) -> str:
    """The type that a file is handed out with."""
    return media_type if media_type in _TYPES else "application/octet-stream"


async def _message(visit: Visit) -> MessageView:
    number, message_id = visit.number("id"), visit.number("message")
    await see_message(visit.context, visit.person, number, message_id)
    found = await read_messages(visit.context.pool, number, message_id)
    if not found:
        raise NotFound(f"There is no message {message_id} in conversation {number}.")
    return found[0]


@page("GET", "/conversations/{id}/messages/{message}/body", permission=_PERMISSION)
async def show_body(visit: Visit) -> web.StreamResponse:
    """A mail's HTML for its frame, cleaned; `?images=1` lets the browser fetch pictures of other servers."""
    message = await _message(visit)
    remote = visit.request.query.get("images") == "1"
    source = await read_html(visit.context.pool, message.id)
    files = [] if message.virus else message.files
    pictures = await asyncio.to_thread(_load_pictures, visit, files)
    cleaned = await asyncio.to_thread(clean_mail, source, pictures, remote=remote)
    policy = framed_mail_policy("data: https:" if remote else "data:")
    return web.Response(
        text=cleaned.html,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": policy + ("; upgrade-insecure-requests" if remote else ""),
            "Referrer-Policy": "no-referrer",
        },
    )


def _load_pictures(visit: Visit, files: Sequence[Any]) -> dict[str, str]:
    """The pictures that a mail brings along, as far as they are small enough."""
    contents: dict[str, bytes] = {}
    room = MOST_DATA
    for file in files:
        if file["content_id"] and file["content_id"] not in contents and file["size"] <= room:
            path = _path(visit.context, file["blob"])
            if path is not None:
                contents[file["content_id"]] = path.read_bytes()
                room -= file["size"]
    return data_urls(contents)


def _path(context: WebContext, blob: str) -> Path | None:
    try:
        return context.blobs.path(blob)
    except NotFound:
        return None


@page("GET", "/conversations/{id}/messages/{message}/files/{no}/{name:.*}", permission=_PERMISSION)
async def download_file(visit: Visit) -> web.StreamResponse:
    """A file, always as a download; `?show=1` shows it when its bytes are those of a picture."""
    number, message_id = visit.number("id"), visit.number("message")
    await see_message(visit.context, visit.person, number, message_id)
    show = visit.request.query.get("show") == "1"
    return await hand_out(visit.context, message_id, visit.number("no"), show=show)


async def hand_out(
    context: WebContext, message_id: int, number: int, *, show: bool = False
) -> web.StreamResponse:
    """A file of a message that the caller may see: a download, or with `show` a picture. Raises NotFound."""
    file = await find_file(context.pool, message_id, number)
    path = _path(context, file["blob"]) if file is not None else None
    if file is None or path is None:
        raise NotFound(f"There is no such file in message {message_id}.")
    kind, way = safe_type(file["media_type"]), "attachment"
    if show:
        picture = await asyncio.to_thread(_picture_type_of, path)
        if picture is not None:
            kind, way = picture, "inline"
    return web.FileResponse(
        path, headers={**SEALED, "Content-Type": kind, "Content-Disposition": disposition(file["name"], way)}
    )


def _picture_type_of(path: Path) -> str | None:
    with path.open("rb") as file:
        return picture_type(file.read(16))


@page("GET", "/conversations/{id}/messages/{message}", permission=_PERMISSION)
async def show_message(visit: Visit) -> web.StreamResponse:
    """Everything about one message: who and when, whether its sender is proven, every attempt to deliver it."""
    message = await _message(visit)
    return visit.page(
        "message.html",
        conversation_id=visit.number("id"),
        message=message,
        journals=await journals(visit.context.pool, message.id) if message.is_ours else [],
        head=await read_head(visit.context.pool, visit.context.blobs, message.raw_id, message.id),
    )


@page("POST", "/conversations/{id}/messages/{message}/settle", permission=_PERMISSION)
async def settle(visit: Visit) -> web.StreamResponse:
    """Say what became of an unconfirmed delivery of an answer, or have it sent again."""
    message, fate = await _message(visit), read_fate(visit.fields.get("fate", ""))
    delivery = read_number(visit.fields.get("delivery", ""), "delivery")
    await settle_answer(visit.context, visit.person, message.id, delivery, fate)
    return visit.redirect(f"/conversations/{visit.number('id')}/messages/{message.id}", f"unconfirmed_{fate}")


@page("GET", "/conversations/{id}/messages/{message}/original", permission=_PERMISSION)
async def download_original(visit: Visit) -> web.StreamResponse:
    """The mail as it came, or as it goes out."""
    message = await _message(visit)
    raw = await read_raw(visit.context.pool, visit.context.blobs, message.raw_id, message.id)
    if raw is None:
        raise NotFound(f"The bytes of message {message.id} were not kept.")
    return web.Response(
        body=raw,
        headers={
            **SEALED,
            "Content-Type": "message/rfc822",
            "Content-Disposition": disposition(f"message-{message.id}.eml"),
        },
    )

"""Unreadable messages: list, bytes, read again, discard."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from inbox.arrival.quarantine import discard, load_bytes, read_again
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.console.mail_files import SEALED, disposition
from web.work.unreadable import list_unreadable, open_unreadable

_WORK = Permission.QUARANTINE_WORK


class UnreadableModel(BaseModel):
    """A message that could not be read."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    reason: str
    size: int
    sender: str
    recipients: list[str]
    doors: list[str]
    received_at: datetime
    attempts: int
    discarded: bool
    closed: bool = Field(
        False,
        description="It is for a confidential queue of others: sender, recipients and bytes are not told.",
    )


class UnreadablePage(BaseModel):
    """Some of them, latest first."""

    items: list[UnreadableModel]
    next: str | None


@route(
    "GET",
    "/quarantine",
    summary="List unreadable messages",
    permission=_WORK,
    query=PageQuery,
    answer=UnreadablePage,
)
async def get_quarantine(call: Call) -> UnreadablePage:
    """Each with the reason."""
    query: PageQuery = call.query
    rows = await list_unreadable(call.context, call.person, before=after_id(query), limit=query.limit + 1)
    return UnreadablePage(
        items=[
            UnreadableModel.model_validate(row.mail).model_copy(
                update={"sender": row.sender, "recipients": list(row.recipients), "closed": row.closed}
            )
            for row in rows[: query.limit]
        ],
        next=next_id([row.mail.id for row in rows], query.limit),
    )


@route(
    "GET",
    "/quarantine/{id}/raw",
    summary="An unreadable message as it arrived",
    permission=_WORK,
    download="message/rfc822",
)
async def get_unreadable(call: Call) -> web.Response:
    """The bytes."""
    mail = await open_unreadable(call.context, call.person, call.number())
    raw = await load_bytes(call.context.pool, call.context.blobs, mail.id)
    return web.Response(
        body=raw,
        content_type="message/rfc822",
        headers={**SEALED, "Content-Disposition": disposition(f"unreadable-{mail.id}.eml")},
    )


@route("POST", "/quarantine/{id}/again", summary="Read it again", permission=_WORK)
async def post_again(call: Call) -> None:
    """By a worker, in a moment."""
    await read_again(call.context.pool, call.number(), call.context.announcer)


@route("POST", "/quarantine/{id}/discard", summary="Put it aside", permission=_WORK)
async def post_discard(call: Call) -> None:
    """Its bytes are kept."""
    await discard(call.context.pool, call.number())
    call.context.announcer.touch()

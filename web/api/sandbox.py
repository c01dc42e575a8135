"""The test mailbox: what would have gone out."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from domain.errors import NotFound
from web.access.permissions import Permission
from web.api.paging import PageQuery, after_id, next_id
from web.api.registry import Call, route
from web.mails.view import decode_words, read_mail
from web.queries.mailbox import find_mail, list_mails


class MailModel(BaseModel):
    """A mail in the list."""

    id: int
    received_at: datetime
    sender: str = Field(description="The envelope's sender.")
    recipient: str
    message_id: str
    subject: str


class MailPage(BaseModel):
    """Some mails, newest first."""

    items: list[MailModel]
    next: str | None


class MailContent(MailModel):
    """A mail with its parts."""

    text: str
    html: str
    headers: list[tuple[str, str]]


class MailQuery(PageQuery):
    """Whose mails."""

    recipient: str = Field("", max_length=320, description="An e-mail address; empty: everybody's.")


def _values(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "received_at": row["received_at"],
        "sender": row["sender"],
        "recipient": row["recipient"],
        "message_id": row["message_id_header"],
        "subject": decode_words(row["subject"]),
    }


@route(
    "GET",
    "/sandbox/mails",
    summary="List mails of the test mailbox",
    permission=Permission.MAILBOX_SEE,
    query=MailQuery,
    answer=MailPage,
)
async def get_mails(call: Call) -> MailPage:
    """Newest first."""
    query: MailQuery = call.query
    rows = await list_mails(
        call.context.pool, query.recipient.strip().lower(), after_id(query), query.limit + 1
    )
    return MailPage.model_validate(
        {
            "items": [_values(row) for row in rows[: query.limit]],
            "next": next_id([row["id"] for row in rows], query.limit),
        }
    )


async def _find(call: Call) -> Any:
    mail = await find_mail(call.context.pool, call.number())
    if mail is None:
        raise NotFound(f"There is no mail {call.number()}.")
    return mail


@route(
    "GET", "/sandbox/mails/{id}", summary="One mail", permission=Permission.MAILBOX_SEE, answer=MailContent
)
async def get_mail(call: Call) -> MailContent:
    """With text, HTML and headers."""
    mail = await _find(call)
    view = await asyncio.to_thread(read_mail, mail["raw"])
    return MailContent.model_validate(
        {**_values(mail), "text": view.text, "html": view.html, "headers": list(view.headers)}
    )


@route(
    "GET",
    "/sandbox/mails/{id}/raw",
    summary="A mail as it arrived",
    permission=Permission.MAILBOX_SEE,
    download="message/rfc822",
)
async def get_raw_mail(call: Call) -> web.Response:
    """The bytes, with the dots of SMTP undone."""
    mail = await _find(call)
    return web.Response(
        body=mail["raw"],
        content_type="message/rfc822",
        headers={"Content-Disposition": f'attachment; filename="mail-{mail["id"]}.eml"'},
    )

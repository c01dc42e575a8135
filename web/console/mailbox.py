"""The test mailbox: what each recipient received, shown in a sandboxed frame without scripts."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from domain.errors import NotFound
from web.console.pages import page
from web.console.visit import Visit
from web.headers import framed_mail_policy
from web.i18n import N_
from web.mail_view import decode_words, read_mail
from web.permissions import Permission
from web.queries.mailbox import PAGE, find_claire, find_mail, find_owner, list_mails

_BASE: Final = '<base target="_blank">'


@page("GET", "/mailbox", permission=Permission.MAILBOX_SEE)
async def show_mailbox(visit: Visit) -> web.StreamResponse:
    """Mails, of everybody or of one recipient; as a fragment only the list."""
    pool = visit.context.pool
    recipient = visit.request.query.get("recipient", "").strip().lower()[:320]
    rows = await list_mails(pool, recipient, visit.query_number("before"), PAGE + 1)
    mails = [
        {**row, "subject": decode_words(row["subject"]), "from_words": row["sender"]} for row in rows[:PAGE]
    ]
    values: dict[str, Any] = {
        "mails": mails,
        "recipient": recipient,
        "following": rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
    }
    if visit.is_fragment:
        return visit.page("mailbox_list.html", **values)
    owner = await find_owner(pool, recipient) if recipient else None
    claire = await find_claire(pool) if visit.context.demo and not recipient else None
    return visit.page("mailbox.html", owner=owner["name"] if owner else "", claire=claire, **values)


async def _find(visit: Visit) -> Any:
    mail = await find_mail(visit.context.pool, visit.number("id"))
    if mail is None:
        raise NotFound(N_("There is no such mail."))
    return mail


@page("GET", "/mailbox/{id}", permission=Permission.MAILBOX_SEE)
async def show_mail(visit: Visit) -> web.StreamResponse:
    """One mail: `?view=text|headers`; `?images=1` shows pictures of our own origin."""
    mail = await _find(visit)
    view = await asyncio.to_thread(read_mail, mail["raw"])
    owner = await find_owner(visit.context.pool, mail["recipient"])
    asked = visit.request.query.get("view", "html")
    return visit.page(
        "mail.html",
        mail={**mail, "subject": decode_words(mail["subject"])},
        view=view,
        shown=asked if asked in ("text", "headers") else "html" if view.html else "text",
        images=visit.request.query.get("images") == "1",
        contact_id=owner["id"] if owner else None,
    )


@page("GET", "/mailbox/{id}/body", permission=Permission.MAILBOX_SEE)
async def show_body(visit: Visit) -> web.StreamResponse:
    """The mail's HTML for the frame: no scripts, no forms, pictures only when asked for, and only ours."""
    mail = await _find(visit)
    html = (await asyncio.to_thread(read_mail, mail["raw"])).html
    sources = "data:"
    if visit.request.query.get("images") == "1":
        public = urlsplit(visit.context.settings.public_url)
        sources += f" {visit.request.scheme}://{visit.request.host} {public.scheme}://{public.netloc}"
    return web.Response(
        text=_BASE + html,
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": framed_mail_policy(sources), "Referrer-Policy": "no-referrer"},
    )

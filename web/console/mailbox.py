"""The test mailbox: what each recipient received, shown in a sandboxed frame without scripts; and playing them."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import web

from contacts.addresses import read_mail_address
from domain.errors import InvalidInput, NotFound, Unavailable
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.headers import framed_mail_policy
from web.i18n import N_
from web.mails.view import decode_words, read_mail
from web.queries.mailbox import PAGE, find_claire, find_mail, find_owner, list_mails
from web.sentences import translate_error
from web.work.playing import hand_in, write_new, write_reply

_QUEUES: Final = """
SELECT a.address, q.name FROM queue_addresses a JOIN queues q ON q.id = a.queue_id
WHERE NOT q.confidential ORDER BY q.name, a.address
"""
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
    queues = await pool.fetch(_QUEUES) if recipient and visit.context.front_door is not None else []
    return visit.page(
        "mailbox.html",
        owner=owner["name"] if owner else "",
        own_phone=owner["phone"] if owner and visit.context.test_phone is not None else None,
        claire=claire,
        queues=queues,
        **values,
    )


async def _find(visit: Visit) -> Any:
    mail = await find_mail(visit.context.pool, visit.number("id"))
    if mail is None:
        raise NotFound(N_("There is no such mail."))
    return mail


@page("GET", "/mailbox/{id}", permission=Permission.MAILBOX_SEE)
async def show_mail(visit: Visit) -> web.StreamResponse:
    """One mail: `?view=text|headers`; `?images=1` shows pictures of our own origin."""
    return await _mail_page(visit, await _find(visit))


async def _mail_page(visit: Visit, mail: Any, problem: str = "") -> web.Response:
    view = await asyncio.to_thread(read_mail, mail["raw"])
    owner = await find_owner(visit.context.pool, mail["recipient"])
    asked = visit.request.query.get("view", "html")
    return visit.page(
        "mail.html",
        status=422 if problem else 200,
        mail={**mail, "subject": decode_words(mail["subject"])},
        view=view,
        shown=asked if asked in ("text", "headers") else "html" if view.html else "text",
        images=visit.request.query.get("images") == "1",
        contact_id=owner["id"] if owner else None,
        who=owner["name"] if owner else mail["recipient"],
        may_answer=visit.context.front_door is not None,
        problem=problem,
        text=visit.fields.get("text", ""),
    )


@page("POST", "/mailbox/{id}/answer", permission=Permission.MAILBOX_SEE)
async def answer_mail(visit: Visit) -> web.StreamResponse:
    """Answer a mail as its recipient would; it comes in at the front door."""
    mail = await _find(visit)
    who = await _who(visit, mail["recipient"])
    try:
        reply, to = await asyncio.to_thread(write_reply, mail["raw"], who, visit.fields.get("text", ""))
        await hand_in(visit.context.front_door, reply, who[1], to)
    except (InvalidInput, Unavailable) as error:
        return await _mail_page(visit, mail, translate_error(error))
    return visit.redirect(f"/mailbox/{mail['id']}", "reply_sent")


@page("POST", "/mailbox", permission=Permission.MAILBOX_SEE)
async def write_mail(visit: Visit) -> web.StreamResponse:
    """Write to one of our queues as the person whose mailbox it is."""
    recipient = visit.text("recipient", longest=320).lower()
    who = await _who(visit, read_mail_address(recipient, "recipient"))
    to, subject = visit.text("to", longest=320), visit.text("subject", longest=900)
    mail, targets = write_new(who, to, subject, visit.fields.get("text", ""))
    await hand_in(visit.context.front_door, mail, who[1], targets)
    return visit.redirect(f"/mailbox?recipient={quote(recipient)}", "reply_sent")


async def _who(visit: Visit, address: str) -> tuple[str, str]:
    owner = await find_owner(visit.context.pool, address)
    return (owner["name"] if owner else "", address)


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

"""Unreadable messages: why each could not be read, a look at it, reading it again, putting it aside."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from inbox.arrival.quarantine import (
    discard,
    load_bytes,
    read_again,
    read_all_again,
)
from web.access.permissions import Permission
from web.console.mail_files import SEALED, disposition
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_
from web.queries.journal import HEAD, head_of
from web.work.unreadable import find_unreadable, list_unreadable, open_unreadable

_PERMISSION: Final = Permission.QUARANTINE_WORK
PAGE: Final = 50
#: why a mail could not be read, as inbox/ and the mailboxes say it, for the catalogue
REASONS: Final = (
    N_("Reading it took longer than {0} s."),
    N_("Reading it took more memory than a mail may take."),
    N_("The process that read it ended ({0})."),
    N_("Reading it was tried {0} times, and ended each time without a result."),
    N_("Storing it failed: {0}"),
)


@page("GET", "/unreadable", permission=_PERMISSION)
async def show_quarantine(visit: Visit) -> web.StreamResponse:
    """Those that wait, latest first; as a fragment only the list."""
    rows = await list_unreadable(
        visit.context, visit.person, before=visit.query_number("before"), limit=PAGE + 1
    )
    return visit.page(
        "quarantine_list.html" if visit.is_fragment else "quarantine.html",
        mails=rows[:PAGE],
        following=rows[PAGE - 1].mail.id if len(rows) > PAGE else None,
    )


@page("POST", "/unreadable", permission=_PERMISSION)
async def try_all_again(visit: Visit) -> web.StreamResponse:
    """Have all of them read again."""
    await read_all_again(visit.context.pool, visit.context.announcer)
    return visit.redirect("/unreadable", "unreadable_again")


@page("GET", "/unreadable/{id}", permission=_PERMISSION)
async def show_one(visit: Visit) -> web.StreamResponse:
    """One of them: its headers and the beginning of what follows, as text."""
    found = await find_unreadable(visit.context, visit.person, visit.number("id"))
    mail = found.mail
    if found.closed:
        return visit.page("quarantine_mail.html", found=found, mail=mail, head="", text="", cut=False)
    raw = await load_bytes(visit.context.pool, visit.context.blobs, mail.id)
    body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2][:HEAD]
    return visit.page(
        "quarantine_mail.html",
        found=found,
        mail=mail,
        head=head_of(raw),
        text=body.decode("utf-8", "replace").replace("\0", "\ufffd"),
        cut=len(raw) > HEAD,
    )


@page("GET", "/unreadable/{id}/original", permission=_PERMISSION)
async def download(visit: Visit) -> web.StreamResponse:
    """The bytes as they came."""
    mail = await open_unreadable(visit.context, visit.person, visit.number("id"))
    raw = await load_bytes(visit.context.pool, visit.context.blobs, mail.id)
    headers = {
        **SEALED,
        "Content-Type": "message/rfc822",
        "Content-Disposition": disposition(f"unreadable-{mail.id}.eml"),
    }
    return web.Response(body=raw, headers=headers)


@page("POST", "/unreadable/{id}/again", permission=_PERMISSION)
async def try_again(visit: Visit) -> web.StreamResponse:
    """Have it read again."""
    await read_again(visit.context.pool, visit.number("id"), visit.context.announcer)
    return visit.redirect("/unreadable", "unreadable_again")


@page("POST", "/unreadable/{id}/discard", permission=_PERMISSION)
async def put_aside(visit: Visit) -> web.StreamResponse:
    """Put it aside; its bytes are kept."""
    await discard(visit.context.pool, visit.number("id"))
    visit.context.announcer.touch()
    return visit.redirect("/unreadable", "unreadable_discarded")

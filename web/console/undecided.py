"""What nobody decided on: every inbound message that nobody took, oldest first."""

from __future__ import annotations

from aiohttp import web

from web.access.permissions import Permission
from web.console.conversations import read_place, write_place
from web.console.pages import page
from web.console.visit import Visit
from web.queries.undecided import PAGE, list_undecided


@page("GET", "/undecided", permission=Permission.CONVERSATIONS_WORK)
async def show_undecided(visit: Visit) -> web.StreamResponse:
    """The list; as a fragment only what changes by itself."""
    context = visit.context
    found = await list_undecided(
        context.pool,
        visit.person,
        context.clock.now(),
        context.reading.undecided_hours,
        after=read_place(visit.request.query.get("after", "")),
        limit=PAGE + 1,
    )
    last = found.rows[PAGE - 1] if len(found.rows) > PAGE else None
    return visit.page(
        "undecided_list.html" if visit.is_fragment else "undecided.html",
        found=found,
        rows=found.rows[:PAGE],
        following=write_place(last) if last is not None else "",
    )
